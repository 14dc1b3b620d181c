import Base
import Columnar

/// Changes of a table's metadata, one function each, as the REST catalog names them.
///
/// They keep the invariants of the spec but not the clock: `MetadataCommit` stamps the result.
extension TableMetadata {
    /// Adds a schema, or finds an equal one; returns its id. New ids must already be given.
    ///
    /// Throws `.invalidInput` for names that clash or differ only by case.
    @discardableResult
    public mutating func addSchema(_ schema: Schema) throws(FirnError) -> Int {
        if let same = schemas.first(where: { $0.hasSameShape(as: schema) }) { return same.schemaId }
        try SchemaRules.check(schema, formatVersion: formatVersion)
        var added = schema
        added.schemaId = max(schemas.map(\.schemaId).max() ?? -1, schemaJSON.keys.max() ?? -1) + 1
        schemas.append(added)
        lastColumnId = max(lastColumnId, added.highestFieldId)
        return added.schemaId
    }

    /// Throws `.invalidInput` (`unknown_schema`), or `.conflict` (`column_in_use`) when the default spec or order needs
    /// a column that the schema lacks.
    public mutating func setCurrentSchema(_ id: Int) throws(FirnError) {
        guard let schema = schema(id: id) else {
            throw FirnError(.invalidInput, "unknown_schema", "there is no schema \(id)")
        }
        let used =
            defaultSpec.fields.filter { $0.transform != .void }.map(\.sourceId)
            + defaultSortOrder.fields.map(\.sourceId)
        for id in used where schema.field(id: id) == nil {
            throw FirnError(
                .conflict, "column_in_use", "column \(id) is part of the partition spec or the sort order",
                context: ["column": currentSchema.path(id: id) ?? "id \(id)"])
        }
        currentSchemaId = id
    }

    /// Adds a spec, or finds an equal one; returns its id. Fields with id 0, or with an id that means something else,
    /// get the id of an equal field of an older spec, else the next free one. `schemaId` names the schema to bind to.
    @discardableResult
    public mutating func addSpec(_ spec: PartitionSpec, schemaId: Int? = nil) throws(FirnError) -> Int {
        if let same = partitionSpecs.first(where: { $0.isCompatible(with: spec) }) { return same.specId }
        try SchemaRules.check(spec, schemaId.flatMap { schema(id: $0) } ?? currentSchema)
        var added = spec
        let known = partitionSpecs.flatMap(\.fields)
        for index in added.fields.indices {
            let field = added.fields[index]
            let taken = known.contains { $0.fieldId == field.fieldId && !Self.sameSource($0, field) }
            if let equal = known.first(where: { Self.sameSource($0, field) }) {
                added.fields[index].fieldId = equal.fieldId
            } else if field.fieldId < 1000 || taken {
                lastPartitionId += 1
                added.fields[index].fieldId = lastPartitionId
            } else {
                lastPartitionId = max(lastPartitionId, field.fieldId)
            }
        }
        added.specId = (partitionSpecs.map(\.specId).max() ?? -1) + 1
        partitionSpecs.append(added)
        return added.specId
    }

    private static func sameSource(_ a: PartitionField, _ b: PartitionField) -> Bool {
        a.sourceId == b.sourceId && a.transform == b.transform
    }

    public mutating func setDefaultSpec(_ id: Int, schemaId: Int? = nil) throws(FirnError) {
        guard let spec = spec(id: id) else {
            throw FirnError(.invalidInput, "unknown_partition_spec", "there is no partition spec \(id)")
        }
        try SchemaRules.check(spec, schemaId.flatMap { schema(id: $0) } ?? currentSchema)
        defaultSpecId = id
    }

    /// Adds an order, or finds an equal one; returns its id.
    @discardableResult
    public mutating func addSortOrder(_ order: SortOrder, schemaId: Int? = nil) throws(FirnError) -> Int {
        if order.isUnsorted {
            if !sortOrders.contains(where: { $0.orderId == 0 }) { sortOrders.insert(.unsorted, at: 0) }
            return 0
        }
        if let same = sortOrders.first(where: { $0.fields == order.fields }) { return same.orderId }
        try SchemaRules.check(order, schemaId.flatMap { schema(id: $0) } ?? currentSchema)
        let added = SortOrder(orderId: max(0, sortOrders.map(\.orderId).max() ?? 0) + 1, fields: order.fields)
        sortOrders.append(added)
        return added.orderId
    }

    public mutating func setDefaultSortOrder(_ id: Int, schemaId: Int? = nil) throws(FirnError) {
        guard let order = sortOrders.first(where: { $0.orderId == id }) else {
            throw FirnError(.invalidInput, "unknown_sort_order", "there is no sort order \(id)")
        }
        try SchemaRules.check(order, schemaId.flatMap { schema(id: $0) } ?? currentSchema)
        defaultSortOrderId = id
    }

    /// Sets and removes properties; reserved names are dropped silently, as other engines do.
    ///
    /// Throws `.invalidInput` (`property_set_and_removed`) for a key in both.
    public mutating func setProperties(_ updates: [String: String], removing removals: [String] = []) throws(FirnError)
    {
        if let both = removals.first(where: { updates[$0] != nil }) {
            throw FirnError(.invalidInput, "property_set_and_removed", "\"\(both)\" is both set and removed")
        }
        for (key, value) in updates where !TableProperties.reserved.contains(key) { properties[key] = value }
        for key in removals { properties[key] = nil }
    }

