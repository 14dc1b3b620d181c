import Base
import Columnar
import Storage

/// Prepares commits: reads what it must of the current snapshot, and returns the files to write and the new metadata.
///
/// Nothing is written here, so a commit can be prepared again on a newer base when it loses the race for the pointer.
/// All functions throw `.unsupported` (`format_version`) for tables that Firn only reads, and the store's errors.
public enum SnapshotProducer {
    /// Adds data files. The new manifest joins the list; older manifests stay as they are unless
    /// `commit.manifest.min-count-to-merge` of them have gathered.
    ///
    /// Throws `.invalidInput` for no files, a file twice, or a file of an unknown spec.
    public static func append(
        base: TableMetadata, baseLocation: String, files: [DataFile], context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        guard !files.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "an append needs at least one file")
        }
        var builder = try SnapshotBuilder(base: base, baseLocation: baseLocation, context: context, store: store)
        let added = try builder.addedManifests(files)
        return try builder.commit(operation: "append", manifests: try builder.merge(added + builder.current))
    }

    /// Replaces files by others with the same rows: compaction.
    ///
    /// - Parameters:
    ///   - removed: locations of live data files.
    ///   - dataSequenceNumber: given to the added files, so that equality deletes committed since the rows were read
    ///     still apply; the sequence number of the snapshot that was read. Nil gives them the commit's own.
    ///
    /// Throws `.conflict` with code `file_not_live` when a file to remove is no longer live, or `deletes_added` when
    /// deletes that apply to one of them came after `dataSequenceNumber`; `.invalidInput` (`replace_adds_records`) when
    /// more records are added than removed.
    public static func replace(
        base: TableMetadata, baseLocation: String, removed: Set<String>, added: [DataFile],
        dataSequenceNumber: Int64?, context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        guard !removed.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "a replacement needs files to remove")
        }
        if let number = dataSequenceNumber, number > base.lastSequenceNumber {
            throw FirnError(.invalidInput, "bad_sequence_number", "sequence number \(number) lies in the future")
        }
        var builder = try SnapshotBuilder(base: base, baseLocation: baseLocation, context: context, store: store)
        let (rewritten, removedFiles) = try builder.removing(removed)
        try builder.checkDeletes(removedFiles, since: dataSequenceNumber)
        let new = try builder.addedManifests(added, dataSequenceNumber: dataSequenceNumber)
        guard builder.summary.addedRecords <= builder.summary.removedRecords else {
            throw FirnError(
                .invalidInput, "replace_adds_records",
                "\(builder.summary.addedRecords) records would replace \(builder.summary.removedRecords)")
        }
        return try builder.commit(operation: "replace", manifests: try builder.merge(new + rewritten))
    }

    /// Replaces whole files by files with other rows, or by none.
    ///
    /// - Parameter readAt: the sequence number of the snapshot that the removed files were read at.
    ///
    /// Throws `.conflict` with code `file_not_live` when a file to remove is no longer live, or `deletes_added` when
    /// deletes that apply to one of them came after `readAt`.
    public static func overwrite(
        base: TableMetadata, baseLocation: String, removed: Set<String>, added: [DataFile], readAt: Int64,
        context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        guard !removed.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "an overwrite needs files to remove")
        }
        var builder = try SnapshotBuilder(base: base, baseLocation: baseLocation, context: context, store: store)
        let (rewritten, removedFiles) = try builder.removing(removed)
        try builder.checkDeletes(removedFiles, since: readAt)
        let new = added.isEmpty ? [] : try builder.addedManifests(added)
        return try builder.commit(
            operation: added.isEmpty ? "delete" : "overwrite", manifests: try builder.merge(new + rewritten))
    }

    /// Sets and removes table properties.
    public static func setProperties(
        base: TableMetadata, baseLocation: String, updates: [String: String], removals: [String] = [],
        context: CommitContext
    ) throws -> PreparedCommit {
        var changed = base
        try changed.setProperties(updates, removing: removals)
        return try MetadataCommit.prepare(changed, base: base, baseLocation: baseLocation, context: context)
    }

    /// Makes an older snapshot current.
    ///
    /// Throws `.invalidInput` (`unknown_snapshot`, or `not_an_ancestor` unless `anySnapshot`).
    public static func setCurrent(
        base: TableMetadata, baseLocation: String, snapshotId: Int64, anySnapshot: Bool = false, context: CommitContext
    ) throws -> PreparedCommit {
        if let current = base.currentSnapshotId, !anySnapshot, base.snapshot(id: snapshotId) != nil,
            !base.isAncestor(snapshotId, of: current)
        {
            throw FirnError(
                .invalidInput, "not_an_ancestor", "snapshot \(snapshotId) is not an ancestor of the current one")
        }
        var main = base.refs[TableMetadata.mainBranch] ?? SnapshotReference(snapshotId: 0, kind: .branch)
        main.snapshotId = snapshotId
        return try setReference(
            base: base, baseLocation: baseLocation, name: TableMetadata.mainBranch, reference: main, context: context)
    }

    /// Creates or moves a branch or tag; nil removes it.
    public static func setReference(
        base: TableMetadata, baseLocation: String, name: String, reference: SnapshotReference?, context: CommitContext
    ) throws -> PreparedCommit {
        var changed = base
        if let reference {
            try changed.setReference(name, reference, nowMs: context.nowMs)
        } else {
            guard name != TableMetadata.mainBranch else {
                throw FirnError(.invalidInput, "bad_reference", "the main branch cannot be removed")
            }
            changed.removeReference(name)
        }
        return try MetadataCommit.prepare(changed, base: base, baseLocation: baseLocation, context: context)
    }
}
