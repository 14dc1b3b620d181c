import Base
import Catalog

/// Everything that keeps a table's metadata small and its folders clean, in one go.
///
/// 1. Delete files that apply to nothing leave the current snapshot (`DanglingDeletes`).
/// 2. Manifests that make planning slow are rewritten (`ManifestRewrite`).
/// 3. Metadata files that fell off the log go (`MetadataFiles`).
/// 4. Garbage is collected, and the folders are listed as a self-check; orphans are reported, never deleted here.
public enum TableCleanUp {
    public struct Report: Hashable, Sendable {
        public let table: TableIdentifier
        public var deletes: DanglingDeletes.Report
        public var manifests: ManifestRewrite.Report
        public var metadata: MetadataFiles.Report
        /// Garbage of all tables that collection deleted, and what it could not delete.
        public var garbageDeleted = 0
        public var garbageFailed = 0
        /// Nil when the self-check was left out.
        public var orphans: OrphanFiles.Report?
        public var durationMs: Int64 = 0

        public init(table: TableIdentifier) {
            self.table = table
            deletes = DanglingDeletes.Report(table: table)
            manifests = ManifestRewrite.Report(table: table)
            metadata = MetadataFiles.Report(table: table)
        }

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("deletes", deletes.json),
                .init("manifests", manifests.json),
                .init("metadata", metadata.json),
                .init("garbage-deleted", .integer(Int64(garbageDeleted))),
                .init("garbage-failed", .integer(Int64(garbageFailed))),
                .init("orphans", orphans.map(\.json) ?? .null),
                .init("duration-ms", .integer(durationMs)),
            ])
        }
    }

    /// - Parameter checksOrphans: lists the table's folders too, which takes time in large tables.
    ///
    /// Throws what its parts throw; parts that were done stay done.
    public static func run(
        _ warehouse: Warehouse, table: TableIdentifier, checksOrphans: Bool = true, hooks: CleanUpHooks = .init()
    ) throws -> Report {
        let clock = warehouse.environment.clock
        let started = clock.monotonicNanos()
        var report = Report(table: table)
        report.deletes = try DanglingDeletes.run(warehouse, table: table, hooks: hooks)
        report.manifests = try ManifestRewrite.run(warehouse, table: table, hooks: hooks)
        report.metadata = try MetadataFiles.run(warehouse, table: table, hooks: hooks)
        let collected = try warehouse.collectGarbage()
        report.garbageDeleted = collected.deleted
        report.garbageFailed = collected.failed
        if checksOrphans { report.orphans = try OrphanFiles.run(warehouse, table: table, hooks: hooks) }
        report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
        return report
    }
}
