import Base
import Catalog

public enum MetadataFiles {
    /// What one run did.
    public struct Report: Hashable, Sendable {
        public let table: TableIdentifier
        /// Metadata files in the table's folder.
        public var found = 0
        /// Those that the table's log no longer names.
        public var unlisted = 0
        public var bytesUnlisted: Int64 = 0
        public var deleted = 0
        /// Files that could not be deleted; they stay in the ledger.
        public var failed = 0
        /// Why nothing was deleted, when something was there: `disabled`, `shared` …
        public var kept: String?
        public var durationMs: Int64 = 0

        public init(table: TableIdentifier) { self.table = table }

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("metadata-files", .integer(Int64(found))),
                .init("unlisted", .integer(Int64(unlisted))),
                .init("bytes-unlisted", .integer(bytesUnlisted)),
                .init("deleted", .integer(Int64(deleted))),
                .init("failed", .integer(Int64(failed))),
                .init("kept", kept.map { .string($0) } ?? .null),
                .init("duration-ms", .integer(durationMs)),
            ])
        }
    }

    /// Deletes former metadata files that fell off the table's log, when
    /// `write.metadata.delete-after-commit.enabled` says that they may go.
    public static func run(
        _ warehouse: Warehouse, table: TableIdentifier, hooks: CleanUpHooks = .init()
    ) throws -> Report {
        Report(table: table)
    }
}
