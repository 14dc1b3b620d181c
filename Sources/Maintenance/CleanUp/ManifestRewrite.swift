import Base
import Catalog
import Iceberg
import Storage

/// Rewrites manifests sorted by partition, so that planning a query reads few of them.
///
/// 1. The policy looks at the manifest list and names groups of manifests (`ManifestPolicy`).
/// 2. They are read in the order of their partitions; when their encoded entries reach `memoryBytesMax`, or at the end,
///    the entries are sorted and written to new manifests, recorded in the ledger before.
/// 3. Each such group is committed at once. The committer refuses when a manifest of the group is no longer listed;
///    then the new ones are deleted and the run plans anew.
///
/// Writers wait for the commits only, never for reading and sorting. Entries keep their sequence numbers and row ids.
public enum ManifestRewrite {
    /// What one run did.
    public struct Report: Hashable, Sendable {
        public let table: TableIdentifier
        /// Manifests of the current snapshot when the run began, and when it ended.
        public var tableManifestsBefore = 0
        public var tableManifestsAfter = 0
        /// Manifests that were rewritten, and that came of them.
        public var manifestsBefore = 0
        public var manifestsAfter = 0
        public var bytesBefore: Int64 = 0
        public var bytesAfter: Int64 = 0
        /// Files named by the rewritten manifests; the same before and after.
        public var entries = 0
        public var commits = 0
        /// Groups rewritten in vain because another writer replaced an input first.
        public var conflicts = 0
        /// The last snapshot this run committed; nil when there was nothing to do.
        public var snapshotId: Int64?
        public var durationMs: Int64 = 0
        /// Why, one line a plan.
        public var reasons: [String] = []

