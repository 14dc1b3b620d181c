import Avro
import Base
import Columnar

/// Reads the entries of one manifest of any format version.
///
/// 1. The writer's schema is compiled into a list of columns, matched by field id.
/// 2. Every entry is decoded field by field; what the projection does not ask for is skipped.
/// 3. Entries inherit from the manifest list what they leave out: an added entry the manifest's sequence number, any
///    entry its snapshot id. Version 1 entries have sequence number 0.
/// 4. A live data file without row ids gets the next of the manifest's, which counts on by its records.
///
/// Spec: https://iceberg.apache.org/spec/#sequence-number-inheritance and
/// https://iceberg.apache.org/spec/#first-row-id-inheritance
struct ManifestReader {
    /// What to decode.
    enum Statistics {
        case all
        /// Counts and bounds of these field ids only.
        case fields(Set<Int>)
        /// Only `content`, `path`, `format`, and what a delete file refers to: enough to know which files are
        /// reachable.
        case pathsOnly

        static let none = Statistics.fields([])
    }

    private let source: String
    private let manifest: ManifestFile
    private let statistics: Statistics
    private var file: AvroFileReader
    private let entryColumns: [AvroColumn]
    private let fileColumns: [AvroColumn]
    private let partition: PartitionReader?
    /// Of the next data file without one; nil when the manifest gives none, or record counts are not read.
    private var nextRowId: Int64?

    init(
        _ bytes: [UInt8], manifest: ManifestFile, partitionFields: [Field], statistics: Statistics
    ) throws(FirnError) {
        source = manifest.path
        self.manifest = manifest
        self.statistics = statistics
        file = try AvroFileReader(bytes, source: manifest.path)
        entryColumns = try AvroColumn.columns(of: file.schema.root, in: file.schema, source: source)
        guard let dataFile = entryColumns.first(where: { $0.fieldId == 2 }), dataFile.nullBranch == nil else {
            throw FirnError(.corrupted, "bad_manifest", "entries have no data_file", context: ["file": source])
        }
        fileColumns = try AvroColumn.columns(of: dataFile.type, in: file.schema, source: source)
        for column in entryColumns + fileColumns { try Self.check(column, file.schema, source) }
        if let column = fileColumns.first(where: { $0.fieldId == 102 }) {
            partition = try PartitionReader(column.type, in: file.schema, fields: partitionFields, source: source)
        } else {
            partition = nil
        }
        if case .pathsOnly = statistics { return }
        nextRowId = manifest.content == .data ? manifest.firstRowId : nil
    }

    /// Calls `body` with every entry until it returns false.
    mutating func readEntries(_ body: (ManifestEntry) throws -> Bool) throws {
        while var (count, records) = try file.nextBlock() {
            while count > 0 {
                var entry = try entry(&records)
                try inheritRowId(&entry, records)
                guard try body(entry) else { return }
                count -= 1
            }
        }
    }

    private func entry(_ reader: inout ByteReader) throws(FirnError) -> ManifestEntry {
        var entry = ManifestEntry(
            status: .existing, snapshotId: nil, sequenceNumber: nil, fileSequenceNumber: nil,
            dataFile: DataFile(path: "", specId: manifest.specId, recordCount: 0, fileBytes: 0))
        for column in entryColumns {
            if try column.readNull(&reader) { continue }
            switch column.fieldId {
            case 0:
                guard let status = ManifestEntry.Status(rawValue: try reader.avroInt()) else {
                    throw reader.corrupted("an unknown entry status")
                }
                entry.status = status
            case 1: entry.snapshotId = try reader.avroLong()
            case 3: entry.sequenceNumber = try reader.avroLong()
            case 4: entry.fileSequenceNumber = try reader.avroLong()
            case 2: try readFile(&entry.dataFile, &reader)
            default: try reader.avroSkip(column.type, in: file.schema)
            }
        }
        try inherit(&entry, reader)
        return entry
    }

    private func inherit(_ entry: inout ManifestEntry, _ reader: ByteReader) throws(FirnError) {
        if entry.snapshotId == nil { entry.snapshotId = manifest.addedSnapshotId }
        let mayInherit = entry.status == .added || manifest.sequenceNumber == 0
        if entry.sequenceNumber == nil {
            guard mayInherit else { throw reader.corrupted("an existing entry without sequence number") }
            entry.sequenceNumber = manifest.sequenceNumber
        }
        if entry.fileSequenceNumber == nil, mayInherit { entry.fileSequenceNumber = manifest.sequenceNumber }
    }

    private mutating func inheritRowId(
        _ entry: inout ManifestEntry, _ reader: ByteReader
    ) throws(FirnError) {
        guard let rowId = nextRowId, entry.isLive, entry.dataFile.firstRowId == nil else { return }
        entry.dataFile.firstRowId = rowId
        let (next, overflow) = rowId.addingReportingOverflow(entry.dataFile.recordCount)
        guard !overflow, entry.dataFile.recordCount >= 0 else { throw reader.corrupted("row ids that pass 64 bits") }
        nextRowId = next
    }

