import Base
import Columnar

extension TableMetadata {
    /// The text of the metadata file: every required member, and empty arrays where there is nothing, since some
    /// readers miss them.
    ///
    /// Throws `.unsupported` (`format_version`) for version 1, which Firn reads and upgrades only.
    public func serialize() throws(FirnError) -> [UInt8] {
        let frame = try serializeFrame()
        var out: [UInt8] = []
        out.reserveCapacity(4096 + snapshots.count * 1024)
        out.append(contentsOf: frame.leading)
        MetadataText.list("snapshots", snapshots, to: &out) { $0.appendText(to: &$1) }
        MetadataText.list("snapshot-log", snapshotLog, to: &out) { $0.appendText(to: &$1) }
        out.append(contentsOf: frame.trailing)
        return out
    }

    /// What stands before the snapshots and after the snapshot log.
    func serializeFrame() throws(FirnError) -> (leading: [UInt8], trailing: [UInt8]) {
        guard formatVersion >= 2 else {
            throw FirnError(
                .unsupported, "format_version", "tables of format version 1 can only be read, or upgraded",
                context: ["table": location])
        }
        var trailing: [UInt8] = []
        for member in trailingMembers { MetadataText.append(member, to: &trailing) }
        trailing.append(UInt8(ascii: "}"))
        return (JSONValue.object(leadingMembers).serialize().dropLast(), trailing)
    }

    /// The JSON form, in the version of the table.
    public var json: JSONValue {
        let log = snapshotLog.map { entry -> JSONValue in
            ["timestamp-ms": .integer(entry.timestampMs), "snapshot-id": .integer(entry.snapshotId)]
        }
        return .object(
            leadingMembers + [
                JSONValue.Member("snapshots", .array(snapshots.map { $0.json(formatVersion: formatVersion) })),
                JSONValue.Member("snapshot-log", .array(log)),
            ] + trailingMembers)
    }

    private var leadingMembers: [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        func add(_ key: String, _ value: JSONValue) { members.append(JSONValue.Member(key, value)) }
        func add(_ key: String, _ value: Int) { add(key, .integer(Int64(value))) }
        add("format-version", formatVersion)
        add("table-uuid", .string(tableUUID.description))
        add("location", .string(location))
        if formatVersion > 1 { add("last-sequence-number", .integer(lastSequenceNumber)) }
        add("last-updated-ms", .integer(lastUpdatedMs))
        add("last-column-id", lastColumnId)
        if formatVersion == 1 { add("schema", json(of: currentSchema)) }
        add("current-schema-id", currentSchemaId)
        add("schemas", .array(schemas.map(json(of:)) + unreadableSchemas))
        if formatVersion == 1 { add("partition-spec", defaultSpec.fieldsJSON) }
        add("default-spec-id", defaultSpecId)
        add("partition-specs", .array(partitionSpecs.map(\.json)))
        add("last-partition-id", lastPartitionId)
        add("default-sort-order-id", defaultSortOrderId)
        add("sort-orders", .array(sortOrders.map(\.json)))
        add("properties", JSONValue(strings: properties))
        // Old readers want -1 for an empty table; version 3 wants null.
        add("current-snapshot-id", currentSnapshotId.map { .integer($0) } ?? (formatVersion > 2 ? .null : -1))
        if let nextRowId { add("next-row-id", .integer(nextRowId)) }
        add("refs", .object(refs.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, $0.value.json) }))
        return members
    }

    private var trailingMembers: [JSONValue.Member] {
        let log = metadataLog.map { entry -> JSONValue in
            ["timestamp-ms": .integer(entry.timestampMs), "metadata-file": .string(entry.metadataFile)]
        }
        let absent = ["statistics", "partition-statistics"].filter { key in !preserved.contains { $0.key == key } }
        return [JSONValue.Member("metadata-log", .array(log))] + absent.map { JSONValue.Member($0, []) } + preserved
    }

    /// A schema as it was read, where that says more than `Schema` can.
    public func json(of schema: Schema) -> JSONValue {
        if let raw = schemaJSON[schema.schemaId], (try? Schema(json: raw, source: "")) == schema { return raw }
        return schema.json
    }

    private var unreadableSchemas: [JSONValue] {
        schemaJSON.filter { schema(id: $0.key) == nil }.sorted { $0.key < $1.key }.map(\.value)
    }
}
