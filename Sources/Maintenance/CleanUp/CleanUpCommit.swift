import Base
import Catalog

/// Commits of clean-up whose outcome is always known at the end.
enum CleanUpCommit {
    /// Times a run looks again because other writers won.
    static let triesMax = 5

    /// Answers the snapshot that the commit made. Throws `.conflict` (`commit_failed`) when it did not happen.
    static func settled(
        _ committer: TableCommitter, _ commit: () throws -> CommitResult
    ) throws -> Int64? {
        do {
            return try commit().snapshotId
        } catch let error as FirnError where error.kind == .outcomeUnknown {
            guard try committer.settle() != .notCommitted else {
                throw FirnError(
                    .conflict, "commit_failed", "the commit did not happen", context: error.context, cause: error)
            }
            return try committer.table().metadata.currentSnapshotId
        }
    }

    /// Throws `.unsupported` (`format_version`) for tables that Firn only reads.
    static func requireWritable(_ table: Table) throws(FirnError) {
        guard (2...3).contains(table.metadata.formatVersion) else {
            throw FirnError(
                .unsupported, "format_version",
                "tables of format version \(table.metadata.formatVersion) are not cleaned up",
                context: ["table": table.identifier.description])
        }
    }
}
