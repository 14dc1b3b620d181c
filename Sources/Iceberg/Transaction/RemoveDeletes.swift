import Base
import Storage

extension SnapshotProducer {
    /// Takes delete files out of a branch that apply to no row, so that no row of the table changes.
    ///
    /// - Parameters:
    ///   - removed: live delete files that apply to nothing in the data manifests `known`.
    ///   - known: paths of those manifests. Others are looked at here: one that came since may hold a data file that is
    ///     as old as the deletes, such as after a rollback.
    ///
    /// Throws `.conflict`: `deletes_in_use` when one applies to something now, `delete_file_not_live`;
    /// `.invalidInput` (`empty_commit`).
    public static func removeDeletes(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch,
        removed: [DeleteUse.Candidate], known: Set<String>, context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        guard !removed.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "there are no delete files to remove")
        }
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        var use = DeleteUse(metadata: base)
        for candidate in removed { use.add(candidate) }
        let data = builder.current.filter { $0.content == .data }
        for manifest in data where !known.contains(manifest.path) {
            try Manifests.read(manifest, base, .none, store) {
                if $0.isLive { use.see($0) }
                return true
            }
        }
        guard use.unused.count == removed.count else {
            throw FirnError(
                .conflict, "deletes_in_use", "delete files apply to rows of a data file that came meanwhile",
                context: ["table": base.location])
        }
        let deletes = try builder.removingDeletes(
            SnapshotBuilder.DeleteRemoval(files: Set(removed.map(\.entry.dataFile.deleteKey))))
        return try builder.commit(operation: "replace", manifests: data + deletes)
    }
}