        public init(table: TableIdentifier) { self.table = table }

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("table-manifests-before", .integer(Int64(tableManifestsBefore))),
                .init("table-manifests-after", .integer(Int64(tableManifestsAfter))),
                .init("manifests-before", .integer(Int64(manifestsBefore))),
                .init("manifests-after", .integer(Int64(manifestsAfter))),
                .init("bytes-before", .integer(bytesBefore)),
                .init("bytes-after", .integer(bytesAfter)),
                .init("entries", .integer(Int64(entries))),
                .init("commits", .integer(Int64(commits))),
                .init("conflicts", .integer(Int64(conflicts))),
                .init("snapshot-id", snapshotId.map { .integer($0) } ?? .null),
                .init("duration-ms", .integer(durationMs)),
                .init("reasons", .array(reasons.map { .string($0) })),
            ])
        }
    }

    /// Encoded entries that are sorted at once.
    static let memoryBytesMax = 128 << 20

    /// What a run would rewrite now. Throws as `run`.
    public static func plan(
        _ warehouse: Warehouse, table: TableIdentifier, isForced: Bool = false
    ) throws -> [ManifestPlan] {
        let current = try warehouse.loadTable(table)
        try CleanUpCommit.requireWritable(current)
        guard let snapshot = current.metadata.currentSnapshot else { return [] }
        return ManifestPolicy.plans(
            try Manifests.list(of: snapshot, store: warehouse.store), metadata: current.metadata, isForced: isForced)
    }

    /// Rewrites the manifests that the policy picks.
    ///
    /// - Parameter isForced: rewrites whatever gains anything, not only what gains enough to do it unasked.
    ///
    /// Throws `.notFound` (`table_not_found`), `.unsupported` (`format_version`), `.conflict` when other writers kept
    /// winning, and the store's errors.
    public static func run(
        _ warehouse: Warehouse, table: TableIdentifier, isForced: Bool = false, hooks: CleanUpHooks = .init()
    ) throws -> Report {
        try run(warehouse, table: table, isForced: isForced, hooks: hooks, memoryBytesMax: memoryBytesMax)
    }

    static func run(
        _ warehouse: Warehouse, table: TableIdentifier, isForced: Bool, hooks: CleanUpHooks, memoryBytesMax: Int,
        beforeCommit: () throws -> Void = {}
    ) throws -> Report {
        let clock = warehouse.environment.clock
        let started = clock.monotonicNanos()
        var report = Report(table: table)
        report.tableManifestsBefore = try count(warehouse, table)
        var attempt = 1
        while true {
            do {
                for plan in try self.plan(warehouse, table: table, isForced: isForced) {
                    try carryOut(plan, warehouse, table, hooks, memoryBytesMax, beforeCommit, &report)
                }
                break
            } catch let error as FirnError where error.kind == .conflict && attempt < CleanUpCommit.triesMax {
                attempt += 1
                report.conflicts += 1
            }
        }
        report.tableManifestsAfter = try count(warehouse, table)
        report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
        return report
    }

    private static func count(_ warehouse: Warehouse, _ table: TableIdentifier) throws -> Int {
        guard let snapshot = try warehouse.loadTable(table).metadata.currentSnapshot else { return 0 }
        return try Manifests.list(of: snapshot, store: warehouse.store).count
    }

    /// Rewrites a plan group by group, each as large as memory allows, each with a commit of its own.
    private static func carryOut(
        _ plan: ManifestPlan, _ warehouse: Warehouse, _ table: TableIdentifier, _ hooks: CleanUpHooks,
        _ memoryBytesMax: Int, _ beforeCommit: () throws -> Void, _ report: inout Report
    ) throws {
        if !report.reasons.contains(plan.reason) { report.reasons.append(plan.reason) }
        let metadata = try warehouse.loadTable(table).metadata
        var rewriter = try ManifestRewriter(
            metadata: metadata, specId: plan.specId, content: plan.content, sync: warehouse.environment.uuid())
        var group: [ManifestFile] = []
        for (index, manifest) in plan.manifests.enumerated() {
            try rewriter.add(manifest, store: warehouse.store)
            group.append(manifest)
            try hooks.checkpoint(manifest.length)
            hooks.onProgress(CleanUpProgress("manifests", done: index + 1, total: plan.manifests.count))
            let isLast = index == plan.manifests.count - 1
            guard isLast || rewriter.byteCount >= memoryBytesMax else { continue }
            try commit(group, &rewriter, metadata, warehouse, table, hooks, beforeCommit, &report)
            group = []
        }
    }

    private static func commit(
        _ group: [ManifestFile], _ rewriter: inout ManifestRewriter, _ metadata: TableMetadata,
        _ warehouse: Warehouse, _ table: TableIdentifier, _ hooks: CleanUpHooks, _ beforeCommit: () throws -> Void,
        _ report: inout Report
    ) throws {
        let entries = rewriter.entryCount
        let name = warehouse.environment.uuid()
        var written: [String] = []
        do {
            let added = try rewriter.finish(
                path: {
                    let path = "\(metadata.metadataFolder)/\(name)-m\(written.count).avro"
                    try warehouse.ledger.record([path], table: metadata.tableUUID)
                    written.append(path)
                    return path
                },
                write: { path, bytes in
                    try hooks.checkpoint(Int64(bytes.count))
                    try warehouse.store.put(path, bytes)
                })
            try beforeCommit()
            let committer = try warehouse.committer(for: table)
            report.snapshotId = try CleanUpCommit.settled(committer) {
                try committer.replaceManifests(group, by: added)
            }
            report.commits += 1
            report.entries += entries
            report.manifestsBefore += group.count
            report.manifestsAfter += added.count
            report.bytesBefore += group.reduce(0) { $0 + $1.length }
            report.bytesAfter += added.reduce(0) { $0 + $1.length }
        } catch {
            // Only paths that are still pending are touched, so manifests that did get committed are safe.
            if (error as? FirnError)?.kind != .outcomeUnknown { try? warehouse.ledger.abandon(written) }
            throw error
        }
    }
}
