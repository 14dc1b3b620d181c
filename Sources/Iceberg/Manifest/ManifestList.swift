import Avro
import Base

/// Manifest lists to and from bytes. Spec: https://iceberg.apache.org/spec/#manifest-lists
enum ManifestList {
    /// - Parameter firstRowId: the snapshot's, which makes the list one of version 3.
    static func write(
        _ manifests: [ManifestFile], snapshotId: Int64, parentSnapshotId: Int64?, sequenceNumber: Int64,
        firstRowId: Int64? = nil, sync: UUID
    ) throws(FirnError) -> [UInt8] {
        var metadata = [
            ("snapshot-id", Array("\(snapshotId)".utf8)),
            ("parent-snapshot-id", Array((parentSnapshotId.map { "\($0)" } ?? "null").utf8)),
            ("sequence-number", Array("\(sequenceNumber)".utf8)),
            ("format-version", Array((firstRowId == nil ? "2" : "3").utf8)),
        ]
        if let firstRowId { metadata.append(("first-row-id", Array("\(firstRowId)".utf8))) }
        let hasLineage = firstRowId != nil
        var file = AvroFileWriter(
            schemaText: hasLineage ? schemaTextV3 : schemaText, metadata: metadata.map { (key: $0.0, value: $0.1) },
            sync: sync)
        for manifest in manifests {
            try file.append { writer throws(FirnError) in
                write(manifest, &writer)
                if hasLineage { optional(manifest.firstRowId, &writer) { $1.avroLong($0) } }
            }
        }
        return try file.finish()
    }

    private static let schemaText = ManifestSchemas.manifestFile.json.serialize()
    private static let schemaTextV3 = ManifestSchemas.manifestFileV3.json.serialize()

    private static func write(_ manifest: ManifestFile, _ writer: inout ByteWriter) {
        writer.avroString(manifest.path)
        writer.avroLong(manifest.length)
        writer.avroInt(Int32(manifest.specId))
        writer.avroInt(manifest.content.rawValue)
        writer.avroLong(manifest.sequenceNumber)
        writer.avroLong(manifest.minSequenceNumber)
        writer.avroLong(manifest.addedSnapshotId)
        writer.avroInt(Int32(manifest.addedFilesCount ?? 0))
        writer.avroInt(Int32(manifest.existingFilesCount ?? 0))
        writer.avroInt(Int32(manifest.deletedFilesCount ?? 0))
        writer.avroLong(manifest.addedRowsCount ?? 0)
        writer.avroLong(manifest.existingRowsCount ?? 0)
        writer.avroLong(manifest.deletedRowsCount ?? 0)
        if let partitions = manifest.partitions {
            writer.zigzag(1)
            if !partitions.isEmpty { writer.zigzag(Int64(partitions.count)) }
            for summary in partitions {
                writer.avroBoolean(summary.containsNull)
                optional(summary.containsNaN, &writer) { $1.avroBoolean($0) }
                optional(summary.lowerBound, &writer) { $1.avroBytes($0) }
                optional(summary.upperBound, &writer) { $1.avroBytes($0) }
            }
            writer.zigzag(0)
        } else {
            writer.zigzag(0)
        }
        optional(manifest.keyMetadata, &writer) { $1.avroBytes($0) }
    }

    private static func optional<T>(_ value: T?, _ writer: inout ByteWriter, _ write: (T, inout ByteWriter) -> Void) {
        guard let value else { return writer.zigzag(0) }
        writer.zigzag(1)
        write(value, &writer)
    }

