import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// Carries a plan out: the one place that knows how a repair becomes a commit.
enum RepairCommit {
    /// One commit, with a new snapshot where manifests change, else of metadata alone.
    ///
    /// Throws `.conflict` (`table_changed`) when the table is no longer as it was examined; `.unsupported`
    /// (`format_version`) for tables that Firn does not write.
    static func run(_ plan: RepairPlan, table id: TableIdentifier, warehouse: Warehouse) throws -> Int64? {
        try warehouse.committer(for: id).commit(building: { base, context in
            guard base.metadataLocation == plan.metadataLocation else { throw changed(id) }
            let metadata = try corrected(plan, at: base.metadataLocation, store: warehouse.store)
            guard let operation = plan.operation else {
                return try MetadataCommit.prepare(
                    metadata, base: base.metadata, baseLocation: base.metadataLocation, context: context)
            }
            var context = context
            context.summary = stamp(of: metadata, plan)
            return try SnapshotProducer.rebuild(
                base: metadata, baseLocation: base.metadataLocation, keeping: plan.kept, entries: plan.entries,
                operation: operation, totals: plan.totals, context: context, store: warehouse.store)
        }).snapshotId
    }

    /// Puts mended metadata in place of a file that cannot be loaded, which no committer can build on.
    static func replaceMetadata(_ plan: RepairPlan, table id: TableIdentifier, warehouse: Warehouse) throws {
        let metadata = try corrected(plan, at: plan.metadataLocation, store: warehouse.store)
        let environment = warehouse.environment
        let context = CommitContext(
            snapshotId: environment.snapshotId(), commitUUID: environment.uuid(), metadataUUID: environment.uuid(),
            nowMs: environment.clock.nowMs())
        let commit = try MetadataCommit.prepare(
            metadata, base: metadata, baseLocation: plan.metadataLocation, context: context)
        try warehouse.replaceMetadata(of: id, at: plan.metadataLocation, by: commit)
    }

    /// The metadata as the plan wants it, but for the new snapshot.
    private static func corrected(
        _ plan: RepairPlan, at location: String, store: any ObjectStore
    ) throws -> TableMetadata {
        var json = try TableMetadata.json(try store.get(location), source: location)
        if plan.changesMetadata, let filled = MetadataFill.fill(json) { json = filled.json }
        var metadata = try TableMetadata(json: json, source: location)
        for index in metadata.snapshots.indices {
            guard let totals = plan.snapshotTotals[metadata.snapshots[index].snapshotId] else { continue }
            metadata.snapshots[index].summary.merge(totals) { _, corrected in corrected }
        }
        if plan.setsNameMapping {
            try metadata.setProperties([NameMappingText.property: NameMappingText.make(metadata.currentSchema)])
        }
        return metadata
    }

    /// What Firn says of itself, and what it carries from one summary to the next.
    private static func stamp(of metadata: TableMetadata, _ plan: RepairPlan) -> [String: String] {
        var stamp = (metadata.currentSnapshot?.summary ?? [:]).filter { $0.key.hasPrefix("firn.") }
        stamp[SnapshotSummary.engineName] = "firn"
        stamp[SnapshotSummary.engineVersion] = FirnVersion.current
        stamp["firn.repaired"] = Set(plan.steps.map(\.code.rawValue)).sorted().joined(separator: ",")
        return stamp
    }

    private static func changed(_ id: TableIdentifier) -> FirnError {
        FirnError(
            .conflict, "table_changed", "another writer committed since the table was examined",
            context: ["table": id.description])
    }
}
