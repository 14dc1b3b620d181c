import Base
import Columnar
import Storage

extension SnapshotProducer {
    /// Deletes all rows that match a filter by removing whole files, as metrics and partitions prove it; nil when no
    /// row can match.
    ///
    /// Throws as `overwrite` by filter: `.conflict` (`rows_partially_match`) when a file would have to be split.
    public static func delete(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, filter: Expression,
        validation: CommitValidation? = nil, context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit? {
        try overwrite(
            base: base, baseLocation: baseLocation, branch: branch, filter: filter, added: [], validation: validation,
            context: context, store: store)
    }

    /// Removes whole data files by their locations.
    ///
    /// Throws `.conflict` (`file_not_live`).
    public static func delete(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, files: Set<String>,
        context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        guard !files.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "a delete needs files to remove")
        }
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        let (data, removed) = try builder.removing(files)
        let deletes = try builder.deleteManifests(after: data, removed: removed)
        return try builder.commit(operation: "delete", manifests: try builder.merge(data + deletes))
    }
}

/// How many rows of a data file match a filter, as its entry proves it.
public enum FilterMatch: Sendable {
    case none, some, all

    /// - Parameter file: with counts and bounds of the filter's columns.
    public static func of(_ filter: Expression, _ file: DataFile, _ metadata: TableMetadata) -> FilterMatch {
        let filter = FileFilter(filter, metadata)
        return filter.mayMatch(file) ? (filter.allMatch(file) ? .all : .some) : .none
    }
}
