import Avro
import Base
import Columnar

/// Writes one manifest of the table's version into memory, and counts what its row in the manifest list must say.
struct ManifestWriter {
    private let spec: PartitionSpec
    private let partitionFields: [Field]
    private let content: ManifestFile.Content
    private let snapshotId: Int64
    /// Version 3: entries carry row ids and the places of deletion vectors.
    private let hasLineage: Bool
    private var file: AvroFileWriter
    private var summaries: [PartitionSummary]
    private var counts: [ManifestEntry.Status: Int] = [:]
    private var rows: [ManifestEntry.Status: Int64] = [:]
    private var minSequenceNumber: Int64?
    /// Live entries that take the sequence number of the commit.
    private var hasInheriting = false

    /// - Parameter sync: random bytes that mark the borders of blocks.
    init(
        metadata: TableMetadata, spec: PartitionSpec, content: ManifestFile.Content, snapshotId: Int64, sync: UUID
    ) {
        self.spec = spec
        self.content = content
        self.snapshotId = snapshotId
        hasLineage = metadata.formatVersion >= 3
        partitionFields = metadata.partitionFields(of: spec)
        summaries = partitionFields.map { PartitionSummary(type: $0.type) }
        let schema = metadata.currentSchema
        file = AvroFileWriter(
            schemaText: ManifestSchemas.manifestEntry(
                partition: partitionFields, formatVersion: metadata.formatVersion
            ).json.serialize(),
            metadata: [
                ("schema", metadata.json(of: schema).serialize()), ("schema-id", Array("\(schema.schemaId)".utf8)),
                ("partition-spec", spec.fieldsJSON.serialize()),
                ("partition-spec-id", Array("\(spec.specId)".utf8)),
                ("format-version", Array("\(metadata.formatVersion)".utf8)),
                ("content", Array((content == .data ? "data" : "deletes").utf8)),
            ], sync: sync)
    }

    var byteCount: Int { file.byteCount }
    var entryCount: Int { file.recordCount }

    /// Appends an entry as it stands. Precondition: the tuple has the spec's length; existing and deleted entries carry
    /// their sequence numbers.
    mutating func append(_ entry: ManifestEntry) throws(FirnError) {
        precondition(entry.dataFile.partition.count == partitionFields.count, "a partition tuple of the wrong length")
        precondition(entry.status == .added || entry.sequenceNumber != nil, "an entry without sequence number")
        let (fields, hasLineage) = (partitionFields, hasLineage)
        try file.append { writer throws(FirnError) in try Self.write(entry, fields, hasLineage, &writer) }
        count(
            entry.status, recordCount: entry.dataFile.recordCount, sequenceNumber: entry.sequenceNumber,
            partition: entry.dataFile.partition)
    }

    /// The entry as `append` would write it.
    func encode(_ entry: ManifestEntry, to writer: inout ByteWriter) throws(FirnError) {
        try Self.write(entry, partitionFields, hasLineage, &writer)
    }

    /// Appends an existing entry that a writer of the same kind encoded.
    mutating func append(
        encoded bytes: ArraySlice<UInt8>, recordCount: Int64, sequenceNumber: Int64, partition: [Value]
    ) throws(FirnError) {
        try file.append { writer throws(FirnError) in writer.raw(bytes) }
        count(.existing, recordCount: recordCount, sequenceNumber: sequenceNumber, partition: partition)
    }

    private mutating func count(
        _ status: ManifestEntry.Status, recordCount: Int64, sequenceNumber: Int64?, partition: [Value]
    ) {
        counts[status, default: 0] += 1
        rows[status, default: 0] += recordCount
        if status != .deleted {
            if let number = sequenceNumber {
                minSequenceNumber = min(number, minSequenceNumber ?? number)
            } else {
                hasInheriting = true
            }
        }
        for index in summaries.indices { summaries[index].add(partition[index]) }
    }

    private static func write(
        _ entry: ManifestEntry, _ fields: [Field], _ hasLineage: Bool, _ writer: inout ByteWriter
    ) throws(FirnError) {
        writer.avroInt(entry.status.rawValue)
        writer.optionalLong(entry.snapshotId)
        writer.optionalLong(entry.sequenceNumber)
        writer.optionalLong(entry.fileSequenceNumber)
        try write(entry.dataFile, fields, hasLineage, &writer)
    }

    /// The file and its row of the manifest list, for a commit with this sequence number.
    mutating func finish(path: String, sequenceNumber: Int64) throws(FirnError) -> (ManifestFile, [UInt8]) {
        let bytes = try file.finish()
        let smallest = hasInheriting ? min(sequenceNumber, minSequenceNumber ?? sequenceNumber) : minSequenceNumber
        return (
            ManifestFile(
                path: path, length: Int64(bytes.count), specId: spec.specId, content: content,
                sequenceNumber: sequenceNumber, minSequenceNumber: smallest ?? sequenceNumber,
                addedSnapshotId: snapshotId, addedFilesCount: counts[.added] ?? 0,
                existingFilesCount: counts[.existing] ?? 0, deletedFilesCount: counts[.deleted] ?? 0,
                addedRowsCount: rows[.added] ?? 0, existingRowsCount: rows[.existing] ?? 0,
                deletedRowsCount: rows[.deleted] ?? 0,
                partitions: summaries.isEmpty ? nil : summaries.map(\.summary)), bytes
        )
    }

