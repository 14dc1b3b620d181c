import Base
import Catalog

/// Removes old snapshots of a table and then the files that only they named.
///
/// 1. One commit drops the snapshots and turns what no kept snapshot reaches into garbage (the committer's `expire`).
/// 2. Collection deletes garbage, of all tables, and with it the leftovers of dead processes.
///
/// A kill in between leaves garbage in the ledger for the next collection (G9).
public enum SnapshotExpiry {
    public struct Report: Hashable, Sendable {
        public let table: TableIdentifier
        public var snapshotsExpired = 0
        public var snapshotsLeft = 0
        /// Files that collection deleted, of whatever table.
        public var filesDeleted = 0
        /// Files that could not be deleted; they stay in the ledger.
        public var filesFailed = 0
        public var durationMs: Int64 = 0

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("snapshots-expired", .integer(Int64(snapshotsExpired))),
                .init("snapshots-left", .integer(Int64(snapshotsLeft))),
                .init("files-deleted", .integer(Int64(filesDeleted))),
                .init("files-failed", .integer(Int64(filesFailed))),
                .init("duration-ms", .integer(durationMs)),
            ])
        }
    }

    /// Expires and collects. Without options in `request` the table's `history.expire.*` properties decide.
    ///
    /// Throws what `TableCommitter.expire` throws: `.conflict` (`expiry_disabled`), `.notFound` …
    public static func run(
        _ warehouse: Warehouse, table: TableIdentifier, request: TableCommitter.ExpiryRequest = .init(),
        hooks: CleanUpHooks = .init()
    ) throws -> Report {
        let clock = warehouse.environment.clock
        let started = clock.monotonicNanos()
        let (result, expired) = try warehouse.committer(for: table).expire(request)
        var report = Report(table: table)
        report.snapshotsExpired = expired
        report.snapshotsLeft = result.table.metadata.snapshots.count
        let collected = try warehouse.collectGarbage()
        report.filesDeleted = collected.deleted
        report.filesFailed = collected.failed
        report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
        return report
    }
}
