import Base
import Columnar
import Iceberg

/// Commits that change rows. Each reads no more than its validation says, and is checked again on every new base.
extension TableCommitter {
    /// What a row delta adds and removes; see `SnapshotProducer.rowDelta`.
    public struct RowDelta: Sendable {
        public var branch = TableMetadata.mainBranch
        /// Recorded in the ledger by this process, as are the files of `addedDeletes`.
        public var addedData: [DataFile] = []
        public var addedDeletes: [DataFile] = []
        public var removedData: Set<String> = []
        public var removedDeletes: [ManifestEntry] = []
        /// Data files that the added deletes name beyond those in their entries.
        public var referencedData: Set<String> = []
        public var validation: CommitValidation?
        public var summary: [String: String] = [:]

        public init() {}
    }

    /// Adds and deletes rows at once: a delete, update or merge.
    ///
    /// Throws `.conflict` as `SnapshotProducer.rowDelta` says: read again and plan again.
    public func rowDelta(_ delta: RowDelta) throws -> CommitResult {
        try commit(changingRows(delta).participant.change)
    }

    /// The same as a part of a joint commit.
    public func changingRows(_ delta: RowDelta) -> JointPart {
        let added = Set((delta.addedData + delta.addedDeletes).map(\.path)).sorted()
        return part(added: added, summary: delta.summary) { base, context, core in
            try SnapshotProducer.rowDelta(
                base: base.metadata, baseLocation: base.metadataLocation, branch: delta.branch,
                addedData: delta.addedData, addedDeletes: delta.addedDeletes, removedData: delta.removedData,
                removedDeletes: delta.removedDeletes, referencedData: delta.referencedData,
                validation: delta.validation, context: context, store: core.store)
        }
    }

    /// Replaces all rows that match a filter by those of `added`. Throws `.conflict` (`rows_partially_match`) when a
    /// file would have to be split, and as `SnapshotProducer.overwrite` says.
    public func overwrite(
        filter: Expression, added: [DataFile], branch: String = TableMetadata.mainBranch,
        validation: CommitValidation?, summary: [String: String] = [:]
    ) throws -> CommitResult {
        let change = part(added: added.map(\.path), summary: summary) { base, context, core in
            try SnapshotProducer.overwrite(
                base: base.metadata, baseLocation: base.metadataLocation, branch: branch, filter: filter,
                added: added, validation: validation, context: context, store: core.store)
        }
        return try commit(change.participant.change)
    }

    /// Replaces the partitions that the added files belong to.
    public func replacePartitions(
        _ added: [DataFile], branch: String = TableMetadata.mainBranch, validation: CommitValidation?,
        summary: [String: String] = [:]
    ) throws -> CommitResult {
        let change = part(added: added.map(\.path), summary: summary) { base, context, core in
            try SnapshotProducer.replacePartitions(
                base: base.metadata, baseLocation: base.metadataLocation, branch: branch, added: added,
                validation: validation, context: context, store: core.store)
        }
        return try commit(change.participant.change)
    }

    /// Deletes all rows that match a filter by removing whole files; no snapshot is made when none can match. Throws
    /// `.conflict` (`rows_partially_match`) when a file would have to be split.
    public func deleteFiles(
        filter: Expression, branch: String = TableMetadata.mainBranch, validation: CommitValidation? = nil,
        summary: [String: String] = [:]
    ) throws -> CommitResult {
        try overwrite(filter: filter, added: [], branch: branch, validation: validation, summary: summary)
    }

    /// Removes whole data files by their locations. Throws `.conflict` (`file_not_live`).
    public func deleteFiles(
        _ paths: Set<String>, branch: String = TableMetadata.mainBranch, summary: [String: String] = [:]
    ) throws -> CommitResult {
        let change = part(added: [], summary: summary) { base, context, core in
            try SnapshotProducer.delete(
                base: base.metadata, baseLocation: base.metadataLocation, branch: branch, files: paths,
                context: context, store: core.store)
        }
        return try commit(change.participant.change)
    }

    /// Sorts the entries of the manifests by partition into few manifests; the table's files stay the same.
    public func rewriteManifests(
        branch: String = TableMetadata.mainBranch, specIds: Set<Int>? = nil, summary: [String: String] = [:]
    ) throws -> CommitResult {
        let change = part(added: [], summary: summary) { base, context, core in
            try SnapshotProducer.rewriteManifests(
                base: base.metadata, baseLocation: base.metadataLocation, branch: branch, specIds: specIds,
                context: context, store: core.store)
        }
        return try commit(change.participant.change)
    }

    /// Applies what another snapshot changed to the head of a branch.
    ///
    /// Throws `.invalidInput` (`unknown_snapshot`, `bad_cherry_pick`), `.conflict` (`already_picked`, and what changed
    /// meanwhile).
    public func cherryPick(
        _ snapshotId: Int64, onto branch: String = TableMetadata.mainBranch, summary: [String: String] = [:]
    ) throws -> CommitResult {
        let change = part(added: [], summary: summary) { base, context, core in
            try SnapshotProducer.cherryPick(
                base: base.metadata, baseLocation: base.metadataLocation, branch: branch, snapshotId: snapshotId,
                context: context, store: core.store)
        }
        return try commit(change.participant.change)
    }

    /// A change that makes a snapshot, stamped with the marks of the snapshot before it. `build` answers nil when there
    /// is nothing to do.
    private func part(
        added: [String], summary: [String: String],
        _ build: @escaping (Table, CommitContext, CatalogCore) throws -> PreparedCommit?
    ) -> JointPart {
        let change = TableChange(
            prepare: { [core] base, context in
                var context = context
                let stamp = SnapshotSummary.carried(from: base.metadata, version: FirnVersion.current)
                context.summary = summary.merging(stamp) { _, stamp in stamp }
                return try build(base, context, core).map { TableChange.Prepared(commit: $0) }
            }, added: added)
        return JointPart(participant: JointCommit.Participant(committer: self, change: change))
    }
}
