import Base
import Catalog
import Iceberg

/// Removes old snapshots of a table and then the files that only they named.
///
/// 1. One commit drops up to `snapshotsAtOnceMax` snapshots, the oldest first, and turns what no kept snapshot reaches
///    into garbage (the committer's `expireNext`).
/// 2. Those files are deleted at once, page by page, and the next commit follows until nothing is left to expire. So
///    memory and the time of a commit are bounded however many snapshots go.
/// 3. Collection deletes garbage of all tables, and with it the leftovers of dead processes.
///
/// A kill in between leaves garbage in the ledger for the next collection (G9); files that cannot be deleted stay there
/// too.
public enum SnapshotExpiry {
    /// Snapshots of one commit. In a linear history each costs its manifest list and what left the table after it; in
    /// any other all kept lists are read once a commit.
    public static let snapshotsAtOnceMax = 2000

    public struct Report: Hashable, Sendable {
        public let table: TableIdentifier
        public var snapshotsExpired = 0
        /// Branches and tags whose age was over.
        public var referencesExpired = 0
        public var snapshotsLeft = 0
        public var commits = 0
        /// Files that collection deleted, of whatever table.
        public var filesDeleted = 0
        /// Files that could not be deleted; they stay in the ledger.
        public var filesFailed = 0
        public var durationMs: Int64 = 0

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("snapshots-expired", .integer(Int64(snapshotsExpired))),
                .init("references-expired", .integer(Int64(referencesExpired))),
                .init("snapshots-left", .integer(Int64(snapshotsLeft))),
                .init("commits", .integer(Int64(commits))),
                .init("files-deleted", .integer(Int64(filesDeleted))),
                .init("files-failed", .integer(Int64(filesFailed))),
                .init("duration-ms", .integer(durationMs)),
            ])
        }
    }

    /// Expires and collects. Without options in `request` the table's `history.expire.*` properties decide.
    ///
    /// Throws what `TableCommitter.expireNext` throws: `.conflict` (`expiry_disabled`), `.notFound` … What is committed
    /// by then stays so.
    public static func run(
        _ warehouse: Warehouse, table: TableIdentifier, request: TableCommitter.ExpiryRequest = .init(),
        hooks: CleanUpHooks = .init(), snapshotsAtOnceMax: Int = snapshotsAtOnceMax
    ) throws -> Report {
        let clock = warehouse.environment.clock
        let started = clock.monotonicNanos()
        var report = Report(table: table)
        let committer = try warehouse.committer(for: table)
        while let step = try committer.expireNext(
            request, snapshotsMax: snapshotsAtOnceMax, checkpoint: hooks.checkpoint)
        {
            report.snapshotsExpired += step.snapshots
            report.referencesExpired += step.references.count
            report.commits += 1
            let done = report.snapshotsExpired
            hooks.onProgress(CleanUpProgress("snapshots", done: done, total: done + step.remaining))
            let collected = try warehouse.ledger.collect(step.garbage) { collected in
                try hooks.checkpoint(0)
                let files = collected.deleted + collected.failed
                hooks.onProgress(CleanUpProgress("files", done: files, total: step.garbage.count))
            }
            report.filesDeleted += collected.deleted
            if step.remaining == 0 { break }
        }
        let collected = try warehouse.collectGarbage()
        report.filesDeleted += collected.deleted
        report.filesFailed = collected.failed
        report.snapshotsLeft = try warehouse.loadTable(table).metadata.snapshots.count
        report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
        return report
    }

    /// What a run would remove now.
    public struct Preview: Sendable {
        public let table: TableIdentifier
        /// Oldest first.
        public let snapshots: [Snapshot]
        public let references: [String]
        public let snapshotsLeft: Int
        /// Files that only those snapshots reach and that exist, sorted.
        public var files: [String] = []
        public var bytes: Int64 = 0

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("snapshots", .array(snapshots.map { .integer($0.snapshotId) })),
                .init("references", .array(references.map { .string($0) })),
                .init("snapshots-left", .integer(Int64(snapshotsLeft))),
                .init("files", .integer(Int64(files.count))),
                .init("bytes", .integer(bytes)),
            ])
        }
    }

    /// Searches and changes nothing. Throws as `run`.
    public static func preview(
        _ warehouse: Warehouse, table: TableIdentifier, request: TableCommitter.ExpiryRequest = .init(),
        hooks: CleanUpHooks = .init()
    ) throws -> Preview {
        let (base, plan) = try warehouse.committer(for: table).planExpiry(request, checkpoint: hooks.checkpoint)
        var preview = Preview(
            table: table, snapshots: base.metadata.snapshots.filter { plan.snapshotIds.contains($0.snapshotId) },
            references: plan.references, snapshotsLeft: base.metadata.snapshots.count - plan.snapshotIds.count)
        for (index, path) in plan.unreachable.enumerated() where warehouse.owns(path, of: base) {
            if index % 1000 == 0 {
                try hooks.checkpoint(0)
                hooks.onProgress(CleanUpProgress("files", done: index, total: plan.unreachable.count))
            }
            guard let bytes = try warehouse.store.size(path) else { continue }
            preview.files.append(path)
            preview.bytes += Int64(bytes)
        }
        return preview
    }
}
