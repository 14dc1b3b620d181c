import Base
import Columnar

extension TableMetadata {
    /// Reads a metadata file, plain or compressed by gzip or Zstandard.
    ///
    /// Throws `.invalidInput` (`malformed_json`), `.corrupted` (`bad_metadata`), or `.unsupported` for a format version
    /// after 3 and for column types that Firn does not know in the current schema.
    public static func parse(_ bytes: [UInt8], source: String) throws(FirnError) -> TableMetadata {
        let text: [UInt8]
        do {
            text = try decompressed(bytes)
        } catch {
            throw FirnError(
                .corrupted, "bad_metadata", "the compressed metadata file cannot be read: \(error.message)",
                context: ["file": source], cause: error)
        }
        return try TableMetadata(json: try JSONValue(parsing: text, source: source), source: source)
    }

    /// The text of a metadata file. Compression is told by the first bytes: names of compressed files differ between
    /// writers.
    public static func decompressed(_ bytes: [UInt8]) throws(FirnError) -> [UInt8] {
        if bytes.starts(with: [0x1f, 0x8b]) {
            return try Deflate.decompress(bytes, wrapping: .gzip, limit: Limits.wholeFileBytesMax)
        }
        if bytes.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
            return try Zstd.decompress(bytes, limit: Limits.wholeFileBytesMax)
        }
        return bytes
    }

    /// As `parse`, from a tree.
    public init(json: JSONValue, source: String) throws(FirnError) {
        let reader = MetadataReader(json, source: source)
        guard json.objectValue != nil else { throw reader.bad("not a JSON object") }
        let version = try reader.int("format-version")
        guard version >= 1 else { throw reader.bad("format version \(version)") }
        guard version <= 3 else {
            throw FirnError(
                .unsupported, "format_version", "table format version \(version) is not supported",
                context: ["file": source])
        }
        formatVersion = version
        location = try Self.trimSlash(reader.string("location"))
        tableUUID = try Self.readUUID(reader, version: version, location: location)
        lastSequenceNumber = version == 1 ? 0 : try reader.long("last-sequence-number")
        lastUpdatedMs = try reader.long("last-updated-ms")
        lastColumnId = try reader.int("last-column-id")
        (schemas, currentSchemaId, schemaJSON) = try Self.readSchemas(reader, version: version)
        (partitionSpecs, defaultSpecId) = try Self.readSpecs(reader, version: version)
        if version == 1 {
            lastPartitionId =
                try reader.optionalInt("last-partition-id")
                ?? partitionSpecs.flatMap { $0.fields.map(\.fieldId) }.max() ?? 999
        } else {
            lastPartitionId = try reader.int("last-partition-id")
        }
        (sortOrders, defaultSortOrderId) = try Self.readSortOrders(reader, version: version)
        properties = try reader.strings("properties")
        snapshots = try reader.objects("snapshots").map { item throws(FirnError) in
            try Snapshot(item, formatVersion: version)
        }
        let current = try reader.optionalLong("current-snapshot-id").flatMap { $0 == -1 ? nil : $0 }
        currentSnapshotId = current
        refs = try Self.readReferences(reader, current: current)
        snapshotLog = try reader.objects("snapshot-log").map { item throws(FirnError) in
            SnapshotLogEntry(timestampMs: try item.long("timestamp-ms"), snapshotId: try item.long("snapshot-id"))
        }
        metadataLog = try reader.objects("metadata-log").map { item throws(FirnError) in
            MetadataLogEntry(
                timestampMs: try item.long("timestamp-ms"), metadataFile: try item.string("metadata-file"))
        }
        nextRowId = try reader.optionalLong("next-row-id")
        // Empty lists of statistics are written anyway.
        preserved = reader.others(than: Self.interpretedMembers).filter {
            !Self.statisticsMembers.contains($0.key) || $0.value != []
        }
        try validate(reader)
    }

    private static let interpretedMembers: Set<String> = [
        "format-version", "table-uuid", "location", "last-sequence-number", "last-updated-ms", "last-column-id",
        "schema", "schemas", "current-schema-id", "partition-spec", "partition-specs", "default-spec-id",
        "last-partition-id", "sort-orders", "default-sort-order-id", "properties", "current-snapshot-id", "snapshots",
        "refs", "snapshot-log", "metadata-log", "next-row-id",
    ]

    /// What everything after reading relies on.
    private func validate(_ reader: MetadataReader) throws(FirnError) {
        guard spec(id: defaultSpecId) != nil else { throw reader.bad("there is no default spec \(defaultSpecId)") }
        guard defaultSortOrderId == 0 || sortOrders.contains(where: { $0.orderId == defaultSortOrderId }) else {
            throw reader.bad("there is no default sort order \(defaultSortOrderId)")
        }
        let known = Set(snapshots.map(\.snapshotId))
        if let currentSnapshotId, !known.contains(currentSnapshotId) {
            throw reader.bad("there is no current snapshot \(currentSnapshotId)")
        }
        for (name, ref) in refs where !known.contains(ref.snapshotId) {
            throw reader.bad("reference \"\(name)\" names snapshot \(ref.snapshotId), which does not exist")
        }
        if let main = refs[Self.mainBranch] {
            guard main.kind == .branch else { throw reader.bad("\"main\" is a tag") }
            guard main.snapshotId == currentSnapshotId else { throw reader.bad("\"main\" is not the current snapshot") }
        }
    }

    private static func trimSlash(_ location: String) throws(FirnError) -> String {
        var location = location
        while location.count > 1, location.hasSuffix("/") { location.removeLast() }
        return location
    }

    /// Version 1 may lack a UUID; one derived from the location stays the same on every read.
    private static func readUUID(
        _ reader: MetadataReader, version: Int, location: String
    ) throws(FirnError) -> UUID {
        guard let text = try reader.optionalString("table-uuid") else {
            guard version == 1 else { throw reader.bad("\"table-uuid\" is missing") }
            func half(_ seed: UInt32) -> UInt64 {
                UInt64(Murmur3.hash32(location.utf8, seed: seed)) << 32
                    | UInt64(Murmur3.hash32(location.utf8, seed: seed + 1))
            }
            return UUID(random: half(0), half(2))
        }
        guard let uuid = UUID(text) else { throw reader.bad("\"table-uuid\" is not a UUID") }
        return uuid
    }

    private static func readSchemas(
        _ reader: MetadataReader, version: Int
    ) throws(FirnError) -> ([Schema], Int, [Int: JSONValue]) {
        var schemas: [Schema] = []
        var raw: [Int: JSONValue] = [:]
        // A version 1 file without current id is of a writer that knows only the one schema.
        let isLegacy = version == 1 && reader.value("current-schema-id") == nil && reader.value("schema") != nil
        if !isLegacy, let items = try reader.optionalObjects("schemas") {
            let current = try reader.int("current-schema-id")
            for item in items {
                let id = try item.optionalInt("schema-id") ?? 0
                do {
                    let schema = try readSchema(item.json, source: reader.source)
                    schemas.append(schema)
                    if schema.json != item.json { raw[id] = item.json }
                } catch  where error.kind == .unsupported && id != current {
                    // A former schema is only needed to read former snapshots; keep its text.
                    raw[id] = item.json
                }
            }
            guard schemas.contains(where: { $0.schemaId == current }) else {
                throw reader.bad("there is no current schema \(current)")
            }
            return (schemas, current, raw)
        }
        guard version == 1, let json = reader.value("schema") else { throw reader.bad("\"schemas\" is missing") }
        let schema = try readSchema(json, source: reader.source)
        return ([schema], schema.schemaId, [:])
    }

    private static func readSchema(_ json: JSONValue, source: String) throws(FirnError) -> Schema {
        guard json["type"]?.stringValue == "struct" else {
            throw FirnError(.corrupted, "bad_metadata", "a schema must be a struct", context: ["file": source])
        }
        do {
            return try Schema(json: json, source: source)
        } catch  where error.kind == .invalidInput {
            throw FirnError(.corrupted, "bad_metadata", error.message, context: ["file": source], cause: error)
        }
    }

    private static func readSpecs(
        _ reader: MetadataReader, version: Int
    ) throws(FirnError) -> ([PartitionSpec], Int) {
        if let items = try reader.optionalObjects("partition-specs") {
            var specs: [PartitionSpec] = []
            for item in items {
                specs.append(
                    PartitionSpec(
                        specId: try item.int("spec-id"),
                        fields: try PartitionSpec.readFields(item.objects("fields"))))
            }
            guard let highest = specs.map(\.specId).max() else { throw reader.bad("\"partition-specs\" is empty") }
            let preferred = try reader.optionalInt("default-spec-id")
            guard let id = preferred ?? (version == 1 ? highest : nil) else {
                throw reader.bad("\"default-spec-id\" is missing")
            }
            return (specs, id)
        }
        guard version == 1 else { throw reader.bad("\"partition-specs\" is missing") }
        return ([PartitionSpec(fields: try PartitionSpec.readFields(reader.objects("partition-spec")))], 0)
    }

    private static func readSortOrders(
        _ reader: MetadataReader, version: Int
    ) throws(FirnError) -> ([SortOrder], Int) {
        guard let items = try reader.optionalObjects("sort-orders") else {
            guard version == 1 else { throw reader.bad("\"sort-orders\" is missing") }
            return ([.unsorted], 0)
        }
        var orders: [SortOrder] = []
        for item in items { orders.append(try SortOrder(item)) }
        return (orders, try reader.optionalInt("default-sort-order-id") ?? 0)
    }

    private static func readReferences(
        _ reader: MetadataReader, current: Int64?
    ) throws(FirnError) -> [String: SnapshotReference] {
        var refs: [String: SnapshotReference] = [:]
        for member in reader.value("refs")?.objectValue ?? [] {
            refs[member.key] = try SnapshotReference(MetadataReader(member.value, source: reader.source))
        }
        if let current, refs[mainBranch] == nil {
            refs[mainBranch] = SnapshotReference(snapshotId: current, kind: .branch)
        }
        return refs
    }
}
