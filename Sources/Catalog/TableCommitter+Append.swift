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
        let paths = files.map(\.path)
        precondition(Set(paths).count == paths.count, "a data file is twice in one commit")
        return try commit(
            TableChange(
                prepare: { [core] base, context in
                    guard !files.isEmpty else { return nil }
                    var context = context
                    let stamp =
                        mark.map { SnapshotSummary.entries(of: $0, version: FirnVersion.current) }
                        ?? SnapshotSummary.carried(from: base.metadata, version: FirnVersion.current)
                    context.summary = summary.merging(stamp) { _, stamp in stamp }
                    let commit = try SnapshotProducer.append(
                        base: base.metadata, baseLocation: base.metadataLocation, files: files, context: context,
                        store: core.store)
                    return TableChange.Prepared(commit: commit)
                }, added: paths, mark: mark))
    }

    /// Swaps files for others that hold the same rows, as compaction does.
    ///
    /// The outputs take the data sequence number of the snapshot that the inputs were read at, so that deletes committed
    /// since then still apply to them.
    ///
    /// - Parameters:
    ///   - removed: paths of live data files.
    ///   - added: their replacement, recorded in the ledger by this process.
    ///   - snapshotId: the snapshot that the inputs were read at.
    ///   - validate: a further check on the base, run before every attempt; its throw ends the commit.
    /// - Throws: `.conflict`: `file_not_live` when an input is gone, `deletes_added` when rows of the inputs may have
    ///   been deleted since by position, `history_changed` when that snapshot is no ancestor any more. Plan again.
    public func replace(
        removed: [String], added: [DataFile], basedOn snapshotId: Int64, summary: [String: String] = [:],
        validate: (@Sendable (Table) throws -> Void)? = nil
    ) throws -> CommitResult {
        let paths = added.map(\.path)
        precondition(Set(paths).count == paths.count, "a data file is twice in one commit")
        precondition(!removed.isEmpty, "a replacement that removes nothing")
        // Fixed by the base that the caller read, whatever base an attempt builds on.
        var sequenceNumber: Int64?
        return try commit(
            TableChange(
                prepare: { [core] base, context in
                    sequenceNumber = try sequenceNumber ?? base.metadata.snapshot(id: snapshotId)?.sequenceNumber
                    try ReplaceRules.check(base.metadata, since: snapshotId)
                    try validate?(base)
                    var context = context
                    let stamp = SnapshotSummary.carried(from: base.metadata, version: FirnVersion.current)
                    context.summary = summary.merging(stamp) { _, stamp in stamp }
                    let commit = try SnapshotProducer.replace(
                        base: base.metadata, baseLocation: base.metadataLocation, removed: Set(removed), added: added,
                        dataSequenceNumber: sequenceNumber, context: context, store: core.store)
                    return TableChange.Prepared(commit: commit)
                }, added: paths))
    }
}

/// What must not have happened between the snapshot a compaction read and the one it commits on.
enum ReplaceRules {
    private static let deleteKeys = ["added-position-delete-files", "added-position-deletes", "added-dvs"]

    /// A position delete names a row by file and offset: if one was added for an input, the row would come back with
    /// the output. The summaries of the snapshots in between say whether any was.
    static func check(_ metadata: TableMetadata, since start: Int64) throws {
        var current = metadata.currentSnapshot
        var steps = 0
        while let snapshot = current, snapshot.snapshotId != start, steps <= metadata.snapshots.count {
            if mayAddPositionDeletes(snapshot) {
                throw FirnError(
                    .conflict, "deletes_added", "rows may have been deleted since the files were read",
                    context: ["snapshot-id": String(snapshot.snapshotId)])
            }
            current = snapshot.parentSnapshotId.flatMap { metadata.snapshot(id: $0) }
            steps += 1
        }
        guard current?.snapshotId == start else {
            throw FirnError(
                .conflict, "history_changed", "the snapshot that the files were read at is no ancestor any more",
                context: ["snapshot-id": String(start)])
        }
    }

    private static func mayAddPositionDeletes(_ snapshot: Snapshot) -> Bool {
        switch snapshot.operation {
        case "append", "replace": return false
        default: break
        }
        if deleteKeys.contains(where: { snapshot.summary[$0].map { $0 != "0" } ?? false }) { return true }
        // Summaries are optional in detail: without any count of delete files there is no telling.
        return snapshot.summary["total-delete-files"] == nil && snapshot.summary["added-delete-files"] == nil
    }
}