    /// Adds a snapshot without making it current; in version 3 the table's next row id moves behind its rows.
    ///
    /// Throws `.conflict` (`stale_sequence_number`, `stale_row_id`, `snapshot_exists`): the snapshot was built on a
    /// state that is not the present one.
    public mutating func addSnapshot(_ snapshot: Snapshot) throws(FirnError) {
        guard self.snapshot(id: snapshot.snapshotId) == nil else {
            throw FirnError(.conflict, "snapshot_exists", "snapshot \(snapshot.snapshotId) exists already")
        }
        guard snapshot.sequenceNumber > lastSequenceNumber || snapshot.parentSnapshotId == nil && formatVersion == 1
        else {
            throw FirnError(
                .conflict, "stale_sequence_number",
                "sequence number \(snapshot.sequenceNumber) is not above \(lastSequenceNumber)")
        }
        if formatVersion >= 3 { nextRowId = try rowId(after: snapshot) }
        snapshots.append(snapshot)
        lastSequenceNumber = snapshot.sequenceNumber
        lastUpdatedMs = max(lastUpdatedMs, snapshot.timestampMs)
    }

    private func rowId(after snapshot: Snapshot) throws(FirnError) -> Int64 {
        guard let first = snapshot.firstRowId, let count = snapshot.addedRows, count >= 0 else {
            throw FirnError(
                .invalidInput, "bad_snapshot", "a snapshot of a version 3 table needs first-row-id and added-rows",
                context: ["snapshot-id": String(snapshot.snapshotId)])
        }
        guard first >= nextRowId ?? 0 else {
            throw FirnError(
                .conflict, "stale_row_id", "first-row-id \(first) is below the table's next row id \(nextRowId ?? 0)",
                context: ["snapshot-id": String(snapshot.snapshotId)])
        }
        let (next, overflow) = first.addingReportingOverflow(count)
        guard !overflow else {
            throw FirnError(
                .invalidInput, "bad_snapshot", "the row ids of the snapshot pass 64 bits",
                context: ["snapshot-id": String(snapshot.snapshotId)])
        }
        return next
    }

    /// Creates or moves a branch or tag. Moving `main` changes the current snapshot and appends to the snapshot log,
    /// stamped with the snapshot's time when it was added by the same change, else with `nowMs`.
    ///
    /// Both times of an added snapshot must agree, even where another change was stamped later: DuckDB looks for the
    /// newest entry from before its transaction began, and would pass the snapshot over.
    ///
    /// Throws `.invalidInput` (`unknown_snapshot`, `bad_reference`).
    public mutating func setReference(
        _ name: String, _ reference: SnapshotReference, nowMs: Int64, isAdded: Bool = false
    ) throws(FirnError) {
        guard let snapshot = snapshot(id: reference.snapshotId) else {
            throw FirnError(.invalidInput, "unknown_snapshot", "there is no snapshot \(reference.snapshotId)")
        }
        guard !name.isEmpty, name != Self.mainBranch || reference.kind == .branch else {
            throw FirnError(.invalidInput, "bad_reference", "\"\(name)\" cannot be a \(reference.kind.rawValue)")
        }
        refs[name] = reference
        guard name == Self.mainBranch, currentSnapshotId != snapshot.snapshotId else { return }
        currentSnapshotId = snapshot.snapshotId
        if !isAdded { lastUpdatedMs = max(nowMs, lastUpdatedMs + 1) }
        // The log is sorted.
        let time = isAdded ? max(snapshot.timestampMs, snapshotLog.last?.timestampMs ?? 0) : lastUpdatedMs
        snapshotLog.append(SnapshotLogEntry(timestampMs: time, snapshotId: snapshot.snapshotId))
    }

    /// Removes a branch or tag; an unknown one is no error. Removing `main` leaves the table without current snapshot.
    public mutating func removeReference(_ name: String) {
        refs[name] = nil
        if name == Self.mainBranch { currentSnapshotId = nil }
    }

    /// Removes snapshots, their statistics, and the part of the snapshot log that would be wrong without them.
    ///
    /// Throws `.invalidInput` (`snapshot_referenced`) when a branch or tag names one of them.
    public mutating func removeSnapshots(_ ids: Set<Int64>) throws(FirnError) {
        for (name, reference) in refs where ids.contains(reference.snapshotId) {
            throw FirnError(
                .invalidInput, "snapshot_referenced",
                "snapshot \(reference.snapshotId) is named by \"\(name)\" and cannot be removed")
        }
        snapshots.removeAll { ids.contains($0.snapshotId) }
        let known = Set(snapshots.map(\.snapshotId))
        if let gap = snapshotLog.lastIndex(where: { !known.contains($0.snapshotId) }) {
            snapshotLog.removeSubrange(...gap)
        }
        preserved = preserved.map { member in
            guard Self.statisticsMembers.contains(member.key), let items = member.value.arrayValue else {
                return member
            }
            let kept = items.filter { item in item["snapshot-id"]?.intValue.map { !ids.contains($0) } ?? true }
            return JSONValue.Member(member.key, .array(kept))
        }
    }

    static let statisticsMembers: Set<String> = ["statistics", "partition-statistics"]

    /// Locations of statistics files, by snapshot.
    var statisticsFiles: [(snapshotId: Int64, path: String)] {
        preserved.filter { Self.statisticsMembers.contains($0.key) }.flatMap { $0.value.arrayValue ?? [] }.compactMap {
            guard let id = $0["snapshot-id"]?.intValue, let path = $0["statistics-path"]?.stringValue else {
                return nil
            }
            return (id, path)
        }
    }
}
