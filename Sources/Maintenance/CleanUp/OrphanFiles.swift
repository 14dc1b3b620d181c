import Base
import Catalog

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
                .init("duration-ms", .integer(durationMs)),
                .init("files", .array(orphans.map { .string($0) })),
            ])
        }
    }

    /// Lists the table's folders for files that nothing knows.
    public static func run(
        _ warehouse: Warehouse, table: TableIdentifier, options: Options = .init(), hooks: CleanUpHooks = .init()
    ) throws -> Report {
        Report(table: table)
    }
}
