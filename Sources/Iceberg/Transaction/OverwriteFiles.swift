import Base
import Columnar
import Storage

extension SnapshotProducer {
    /// Replaces whole files by files with other rows, or by none: copy-on-write.
    ///
    /// - Parameters:
    ///   - readAt: the sequence number of the snapshot that the removed files were read at.
    ///   - validation: what else was read, to find what others changed since; nil checks only the removed files.
    ///
    /// Throws `.conflict` with code `file_not_live` when a file to remove is no longer live, or `deletes_added` when
    /// deletes that apply to one of them came after `readAt`; with a validation also `history_changed` and
    /// `data_files_added` (serializable only).
    public static func overwrite(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, removed: Set<String>,
        added: [DataFile], readAt: Int64, validation: CommitValidation? = nil, context: CommitContext,
        store: any ObjectStore
    ) throws -> PreparedCommit {
        guard !removed.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "an overwrite needs files to remove")
        }
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        if let validation {
            let since = try builder.snapshots(since: validation.startSnapshotId)
            if validation.isolation == .serializable {
                try builder.checkNoDataAdded(since, FileFilter(validation.conflictFilter, base))
            }
        }
        let (rewritten, removedFiles) = try builder.removing(removed)
        try builder.checkDeletes(removedFiles, since: readAt, equalityDeletesStay: false)
        let data = try (added.isEmpty ? [] : builder.addedManifests(added)) + rewritten
        let deletes = try builder.deleteManifests(after: data, removed: removedFiles)
        return try builder.commit(
            operation: added.isEmpty ? "delete" : "overwrite", manifests: try builder.merge(data + deletes))
    }

    /// Replaces all rows that match a filter by those of `added`: files whose every row matches go, files where none
    /// can match stay.
    ///
    /// Throws `.conflict`: `rows_partially_match` for a file where some rows may match and others not, and with a
    /// validation `history_changed`, `data_files_added` (serializable only), `delete_files_added`,
    /// `data_files_removed`.
    public static func overwrite(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, filter: Expression,
        added: [DataFile], validation: CommitValidation?, context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit? {
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        if let validation {
            let since = try builder.snapshots(since: validation.startSnapshotId)
            let conflicts = FileFilter(
                validation.conflictFilter == .alwaysTrue ? filter : validation.conflictFilter, base)
            if validation.isolation == .serializable { try builder.checkNoDataAdded(since, conflicts) }
            try builder.checkNoDeletesAdded(since, conflicts)
            try builder.checkNoDataRemoved(since, conflicts)
        }
        let removed = try builder.wholeFiles(FileFilter(filter, base))
        guard !(removed.isEmpty && added.isEmpty) else { return nil }
        let (rewritten, removedFiles) = try builder.removing(removed)
        let data = try (added.isEmpty ? [] : builder.addedManifests(added)) + rewritten
        let deletes = try builder.deleteManifests(after: data, removed: removedFiles)
        let operation = added.isEmpty ? "delete" : removed.isEmpty ? "append" : "overwrite"
        return try builder.commit(operation: operation, manifests: try builder.merge(data + deletes))
    }
}

extension SnapshotBuilder {
    /// Live data files whose every row matches. Throws `.conflict` (`rows_partially_match`).
    func wholeFiles(_ filter: FileFilter) throws -> Set<String> {
        var paths: Set<String> = []
        for manifest in current where manifest.content == .data && filter.mayMatch(manifest) {
            try Manifests.read(manifest, base, .fields(filter.fieldIds), store) { entry in
                guard entry.isLive, filter.mayMatch(entry.dataFile) else { return true }
                guard filter.allMatch(entry.dataFile) else {
                    throw FirnError(
                        .conflict, "rows_partially_match",
                        "some rows of a file may match the filter and others not; delete them row by row",
                        context: ["file": entry.dataFile.path])
                }
                paths.insert(entry.dataFile.path)
                return true
            }
        }
        return paths
    }
}
