import Base
import Columnar

/// Applies updates in their order.
///
/// 1. Ids of `lastAdded` mean what an earlier update of the same list added, whether that was new or equal to one there
///    already.
/// 2. Specs and orders bind to the schema added last, else to the current one: clients send them before they make the
///    schema current.
/// 3. Times and logs are the committer's: `MetadataCommit` stamps the result.
extension TableMetadata {
    /// - Parameter nowMs: the time of references that move to a snapshot which is not new.
    ///
    /// Throws `.invalidInput` for updates that make no sense on this table, `.conflict` for snapshots that were built
    /// on another state. After a throw the metadata is partly changed; drop it.
    public mutating func apply(_ updates: [TableUpdate], nowMs: Int64) throws(FirnError) {
        let before = (spec: defaultSpecId, order: defaultSortOrderId)
        var last = LastAdded()
        var added: Set<Int64> = []
        for update in updates {
            if try applyShape(update, &last) { continue }
            if try applyHistory(update, &added, nowMs: nowMs) { continue }
            try applyRest(update)
        }
        // They were bound to a schema that was to become the current one.
        if defaultSpecId != before.spec { try SchemaRules.check(defaultSpec, currentSchema) }
        if defaultSortOrderId != before.order { try SchemaRules.check(defaultSortOrder, currentSchema) }
    }

    /// One update by itself, as `apply` of a list.
    public mutating func apply(_ update: TableUpdate, nowMs: Int64) throws(FirnError) {
        try apply([update], nowMs: nowMs)
    }

    struct LastAdded {
        var schema: Int?
        var spec: Int?
        var order: Int?

        static func resolve(_ id: Int, _ last: Int?, _ what: String) throws(FirnError) -> Int {
            guard id == TableUpdate.lastAdded else { return id }
            guard let last else {
                throw FirnError(.invalidInput, "nothing_added", "the id -1 needs a \(what) added before it")
            }
            return last
        }
    }

    /// Schemas, specs and orders. False for other updates.
    private mutating func applyShape(_ update: TableUpdate, _ last: inout LastAdded) throws(FirnError) -> Bool {
        switch update {
        case .addSchema(let schema): last.schema = try addSchema(schema)
        case .setCurrentSchema(let id): try setCurrentSchema(LastAdded.resolve(id, last.schema, "schema"))
        case .addSpec(let spec): last.spec = try addSpec(spec, schemaId: last.schema)
        case .setDefaultSpec(let id):
            try setDefaultSpec(LastAdded.resolve(id, last.spec, "partition spec"), schemaId: last.schema)
        case .addSortOrder(let order): last.order = try addSortOrder(order, schemaId: last.schema)
        case .setDefaultSortOrder(let id):
            try setDefaultSortOrder(LastAdded.resolve(id, last.order, "sort order"), schemaId: last.schema)
        case .removeSchemas(let ids): try removeSchemas(Set(ids))
        case .removePartitionSpecs(let ids): try removeSpecs(Set(ids))
        default: return false
        }
        return true
    }

    /// Snapshots and references. False for other updates.
    private mutating func applyHistory(
        _ update: TableUpdate, _ added: inout Set<Int64>, nowMs: Int64
    ) throws(FirnError) -> Bool {
        switch update {
        case .addSnapshot(let snapshot):
            try addSnapshot(snapshot)
            added.insert(snapshot.snapshotId)
        case .setSnapshotRef(let name, let reference):
            try setReference(name, reference, nowMs: nowMs, isAdded: added.contains(reference.snapshotId))
        case .removeSnapshots(let ids):
            let gone = Set(ids)
            for (name, reference) in refs where gone.contains(reference.snapshotId) { removeReference(name) }
            try removeSnapshots(gone)
        case .removeSnapshotRef(let name): removeReference(name)
        default: return false
        }
        return true
    }