    /// Rows of a list of any format version, in order.
    static func read(_ bytes: [UInt8], source: String) throws(FirnError) -> [ManifestFile] {
        var file = try AvroFileReader(bytes, source: source)
        let columns = try AvroColumn.columns(of: file.schema.root, in: file.schema, source: source)
        for column in columns { try check(column, source) }
        var summaryColumns: [AvroColumn] = []
        if let column = columns.first(where: { $0.fieldId == 507 }), case .array(let item) = column.type.kind {
            summaryColumns = try AvroColumn.columns(of: item, in: file.schema, source: source)
            for column in summaryColumns { try check(column, source) }
        }
        var manifests: [ManifestFile] = []
        while let (count, records) = try file.nextBlock() {
            var records = records
            for _ in 0..<count {
                manifests.append(try row(&records, columns, summaryColumns, file.schema))
            }
        }
        return manifests
    }

    private static func check(_ column: AvroColumn, _ source: String) throws(FirnError) {
        switch column.fieldId {
        case 500: try column.require([.string], source: source)
        case .some(501...506), .some(512...517), 520: try column.require([.long, .int], source: source)
        case 509, 518: try column.require([.boolean], source: source)
        case 510, 511, 519: try column.require([.bytes], source: source)
        default: break
        }
    }

    private static func row(
        _ reader: inout ByteReader, _ columns: [AvroColumn], _ summaryColumns: [AvroColumn], _ schema: AvroSchema
    ) throws(FirnError) -> ManifestFile {
        var row = ManifestFile(
            path: "", length: 0, specId: 0, content: .data, sequenceNumber: 0, minSequenceNumber: 0,
            addedSnapshotId: 0, addedFilesCount: nil, existingFilesCount: nil, deletedFilesCount: nil,
            addedRowsCount: nil, existingRowsCount: nil, deletedRowsCount: nil, partitions: nil)
        for column in columns {
            if try column.readNull(&reader) { continue }
            switch column.fieldId {
            case 500: row.path = try reader.avroString()
            case 501: row.length = try reader.avroLong()
            case 502: row.specId = Int(try reader.avroInt())
            case 517:
                guard let content = ManifestFile.Content(rawValue: try reader.avroInt()) else {
                    throw reader.corrupted("an unknown content of a manifest")
                }
                row.content = content
            case 515: row.sequenceNumber = try reader.avroLong()
            case 516: row.minSequenceNumber = try reader.avroLong()
            case 503: row.addedSnapshotId = try reader.avroLong()
            case 504: row.addedFilesCount = Int(try reader.avroInt())
            case 505: row.existingFilesCount = Int(try reader.avroInt())
            case 506: row.deletedFilesCount = Int(try reader.avroInt())
            case 512: row.addedRowsCount = try reader.avroLong()
            case 513: row.existingRowsCount = try reader.avroLong()
            case 514: row.deletedRowsCount = try reader.avroLong()
            case 507 where !summaryColumns.isEmpty:
                row.partitions = try summaries(&reader, summaryColumns, schema)
            case 519: row.keyMetadata = try reader.avroBytes()
            case 520: row.firstRowId = try reader.avroLong()
            default: try reader.avroSkip(column.type, in: schema)
            }
        }
        guard !row.path.isEmpty else { throw reader.corrupted("a manifest list row without path") }
        return row
    }

    private static func summaries(
        _ reader: inout ByteReader, _ columns: [AvroColumn], _ schema: AvroSchema
    ) throws(FirnError) -> [ManifestFile.FieldSummary] {
        var summaries: [ManifestFile.FieldSummary] = []
        while case let count = try reader.avroBlock(), count > 0 {
            for _ in 0..<count {
                // Without a word on nulls there may be some.
                var summary = ManifestFile.FieldSummary(
                    containsNull: true, containsNaN: nil, lowerBound: nil, upperBound: nil)
                for column in columns {
                    if try column.readNull(&reader) { continue }
                    switch column.fieldId {
                    case 509: summary.containsNull = try reader.avroBoolean()
                    case 518: summary.containsNaN = try reader.avroBoolean()
                    case 510: summary.lowerBound = try reader.avroBytes()
                    case 511: summary.upperBound = try reader.avroBytes()
                    default: try reader.avroSkip(column.type, in: schema)
                    }
                }
                summaries.append(summary)
            }
        }
        return summaries
    }
}