    private static func write(
        _ file: DataFile, _ fields: [Field], _ hasLineage: Bool, _ writer: inout ByteWriter
    ) throws(FirnError) {
        writer.avroInt(file.content.rawValue)
        writer.avroString(file.path)
        writer.avroString(file.format)
        for (field, value) in zip(fields, file.partition) { try write(partition: value, field, &writer) }
        writer.avroLong(file.recordCount)
        writer.avroLong(file.fileBytes)
        for map in [file.columnSizes, file.valueCounts, file.nullValueCounts, file.nanValueCounts] {
            writer.optionalMap(map) { $1.avroLong($0) }
        }
        for map in [file.lowerBounds, file.upperBounds] { writer.optionalMap(map) { $1.avroBytes($0) } }
        writer.optional(file.keyMetadata) { $1.avroBytes($0) }
        writer.optional(file.splitOffsets) { $1.list($0) { $1.avroLong($0) } }
        writer.optional(file.equalityIds) { $1.list($0) { $1.avroInt(Int32($0)) } }
        writer.optional(file.sortOrderId) { $1.avroInt(Int32($0)) }
        if hasLineage { writer.optionalLong(file.content == .data ? file.firstRowId : nil) }
        writer.optional(file.referencedDataFile) { $1.avroString($0) }
        guard hasLineage else { return }
        writer.optionalLong(file.contentOffset)
        writer.optionalLong(file.contentBytes)
    }

    private static func write(
        partition value: Value, _ field: Field, _ writer: inout ByteWriter
    ) throws(FirnError) {
        if value == .null { return writer.zigzag(0) }
        writer.zigzag(1)
        // A file may have been written before its column was widened.
        switch (field.type, value.fitting(field.type) ?? value) {
        case (.boolean, .boolean(let v)): writer.avroBoolean(v)
        case (.int, .int(let v)), (.date, .date(let v)): writer.avroInt(v)
        case (.long, .long(let v)), (.time, .time(let v)), (.timestamp, .timestamp(let v)),
            (.timestamptz, .timestamptz(let v)), (.timestampNs, .timestampNs(let v)),
            (.timestamptzNs, .timestamptzNs(let v)):
            writer.avroLong(v)
        case (.float, .float(let v)): writer.avroFloat(v)
        case (.double, .double(let v)): writer.avroDouble(v)
        case (.string, .string(let v)): writer.avroString(v)
        case (.binary, .binary(let v)): writer.avroBytes(v)
        case (.fixed(let width), .binary(let v)) where v.count == width: writer.raw(v)
        case (.uuid, .uuid(let v)): writer.raw(v.bytes)
        case (.decimal(let precision, _), .decimal(let unscaled, _)):
            let size = ManifestSchemas.decimalBytes(precision: precision)
            let bytes = SingleValue.bigEndian(unscaled)
            guard bytes.count <= size else { throw mismatch(value, field) }
            writer.raw(repeatElement(unscaled < 0 ? 0xff : 0, count: size - bytes.count))
            writer.raw(bytes)
        default: throw mismatch(value, field)
        }
    }

    private static func mismatch(_ value: Value, _ field: Field) -> FirnError {
        FirnError(
            .invalidInput, "bad_partition_value", "the partition value \(value) is not of type \(field.type)",
            context: ["partition": field.name])
    }
}

extension ByteWriter {
    /// A union with null: branch 0 for nil, branch 1 and the value else.
    fileprivate mutating func optional<T>(_ value: T?, _ write: (T, inout ByteWriter) -> Void) {
        guard let value else { return zigzag(0) }
        zigzag(1)
        write(value, &self)
    }

    fileprivate mutating func optionalLong(_ value: Int64?) { optional(value) { $1.avroLong($0) } }

    fileprivate mutating func list<T>(_ values: [T], _ write: (T, inout ByteWriter) -> Void) {
        if !values.isEmpty { zigzag(Int64(values.count)) }
        for value in values { write(value, &self) }
        zigzag(0)
    }

    /// An empty map is null; keys ascend, so that equal files give equal bytes.
    fileprivate mutating func optionalMap<T>(_ map: [Int: T], _ write: (T, inout ByteWriter) -> Void) {
        optional(map.isEmpty ? nil : map) { map, writer in
            writer.list(map.sorted { $0.key < $1.key }) { entry, writer in
                writer.avroInt(Int32(entry.key))
                write(entry.value, &writer)
            }
        }
    }
}

/// What the tuples of a manifest have in one partition field.
struct PartitionSummary {
    private let type: DataType
    private let isFloating: Bool
    private var containsNull = false
    private var containsNaN = false
    private var lower: Value?
    private var upper: Value?

    init(type: DataType) {
        self.type = type
        isFloating = type == .float || type == .double
    }

    mutating func add(_ given: Value) {
        let value = given.fitting(type) ?? given
        if value == .null {
            containsNull = true
        } else if isFloating && ValueOrder.isNaN(value) {
            containsNaN = true
        } else {
            if lower == nil || ValueOrder.compare(value, lower!) == .less { lower = value }
            if upper == nil || ValueOrder.compare(value, upper!) == .greater { upper = value }
        }
    }

    var summary: ManifestFile.FieldSummary {
        ManifestFile.FieldSummary(
            containsNull: containsNull, containsNaN: containsNaN, lowerBound: lower.flatMap(SingleValue.encode),
            upperBound: upper.flatMap(SingleValue.encode))
    }
}
