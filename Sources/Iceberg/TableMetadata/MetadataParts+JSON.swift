import Base
import Columnar

/// The JSON forms of the parts of a metadata file.
///
/// Spec: https://iceberg.apache.org/spec/#appendix-c-json-serialization
extension PartitionSpec {
    /// Reads a spec object; an absent `spec-id` is 0, absent field ids count from 1000. Throws `.invalidInput`.
    public init(json: JSONValue, source: String) throws(FirnError) {
        let reader = MetadataReader(json, source: source)
        do {
            self.init(
                specId: try reader.optionalInt("spec-id") ?? 0,
                fields: try Self.readFields(try reader.objects("fields")))
        } catch { throw FirnError(.invalidInput, "bad_partition_spec", error.message, context: error.context) }
    }

    public var json: JSONValue { ["spec-id": .integer(Int64(specId)), "fields": fieldsJSON] }

    /// The fields alone, as manifests carry them.
    public var fieldsJSON: JSONValue {
        .array(
            fields.map {
                [
                    "source-id": .integer(Int64($0.sourceId)), "field-id": .integer(Int64($0.fieldId)),
                    "name": .string($0.name), "transform": .string($0.transform.description),
                ]
            })
    }

    static func readFields(_ items: [MetadataReader]) throws(FirnError) -> [PartitionField] {
        var fields: [PartitionField] = []
        for (index, item) in items.enumerated() {
            let (sourceId, transform) = try readSource(item)
            fields.append(
                PartitionField(
                    sourceId: sourceId, fieldId: try item.optionalInt("field-id") ?? 1000 + index,
                    name: try item.string("name"), transform: transform))
        }
        return fields
    }

    /// Version 3 allows several sources; Firn knows no transform of that kind.
    static func readSource(_ item: MetadataReader) throws(FirnError) -> (Int, Transform) {
        let name = try item.string("transform")
        if let sources = item.value("source-ids")?.arrayValue {
            guard let first = sources.first?.intValue.flatMap({ Int32(exactly: $0) }) else {
                throw item.bad("\"source-ids\" is not a list of ids")
            }
            return (Int(first), sources.count == 1 ? Transform(parsing: name) : .unknown(name))
        }
        return (try item.int("source-id"), Transform(parsing: name))
    }
}

extension SortOrder {
    init(_ reader: MetadataReader) throws(FirnError) {
        self.init(orderId: try reader.optionalInt("order-id") ?? 0)
        for item in try reader.objects("fields") {
            let (sourceId, transform) = try PartitionSpec.readSource(item)
            guard let direction = SortField.Direction(rawValue: try item.string("direction").lowercased()) else {
                throw item.bad("a sort direction is neither asc nor desc")
            }
            var nullOrder: SortField.NullOrder?
            if let text = try item.optionalString("null-order") {
                nullOrder = SortField.NullOrder(rawValue: text.lowercased())
                guard nullOrder != nil else { throw item.bad("a null order is neither nulls-first nor nulls-last") }
            }
            fields.append(
                SortField(sourceId: sourceId, transform: transform, direction: direction, nullOrder: nullOrder))
        }
    }

    /// Reads an order object. Throws `.invalidInput`.
    public init(json: JSONValue, source: String) throws(FirnError) {
        do {
            try self.init(MetadataReader(json, source: source))
        } catch { throw FirnError(.invalidInput, "bad_sort_order", error.message, context: error.context) }
    }

    public var json: JSONValue {
        [
            "order-id": .integer(Int64(orderId)),
            "fields": .array(
                fields.map {
                    [
                        "transform": .string($0.transform.description), "source-id": .integer(Int64($0.sourceId)),
                        "direction": .string($0.direction.rawValue), "null-order": .string($0.nullOrder.rawValue),
                    ]
                }),
        ]
    }
}

extension Snapshot {
    init(_ reader: MetadataReader, formatVersion: Int) throws(FirnError) {
        let list = try reader.optionalString("manifest-list")
        guard list != nil || formatVersion == 1 && reader.value("manifests") != nil else {
            throw reader.bad("a snapshot without \"manifest-list\"")
        }
        self.init(
            snapshotId: try reader.long("snapshot-id"), parentSnapshotId: try reader.optionalLong("parent-snapshot-id"),
            sequenceNumber: try reader.optionalLong("sequence-number") ?? 0,
            timestampMs: try reader.long("timestamp-ms"), manifestList: list ?? "",
            summary: try reader.strings("summary"), schemaId: try reader.optionalInt("schema-id"),
            firstRowId: try reader.optionalLong("first-row-id"), addedRows: try reader.optionalLong("added-rows"),
            preserved: reader.others(than: [
                "snapshot-id", "parent-snapshot-id", "sequence-number", "timestamp-ms", "manifest-list", "summary",
                "schema-id", "first-row-id", "added-rows",
            ]))
    }

    /// Reads a snapshot object. Throws `.invalidInput`.
    public init(json: JSONValue, source: String) throws(FirnError) {
        do {
            try self.init(MetadataReader(json, source: source), formatVersion: 2)
        } catch { throw FirnError(.invalidInput, "bad_snapshot", error.message, context: error.context) }
    }

    public var json: JSONValue { json(formatVersion: 2) }

    func json(formatVersion: Int) -> JSONValue {
        var members: [JSONValue.Member] = []
        func add(_ key: String, _ value: JSONValue) { members.append(JSONValue.Member(key, value)) }
        if formatVersion > 1 { add("sequence-number", .integer(sequenceNumber)) }
        add("snapshot-id", .integer(snapshotId))
        if let parentSnapshotId { add("parent-snapshot-id", .integer(parentSnapshotId)) }
        add("timestamp-ms", .integer(timestampMs))
        // The operation comes first, for those who read the file.
        let rest = summary.filter { $0.key != "operation" }.sorted { $0.key < $1.key }
        let operation = summary["operation"].map { [JSONValue.Member("operation", .string($0))] } ?? []
        add("summary", .object(operation + rest.map { JSONValue.Member($0.key, .string($0.value)) }))
        if !manifestList.isEmpty { add("manifest-list", .string(manifestList)) }
        if let schemaId { add("schema-id", .integer(Int64(schemaId))) }
        if let firstRowId { add("first-row-id", .integer(firstRowId)) }
        if let addedRows { add("added-rows", .integer(addedRows)) }
        return .object(members + preserved)
    }
}

extension SnapshotReference {
    init(_ reader: MetadataReader) throws(FirnError) {
        guard let kind = Kind(rawValue: try reader.string("type").lowercased()) else {
            throw reader.bad("a reference is neither branch nor tag")
        }
        self.init(
            snapshotId: try reader.long("snapshot-id"), kind: kind,
            minSnapshotsToKeep: try reader.optionalInt("min-snapshots-to-keep"),
            maxSnapshotAgeMs: try reader.optionalLong("max-snapshot-age-ms"),
            maxReferenceAgeMs: try reader.optionalLong("max-ref-age-ms"))
    }

    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            JSONValue.Member("snapshot-id", .integer(snapshotId)), JSONValue.Member("type", .string(kind.rawValue)),
        ]
        if let minSnapshotsToKeep {
            members.append(JSONValue.Member("min-snapshots-to-keep", .integer(Int64(minSnapshotsToKeep))))
        }
        if let maxSnapshotAgeMs { members.append(JSONValue.Member("max-snapshot-age-ms", .integer(maxSnapshotAgeMs))) }
        if let maxReferenceAgeMs { members.append(JSONValue.Member("max-ref-age-ms", .integer(maxReferenceAgeMs))) }
        return .object(members)
    }
}
