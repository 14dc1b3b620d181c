import Base
import Catalog

/// Finds files in tables' folders that nothing knows. A self-check of G9, which promises that Firn leaves none; what
/// other engines' crashed writers leave is found here too.
///
/// 1. The folders are listed (`FolderListing`); what is certainly none of the table's business is left out.
/// 2. What the ledger knows, and what any table of the warehouse needs, its former metadata files included, is
///    subtracted (`OrphanSearch`).
/// 3. What is left and older than the options say is an orphan. Only on request it becomes garbage and is deleted.
///
/// Every doubt speaks for a file: locations are compared in all spellings, and a name that is known from elsewhere is
/// enough to keep a file.
public enum OrphanFiles {
    public struct Options: Sendable {
        /// Younger files may belong to a writer at work; three days.
        public var olderThanMs: Int64 = 3 * 86_400_000
        /// Otherwise they are only reported.
        public var deletes = false

        public init() {}
    }

    /// What one run found in one table's folders.
    public struct Report: Hashable, Sendable {
        public let table: TableIdentifier
        /// Files in the table's folders.
        public var listed = 0
        /// Files that nothing knows and that are old enough, sorted.
        public var orphans: [String] = []
        public var bytes: Int64 = 0
        /// Files that nothing knows, too young to judge.
        public var young = 0
        /// Links, and files of tables inside this one's folder: never touched.
        public var skipped = 0
        public var deleted = 0
        /// Files that could not be deleted; they stay in the ledger.
        public var failed = 0
        /// Why nothing may be deleted here: `outside` the warehouse, behind a `link`, `shared` with another table.
        public var kept: String?
        public var durationMs: Int64 = 0

        public init(table: TableIdentifier) { self.table = table }

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("listed", .integer(Int64(listed))),
                .init("orphans", .integer(Int64(orphans.count))),
                .init("bytes", .integer(bytes)),
                .init("young", .integer(Int64(young))),
                .init("skipped", .integer(Int64(skipped))),
                .init("deleted", .integer(Int64(deleted))),
                .init("failed", .integer(Int64(failed))),
                .init("kept", kept.map { .string($0) } ?? .null),
                .init("duration-ms", .integer(durationMs)),
                .init("files", .array(orphans.map { .string($0) })),
            ])
        }
    }

    /// Lists the table's folders for files that nothing knows. Throws as the other `run`.
    public static func run(
        _ warehouse: Warehouse, table: TableIdentifier, options: Options = .init(), hooks: CleanUpHooks = .init()
    ) throws -> Report {
        try run(warehouse, tables: [table], options: options, hooks: hooks)[0]
    }

    /// The same for several tables, which costs hardly more than for one: what all tables of the warehouse need is read
    /// either way. One report a table.
    ///
    /// Throws `.notFound` (`table_not_found`), and whatever keeps it from knowing what some table needs: then nothing
    /// has been deleted.
    public static func run(
        _ warehouse: Warehouse, tables: [TableIdentifier], options: Options = .init(), hooks: CleanUpHooks = .init()
    ) throws -> [Report] {
        let clock = warehouse.environment.clock
        let started = clock.monotonicNanos()
        var search = OrphanSearch(warehouse: warehouse, hooks: hooks)
        // The listing comes first: a file in it that was pending then is, by now, pending, reachable or gone.
        var folders: [FolderListing] = []
        let own = try warehouse.listTables().filter { try warehouse.attachment(of: $0) == nil }
        let everything = try own.map(warehouse.loadTable)
        for id in tables {
            let table = try warehouse.loadTable(id)
            guard !table.isAttached else {
                throw FirnError(
                    .unsupported, "attached_table", "\(id) is kept in another catalog: others write into its folder")
            }
            folders.append(try FolderListing(table, others: everything, warehouse: warehouse))
        }
        for folder in folders { search.suspect(folder.candidates) }
        try search.subtractLedger()
        for id in own { try search.subtract(id) }
        // What expired during the search is in the ledger since; what was committed is reachable now.
        for id in tables { try search.subtract(id) }
        try search.subtractLedger()
        var reports: [Report] = []
        for folder in folders {
            var report = try judge(folder, search, warehouse, options)
            if options.deletes, report.kept == nil, !report.orphans.isEmpty {
                try warehouse.ledger.condemn(report.orphans, table: folder.table.metadata.tableUUID)
                let collected = try warehouse.ledger.collect(report.orphans) { _ in try hooks.checkpoint(0) }
                report.deleted = collected.deleted
                report.failed = collected.failed
            }
            report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
            reports.append(report)
        }
        return reports
    }

    private static func judge(
        _ folder: FolderListing, _ search: OrphanSearch, _ warehouse: Warehouse, _ options: Options
    ) throws -> Report {
        var report = Report(table: folder.table.identifier)
        report.listed = folder.count
        report.skipped = folder.skipped
        report.kept = folder.kept
        let before = warehouse.environment.clock.nowMs() - options.olderThanMs
        for path in folder.candidates where search.isUnknown(path) {
            // Committed and expired again, or deleted, since it was listed.
            guard let status = try warehouse.store.status(path) else { continue }
            if status.isForeign || !warehouse.owns(path, of: folder.table) {
                report.skipped += 1
            } else if status.modifiedMs.map({ $0 <= before }) ?? (options.olderThanMs <= 0) {
                report.orphans.append(path)
                report.bytes += Int64(status.bytes)
            } else {
                report.young += 1
            }
        }
        return report
    }
}
