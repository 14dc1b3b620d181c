import Base
import Columnar

extension TableUpdate {
    /// The updates that turn one state of a table into another, in the order in which they must be applied; nil stands
    /// for no table.
    ///
    /// Times and logs are left out: every committer stamps its own.
    static func difference(from old: TableMetadata?, to new: TableMetadata) -> [TableUpdate] {
        var updates: [TableUpdate] = []
        if old == nil { updates.append(.assignUUID(new.tableUUID)) }
        if old?.formatVersion != new.formatVersion { updates.append(.upgradeFormatVersion(new.formatVersion)) }
        updates += shape(old, new)
        if old?.location != new.location { updates.append(.setLocation(new.location)) }
        let before = old?.properties ?? [:]
        let set = new.properties.filter { before[$0.key] != $0.value }
        let removed = before.keys.filter { new.properties[$0] == nil }.sorted()
        if !set.isEmpty { updates.append(.setProperties(set)) }
        if !removed.isEmpty { updates.append(.removeProperties(removed)) }
        return updates + history(old, new) + preserved(old, new)
    }

    private static func shape(_ old: TableMetadata?, _ new: TableMetadata) -> [TableUpdate] {
        var updates: [TableUpdate] = []
        let schemas = Set(old?.schemas.map(\.schemaId) ?? [])
        updates += new.schemas.filter { !schemas.contains($0.schemaId) }.map { .addSchema($0) }
        if old?.currentSchemaId != new.currentSchemaId { updates.append(.setCurrentSchema(new.currentSchemaId)) }
        let specs = Set(old?.partitionSpecs.map(\.specId) ?? [])
        updates += new.partitionSpecs.filter { !specs.contains($0.specId) }.map { .addSpec($0) }
        if old?.defaultSpecId != new.defaultSpecId { updates.append(.setDefaultSpec(new.defaultSpecId)) }
        let orders = Set(old?.sortOrders.map(\.orderId) ?? [])
        updates += new.sortOrders.filter { !orders.contains($0.orderId) }.map { .addSortOrder($0) }
        if old?.defaultSortOrderId != new.defaultSortOrderId {
            updates.append(.setDefaultSortOrder(new.defaultSortOrderId))
        }
        let goneSpecs = specs.subtracting(new.partitionSpecs.map(\.specId))
        if !goneSpecs.isEmpty { updates.append(.removePartitionSpecs(goneSpecs.sorted())) }
        let goneSchemas = schemas.subtracting(new.schemas.map(\.schemaId))
        if !goneSchemas.isEmpty { updates.append(.removeSchemas(goneSchemas.sorted())) }
        return updates
    }

    private static func history(_ old: TableMetadata?, _ new: TableMetadata) -> [TableUpdate] {
        var updates: [TableUpdate] = []
        let before = Set(old?.snapshots.map(\.snapshotId) ?? [])
        updates += new.snapshots.filter { !before.contains($0.snapshotId) }.map { .addSnapshot($0) }
        for (name, reference) in new.refs.sorted(by: { $0.key < $1.key }) where old?.refs[name] != reference {
            updates.append(.setSnapshotRef(name, reference))
        }
        for name in (old?.refs.keys.sorted() ?? []) where new.refs[name] == nil {
            updates.append(.removeSnapshotRef(name))
        }
        if let old, before.count > 0 {
            let after = Set(new.snapshots.map(\.snapshotId))
            let gone = old.snapshots.map(\.snapshotId).filter { !after.contains($0) }
            if !gone.isEmpty { updates.append(.removeSnapshots(gone)) }
        }
        return updates
    }

    /// Statistics go with their snapshot; those of snapshots that stay are told apart.
    private static func preserved(_ old: TableMetadata?, _ new: TableMetadata) -> [TableUpdate] {
        var updates: [TableUpdate] = []
        func compare(
            _ list: String, _ key: String, set: (JSONValue) -> TableUpdate, remove: (JSONValue) -> TableUpdate?
        ) {
            let before = old?.preservedItems(list) ?? []
            let after = new.preservedItems(list)
            let known = Set(before)
            updates += after.filter { !known.contains($0) }.map(set)
            let kept = Set(after.compactMap { $0[key] })
            updates += before.compactMap { $0[key] }.filter { !kept.contains($0) }.compactMap(remove)
        }
        let snapshots = Set(new.snapshots.map(\.snapshotId))
        compare("statistics", "snapshot-id", set: { .setStatistics($0) }) {
            $0.intValue.flatMap { snapshots.contains($0) ? .removeStatistics(snapshotId: $0) : nil }
        }
        compare("partition-statistics", "snapshot-id", set: { .setPartitionStatistics($0) }) {
            $0.intValue.flatMap { snapshots.contains($0) ? .removePartitionStatistics(snapshotId: $0) : nil }
        }
        compare("encryption-keys", "key-id", set: { .addEncryptionKey($0) }) {
            $0.stringValue.map { .removeEncryptionKey($0) }
        }
        return updates
    }
}