    private mutating func applyRest(_ update: TableUpdate) throws(FirnError) {
        switch update {
        case .assignUUID(let uuid):
            guard uuid == tableUUID else {
                throw FirnError(.invalidInput, "uuid_change", "a table's UUID never changes")
            }
        case .upgradeFormatVersion(let version): try upgrade(to: version)
        case .setLocation(let location): try setLocation(location)
        case .setProperties(let values): try setProperties(values)
        case .removeProperties(let keys): try setProperties([:], removing: keys)
        case .setStatistics(let file): setPreserved("statistics", file, key: "snapshot-id")
        case .setPartitionStatistics(let file): setPreserved("partition-statistics", file, key: "snapshot-id")
        case .removeStatistics(let id): removePreserved("statistics", key: "snapshot-id", .integer(id))
        case .removePartitionStatistics(let id):
            removePreserved("partition-statistics", key: "snapshot-id", .integer(id))
        case .addEncryptionKey(let key): setPreserved("encryption-keys", key, key: "key-id")
        case .removeEncryptionKey(let id): removePreserved("encryption-keys", key: "key-id", .string(id))
        default: preconditionFailure("an update of another group")
        }
    }
}

/// What only updates do.
extension TableMetadata {
    /// Raises the format version. What exists stays as it is: files of an upgraded table get their row ids from the
    /// first commit after it.
    ///
    /// Throws `.invalidInput` (`format_version_lowered`), `.unsupported` (`format_version`, and `inline_manifests` for
    /// version 1 snapshots without a manifest list).
    public mutating func upgrade(to version: Int) throws(FirnError) {
        guard version >= formatVersion else {
            throw FirnError(
                .invalidInput, "format_version_lowered", "version \(formatVersion) cannot become \(version)")
        }
        guard version <= 3 else {
            throw FirnError(.unsupported, "format_version", "table format version \(version) is not supported")
        }
        if let snapshot = snapshots.first(where: { $0.manifestList.isEmpty }), version > 1 {
            throw FirnError(
                .unsupported, "inline_manifests",
                "snapshot \(snapshot.snapshotId) lists its manifests inline; expire it first",
                context: ["snapshot-id": String(snapshot.snapshotId)])
        }
        if version >= 3, formatVersion < 3 { nextRowId = 0 }
        formatVersion = version
    }

    /// Throws `.invalidInput` (`bad_location`) for an empty one.
    public mutating func setLocation(_ location: String) throws(FirnError) {
        var folder = location
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        guard !folder.isEmpty, folder != "/" else {
            throw FirnError(.invalidInput, "bad_location", "a table needs a location")
        }
        self.location = folder
    }

    /// Throws `.invalidInput` (`schema_in_use`) for the current schema. Unknown ids are ignored.
    public mutating func removeSchemas(_ ids: Set<Int>) throws(FirnError) {
        guard !ids.contains(currentSchemaId) else {
            throw FirnError(.invalidInput, "schema_in_use", "the current schema cannot be removed")
        }
        schemas.removeAll { ids.contains($0.schemaId) }
        for id in ids { schemaJSON[id] = nil }
    }

    /// Throws `.invalidInput` (`partition_spec_in_use`) for the default spec. Unknown ids are ignored.
    public mutating func removeSpecs(_ ids: Set<Int>) throws(FirnError) {
        guard !ids.contains(defaultSpecId) else {
            throw FirnError(.invalidInput, "partition_spec_in_use", "the default partition spec cannot be removed")
        }
        partitionSpecs.removeAll { ids.contains($0.specId) }
    }

    /// Items of a preserved list.
    func preservedItems(_ list: String) -> [JSONValue] {
        preserved.first { $0.key == list }?.value.arrayValue ?? []
    }

    private mutating func setPreserved(_ list: String, _ item: JSONValue, key: String) {
        put(list, preservedItems(list).filter { $0[key] != item[key] } + [item])
    }

    private mutating func removePreserved(_ list: String, key: String, _ value: JSONValue) {
        put(list, preservedItems(list).filter { $0[key] != value })
    }

    private mutating func put(_ list: String, _ items: [JSONValue]) {
        preserved.removeAll { $0.key == list }
        if !items.isEmpty { preserved.append(JSONValue.Member(list, .array(items))) }
    }
}
