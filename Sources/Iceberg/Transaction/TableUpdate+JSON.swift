import Base
import Columnar

/// The JSON form: an object whose `action` says which update it is.
///
/// Older clients say `updated` and `removed` for the properties that they set and remove, and write enumerations in any
/// case; both are read. Members that Firn does not know are ignored.
extension TableUpdate {
    /// Throws `.invalidInput`: `unknown_update` for an action that Firn does not know, `bad_update` for one that lacks
    /// a member or holds one of the wrong type.
    public init(json: JSONValue) throws(FirnError) {
        let reader = MetadataReader(json, source: "updates")
        do throws(FirnError) {
            let action = try reader.string("action")
            var update = try Self.readShape(action, reader)
            if update == nil { update = try Self.readSnapshot(action, reader) }
            if update == nil { update = try Self.readRest(action, reader) }
            guard let update else {
                throw FirnError(.invalidInput, "unknown_update", "there is no table update \"\(action)\"")
            }
            self = update
        } catch let error where error.kind == .corrupted {
            throw FirnError(.invalidInput, "bad_update", error.message, cause: error)
        }
    }

    /// A list of updates, at most 100,000.
    public static func list(json: JSONValue) throws(FirnError) -> [TableUpdate] {
        guard let items = json.arrayValue, items.count <= 100_000 else {
            throw FirnError(.invalidInput, "bad_update", "updates must be a list of at most 100000")
        }
        return try items.map { item throws(FirnError) in try TableUpdate(json: item) }
    }

    private static func readShape(_ action: String, _ reader: MetadataReader) throws(FirnError) -> TableUpdate? {
        switch action {
        case "assign-uuid":
            guard let uuid = UUID(try reader.string("uuid")) else { throw reader.bad("\"uuid\" is not a UUID") }
            return .assignUUID(uuid)
        case "upgrade-format-version": return .upgradeFormatVersion(try reader.int("format-version"))
        case "add-schema":
            return .addSchema(try Schema(json: try reader.object("schema"), source: reader.source))
        case "set-current-schema": return .setCurrentSchema(try reader.int("schema-id"))
        case "add-spec":
            return .addSpec(try readSpec(try reader.object("spec"), reader.source))
        case "set-default-spec": return .setDefaultSpec(try reader.int("spec-id"))
        case "add-sort-order":
            return .addSortOrder(try SortOrder(json: try reader.object("sort-order"), source: reader.source))
        case "set-default-sort-order": return .setDefaultSortOrder(try reader.int("sort-order-id"))
        case "remove-partition-specs": return .removePartitionSpecs(try reader.longs("spec-ids").map { Int($0) })
        case "remove-schemas": return .removeSchemas(try reader.longs("schema-ids").map { Int($0) })
        default: return nil
        }
    }

    /// Fields without ids get theirs when the spec is added.
    private static func readSpec(_ json: JSONValue, _ source: String) throws(FirnError) -> PartitionSpec {
        var spec = try PartitionSpec(json: json, source: source)
        let items = json["fields"]?.arrayValue ?? []
        for (index, item) in items.enumerated() where item["field-id"]?.intValue == nil {
            spec.fields[index].fieldId = 0
        }
        return spec
    }

    private static func readSnapshot(_ action: String, _ reader: MetadataReader) throws(FirnError) -> TableUpdate? {
        switch action {
        case "add-snapshot":
            return .addSnapshot(try Snapshot(json: try reader.object("snapshot"), source: reader.source))
        case "set-snapshot-ref":
            return .setSnapshotRef(try reader.string("ref-name"), try SnapshotReference(reader))
        case "remove-snapshots": return .removeSnapshots(try reader.longs("snapshot-ids"))
        case "remove-snapshot-ref": return .removeSnapshotRef(try reader.string("ref-name"))
        case "set-statistics": return .setStatistics(try readStatistics(reader, "statistics"))
        case "remove-statistics": return .removeStatistics(snapshotId: try reader.long("snapshot-id"))
        case "set-partition-statistics":
            return .setPartitionStatistics(try readStatistics(reader, "partition-statistics"))
        case "remove-partition-statistics":
            return .removePartitionStatistics(snapshotId: try reader.long("snapshot-id"))
        default: return nil
        }
    }

