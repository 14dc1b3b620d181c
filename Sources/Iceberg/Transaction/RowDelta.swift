import Base
import Columnar
import Storage

extension SnapshotProducer {
    /// Adds rows and deletes rows by delete files, both at once: a merge-on-read delete, update or merge.
    ///
    /// The operation is `append` when only data comes, `delete` when no data but delete files come, `overwrite` else.
    /// Delete files that apply to no live data file any more go with the data files that they applied to.
    ///
    /// - Parameters:
    ///   - addedDeletes: position delete files in version 2, deletion vectors in version 3; equality deletes in both.
    ///   - removedData: locations of live data files that go.
    ///   - removedDeletes: live delete files that go, such as those that a new deletion vector contains.
    ///   - referencedData: data files that the added deletes name; those that delete files refer to in their entry need
    ///     not be given.
    ///   - validation: what was read, to find what others changed since; nil checks only that the files are live.
    ///
    /// Throws `.conflict`: `history_changed`, `data_files_added` (serializable only), `delete_files_added` (when rows
    /// are rewritten), `data_files_removed`, `deletes_added`, `deletion_vector_exists`, `file_not_live`,
    /// `delete_file_not_live`; `.invalidInput`: `empty_commit`, `bad_delete_file`, `deletes_for_removed_file`.
    public static func rowDelta(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch,
        addedData: [DataFile] = [], addedDeletes: [DataFile] = [], removedData: Set<String> = [],
        removedDeletes: [ManifestEntry] = [], referencedData: Set<String> = [], validation: CommitValidation?,
        context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        guard !(addedData.isEmpty && addedDeletes.isEmpty && removedData.isEmpty && removedDeletes.isEmpty) else {
            throw FirnError(.invalidInput, "empty_commit", "a row delta needs files to add or remove")
        }
        let referenced = referencedData.union(addedDeletes.compactMap(\.referencedDataFile))
        if let path = referenced.intersection(removedData).min() {
            throw FirnError(
                .invalidInput, "deletes_for_removed_file", "rows are deleted from a file that is removed",
                context: ["file": path])
        }
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        let vectorTargets = Set(addedDeletes.filter(\.isDeletionVector).compactMap(\.referencedDataFile))
        if let validation {
            let since = try builder.snapshots(since: validation.startSnapshotId)
            try builder.checkStillThere(referenced, since)
            let filter = FileFilter(validation.conflictFilter, base)
            if validation.isolation == .serializable { try builder.checkNoDataAdded(since, filter) }
            if validation.rewritesRows { try builder.checkNoDeletesAdded(since, filter) }
            try builder.checkNoVectorsAdded(vectorTargets, since)
        }
        let (kept, removed) = try builder.removing(removedData)
        if let validation {
            let readAt = validation.startSnapshotId.flatMap { base.snapshot(id: $0)?.sequenceNumber }
            try builder.checkDeletes(removed, since: readAt ?? 0, equalityDeletesStay: false)
        }
        let data = try builder.addedManifests(addedData) + kept
        let deletes =
            try builder.addedDeleteManifests(addedDeletes)
            + builder.deleteManifests(
                after: data, removed: removed,
                removal: SnapshotBuilder.DeleteRemoval(
                    files: Set(removedDeletes.map(\.dataFile.deleteKey)), vectorTargets: vectorTargets))
        let operation: String
        if addedDeletes.isEmpty && removedData.isEmpty && removedDeletes.isEmpty {
            operation = "append"
        } else {
            operation = addedData.isEmpty ? "delete" : "overwrite"
        }
        return try builder.commit(operation: operation, manifests: try builder.merge(data + deletes))
    }
}
