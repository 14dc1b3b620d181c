import Base
import Iceberg
import SQLiteKit

extension TableCommitter {
    /// Adds data files to the table and, with a mark, moves the table's log position, all at once.
    ///
    /// Every file must have been recorded in the ledger by this process before it was written. With no files only the
    /// mark moves and no snapshot is made; with no mark the log position stays.
    ///
    /// - Parameter summary: further summary entries of the snapshot.
    public func append(
        _ files: [DataFile], ingest mark: IngestMark?, summary: [String: String] = [:]
    ) throws -> CommitResult {
        try commit(appending(files, ingest: mark, summary: summary).participant.change)
    }

    /// The same as a part of a joint commit.
    public func appending(
        _ files: [DataFile], ingest mark: IngestMark?, summary: [String: String] = [:]
    ) -> JointPart {
        let paths = files.map(\.path)
        precondition(Set(paths).count == paths.count, "a data file is twice in one commit")
        let change = TableChange(
            prepare: { [core] base, context in
                guard !files.isEmpty else { return nil }
                var context = context
                context.snapshotMs = mark?.arrivedMs
                let stamp =
                    mark.map { SnapshotSummary.entries(of: $0, version: FirnVersion.current) }
                    ?? SnapshotSummary.carried(from: base.metadata, version: FirnVersion.current)
                context.summary = summary.merging(stamp) { _, stamp in stamp }
                let commit = try SnapshotProducer.append(
                    base: base.metadata, baseLocation: base.metadataLocation, files: files, context: context,
                    store: core.store)
                return TableChange.Prepared(commit: commit)
            }, added: paths, mark: mark)
        return JointPart(participant: JointCommit.Participant(committer: self, change: change))
    }

    /// Replaces whole files by others with other rows, as a part of a joint commit: rows leave the table or change.
    ///
    /// - Parameters:
    ///   - removed: paths of live data files; the commit fails as `.conflict` (`file_not_live`) when one is gone, or
    ///     (`deletes_added`) when rows of one were deleted after `snapshotId`.
    ///   - added: recorded in the ledger by this process.
    ///   - snapshotId: the snapshot that the removed files were read at.
    public func overwriting(
        removed: [String], added: [DataFile], basedOn snapshotId: Int64, summary: [String: String] = [:]
    ) throws -> JointPart {
        let start = try table().metadata.snapshot(id: snapshotId)
        let change = TableChange(
            prepare: { [core] base, context in
                guard let start else {
                    throw FirnError(
                        .conflict, "history_changed", "the snapshot that the files were read at is gone",
                        context: ["snapshot-id": String(snapshotId)])
                }
                var context = context
                let stamp = SnapshotSummary.carried(from: base.metadata, version: FirnVersion.current)
                context.summary = summary.merging(stamp) { _, stamp in stamp }
                let commit = try SnapshotProducer.overwrite(
                    base: base.metadata, baseLocation: base.metadataLocation, removed: Set(removed), added: added,
                    readAt: start.sequenceNumber, context: context, store: core.store)
                return TableChange.Prepared(commit: commit)
            }, added: added.map(\.path))
        return JointPart(participant: JointCommit.Participant(committer: self, change: change))
    }

    /// Swaps files for others that hold the same rows, as compaction does.
    ///
    /// The outputs take the data sequence number of the snapshot that the inputs were read at, so that deletes
    /// committed since then still apply to them.
    ///
    /// - Parameters:
    ///   - removed: paths of live data files.
    ///   - added: their replacement, recorded in the ledger by this process.
    ///   - snapshotId: the snapshot that the inputs were read at.
    ///   - validate: a further check on the base, run before every attempt; its throw ends the commit.
    /// - Throws: `.conflict`: `file_not_live` when an input is gone, `deletes_added` when rows of the inputs have been
    ///   deleted since by position, `history_changed` when that snapshot is no ancestor any more. Plan again.
    public func replace(
        removed: [String], added: [DataFile], basedOn snapshotId: Int64, summary: [String: String] = [:],
        validate: (@Sendable (Table) throws -> Void)? = nil
    ) throws -> CommitResult {
        precondition(!removed.isEmpty, "a replacement that removes nothing")
        // Fixed by the state that the caller read, whatever base an attempt builds on.
        let start = try table().metadata.snapshot(id: snapshotId)
        let group = FileReplacement(removed: removed, added: added, readAt: start?.sequenceNumber ?? 0)
        return try replace([group], checkedAt: snapshotId, summary: summary, validate: validate)
    }

    /// Several groups of files at once, each read at a snapshot of its own.
    ///
    /// - Parameter snapshotId: a snapshot at which what the groups say held; it must be an
    ///   ancestor of what is committed on.
    /// - Throws: as for one group; the context of a conflict names one of the files that are concerned.
    public func replace(
        _ groups: [FileReplacement], checkedAt snapshotId: Int64, summary: [String: String] = [:],
        validate: (@Sendable (Table) throws -> Void)? = nil
    ) throws -> CommitResult {
        let paths = groups.flatMap { $0.added.map(\.path) + Set($0.addedDeletes.map(\.path)) }
        precondition(Set(paths).count == paths.count, "a data file is twice in one commit")
        return try commit(
            TableChange(
                prepare: { [core] base, context in
                    // After a rollback, rows that the caller saw deleted may be there again.
                    guard let current = base.metadata.currentSnapshotId,
                        base.metadata.isAncestor(snapshotId, of: current)
                    else {
                        throw FirnError(
                            .conflict, "history_changed", "the files were read at a snapshot that is no ancestor now",
                            context: ["snapshot-id": String(snapshotId)])
                    }
                    try validate?(base)
                    var context = context
                    let stamp = SnapshotSummary.carried(from: base.metadata, version: FirnVersion.current)
                    context.summary = summary.merging(stamp) { _, stamp in stamp }
                    let commit = try SnapshotProducer.replace(
                        base: base.metadata, baseLocation: base.metadataLocation, groups, context: context,
                        store: core.store)
                    return TableChange.Prepared(commit: commit)
                }, added: paths))
    }
}