    private static func readStatistics(_ reader: MetadataReader, _ key: String) throws(FirnError) -> JSONValue {
        let json = try reader.object(key)
        let item = MetadataReader(json, source: reader.source)
        _ = try item.long("snapshot-id")
        _ = try item.string("statistics-path")
        return json
    }

    private static func readRest(_ action: String, _ reader: MetadataReader) throws(FirnError) -> TableUpdate? {
        switch action {
        case "set-location": return .setLocation(try reader.string("location"))
        case "set-properties":
            let key = reader.value("updates") == nil ? "updated" : "updates"
            guard let members = reader.value(key)?.objectValue else { throw reader.bad("\"updates\" is missing") }
            if let member = members.first(where: { $0.value.stringValue == nil }) {
                throw reader.bad("property \"\(member.key)\" is not a string")
            }
            return .setProperties(try reader.strings(key))
        case "remove-properties":
            return .removeProperties(try reader.texts(reader.value("removals") == nil ? "removed" : "removals"))
        case "add-encryption-key":
            let key = try reader.object("encryption-key")
            _ = try MetadataReader(key, source: reader.source).string("key-id")
            return .addEncryptionKey(key)
        case "remove-encryption-key": return .removeEncryptionKey(try reader.string("key-id"))
        default: return nil
        }
    }
}

extension TableUpdate {
    public var json: JSONValue {
        func form(_ action: String, _ members: (String, JSONValue)...) -> JSONValue {
            .object(
                [JSONValue.Member("action", .string(action))] + members.map { JSONValue.Member($0.0, $0.1) })
        }
        func ids<T: BinaryInteger>(_ values: [T]) -> JSONValue { .array(values.map { .integer(Int64($0)) }) }
        func id(_ value: Int) -> JSONValue { .integer(Int64(value)) }
        switch self {
        case .assignUUID(let uuid): return form("assign-uuid", ("uuid", .string(uuid.description)))
        case .upgradeFormatVersion(let version): return form("upgrade-format-version", ("format-version", id(version)))
        case .addSchema(let schema): return form("add-schema", ("schema", schema.json))
        case .setCurrentSchema(let value): return form("set-current-schema", ("schema-id", id(value)))
        case .addSpec(let spec): return form("add-spec", ("spec", spec.json))
        case .setDefaultSpec(let value): return form("set-default-spec", ("spec-id", id(value)))
        case .addSortOrder(let order): return form("add-sort-order", ("sort-order", order.json))
        case .setDefaultSortOrder(let value): return form("set-default-sort-order", ("sort-order-id", id(value)))
        case .addSnapshot(let snapshot): return form("add-snapshot", ("snapshot", snapshot.json))
        case .setSnapshotRef(let name, let reference):
            return .object(
                [JSONValue.Member("action", "set-snapshot-ref"), JSONValue.Member("ref-name", .string(name))]
                    + (reference.json.objectValue ?? []))
        case .removeSnapshots(let values): return form("remove-snapshots", ("snapshot-ids", ids(values)))
        case .removeSnapshotRef(let name): return form("remove-snapshot-ref", ("ref-name", .string(name)))
        case .setLocation(let location): return form("set-location", ("location", .string(location)))
        case .setProperties(let values): return form("set-properties", ("updates", JSONValue(strings: values)))
        case .removeProperties(let keys):
            return form("remove-properties", ("removals", .array(keys.map { .string($0) })))
        case .setStatistics(let file):
            // The snapshot's id stands twice, for clients of before it moved into the file.
            return form("set-statistics", ("snapshot-id", file["snapshot-id"] ?? .null), ("statistics", file))
        case .removeStatistics(let snapshot): return form("remove-statistics", ("snapshot-id", .integer(snapshot)))
        case .setPartitionStatistics(let file):
            return form("set-partition-statistics", ("partition-statistics", file))
        case .removePartitionStatistics(let snapshot):
            return form("remove-partition-statistics", ("snapshot-id", .integer(snapshot)))
        case .removePartitionSpecs(let values): return form("remove-partition-specs", ("spec-ids", ids(values)))
        case .removeSchemas(let values): return form("remove-schemas", ("schema-ids", ids(values)))
        case .addEncryptionKey(let key): return form("add-encryption-key", ("encryption-key", key))
        case .removeEncryptionKey(let key): return form("remove-encryption-key", ("key-id", .string(key)))
        }
    }
}