    private func readFile(_ data: inout DataFile, _ reader: inout ByteReader) throws(FirnError) {
        for column in fileColumns {
            if try column.readNull(&reader) { continue }
            switch column.fieldId {
            case 134:
                guard let content = DataFile.Content(rawValue: try reader.avroInt()) else {
                    throw reader.corrupted("an unknown content of a file")
                }
                data.content = content
            case 100: data.path = try reader.avroString()
            case 101: data.format = try reader.avroString().uppercased()
            case 143: data.referencedDataFile = try reader.avroString()
            case 144: data.contentOffset = try reader.avroLong()
            case 145: data.contentBytes = try reader.avroLong()
            default:
                if case .pathsOnly = statistics {
                    try reader.avroSkip(column.type, in: file.schema)
                } else {
                    try readDetail(column, &data, &reader)
                }
            }
        }
    }

    private func readDetail(
        _ column: AvroColumn, _ data: inout DataFile, _ reader: inout ByteReader
    ) throws(FirnError) {
        switch column.fieldId {
        case 102: data.partition = try partition!.read(&reader)
        case 103: data.recordCount = try reader.avroLong()
        case 104: data.fileBytes = try reader.avroLong()
        case 108: data.columnSizes = try longs(&reader)
        case 109: data.valueCounts = try longs(&reader)
        case 110: data.nullValueCounts = try longs(&reader)
        case 137: data.nanValueCounts = try longs(&reader)
        case 125: data.lowerBounds = try bytes(&reader)
        case 128: data.upperBounds = try bytes(&reader)
        case 131: data.keyMetadata = try reader.avroBytes()
        case 132:
            var offsets: [Int64] = []
            while case let count = try reader.avroBlock(), count > 0 {
                for _ in 0..<count { offsets.append(try reader.avroLong()) }
            }
            data.splitOffsets = offsets
        case 135:
            var ids: [Int] = []
            while case let count = try reader.avroBlock(), count > 0 {
                for _ in 0..<count { ids.append(Int(try reader.avroLong())) }
            }
            data.equalityIds = ids
        case 140: data.sortOrderId = Int(try reader.avroInt())
        case 142: data.firstRowId = try reader.avroLong()
        default: try reader.avroSkip(column.type, in: file.schema)
        }
    }

    private func wants(_ id: Int32) -> Bool {
        switch statistics {
        case .all: true
        case .fields(let ids): ids.contains(Int(id))
        case .pathsOnly: false
        }
    }

    private func longs(_ reader: inout ByteReader) throws(FirnError) -> [Int: Int64] {
        var map: [Int: Int64] = [:]
        while case let count = try reader.avroBlock(), count > 0 {
            for _ in 0..<count {
                let id = try reader.avroInt()
                let value = try reader.avroLong()
                if wants(id) { map[Int(id)] = value }
            }
        }
        return map
    }

    private func bytes(_ reader: inout ByteReader) throws(FirnError) -> [Int: [UInt8]] {
        var map: [Int: [UInt8]] = [:]
        while case let count = try reader.avroBlock(), count > 0 {
            for _ in 0..<count {
                let id = try reader.avroInt()
                let length = try reader.avroLength()
                let value = try reader.take(length)
                if wants(id) { map[Int(id)] = Array(value) }
            }
        }
        return map
    }

    /// The decoder relies on the types of the fields it knows. Ints and longs look alike in Avro, and writers mix them:
    /// PyIceberg's equality ids are longs.
    private static func check(_ column: AvroColumn, _ schema: AvroSchema, _ source: String) throws(FirnError) {
        switch column.fieldId {
        case 0, 1, 3, 4, 103, 104, 134, 140, 142, 144, 145:
            try column.require([.long, .int], source: source)
        case 100, 101, 143: try column.require([.string], source: source)
        case 131: try column.require([.bytes], source: source)
        case 132: try column.require([.array(AvroType(.long)), .array(AvroType(.int))], source: source)
        // The spec says int; PyIceberg writes long. Both have the same bytes.
        case 135: try column.require([.array(AvroType(.int)), .array(AvroType(.long))], source: source)
        case 108, 109, 110, 137: try checkMap(column, value: [.long, .int], schema, source)
        case 125, 128: try checkMap(column, value: [.bytes], schema, source)
        default: break
        }
    }

    private static func checkMap(
        _ column: AvroColumn, value: [AvroType.Kind], _ schema: AvroSchema, _ source: String
    ) throws(FirnError) {
        guard case .array(let item) = column.type.kind, case .record(_, let fields) = schema.resolve(item).kind,
            fields.count == 2, [.int, .long].contains(fields[0].type.kind), value.contains(fields[1].type.kind)
        else {
            throw FirnError(
                .corrupted, "bad_manifest", "field \"\(column.name)\" is no map from field ids",
                context: ["file": source])
        }
    }
}
