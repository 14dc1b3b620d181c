import Base
import Columnar
import Storage

/// What others committed to the branch since a snapshot, and whether it stands against a commit that read that
/// snapshot.
///
/// 1. The snapshots between the branch's head and the start are found by their parents; a gap (the start is no
///    ancestor, or history has expired) fails the commit.
/// 2. Of each of these only the manifests that it wrote itself are read, and of those only the entries that it added or
///    deleted, narrowed by the filter.
/// 3. Which operations count for which check is as in the reference implementation: a compaction (`replace`) adds no
///    rows, an append removes none.
///
/// Every failure is `.conflict`, with the file and the snapshot in its context.
extension SnapshotBuilder {
    /// Newest first. Throws `history_changed`.
    func snapshots(since start: Int64?) throws(FirnError) -> [Snapshot] {
        var found: [Snapshot] = []
        var next = parent?.snapshotId
        while let id = next, id != start {
            guard found.count <= base.snapshots.count, let snapshot = base.snapshot(id: id) else { break }
            found.append(snapshot)
            next = snapshot.parentSnapshotId
        }
        guard next == start else {
            throw FirnError(
                .conflict, "history_changed",
                "what was committed since \(start.map { "snapshot \($0)" } ?? "the table began") is not known",
                context: ["branch": branch])
        }
        return found
    }

    /// Every entry of one kind that those snapshots made and that passes the filter.
    private func forEachChange(
        _ snapshots: [Snapshot], _ content: ManifestFile.Content, _ status: ManifestEntry.Status,
        operations: Set<String>, filter: FileFilter?, _ body: (ManifestEntry, Snapshot) throws -> Void
    ) throws {
        for snapshot in snapshots where snapshot.operation.map(operations.contains) ?? true {
            for manifest in try Manifests.list(of: snapshot, store: store)
            where manifest.content == content && manifest.addedSnapshotId == snapshot.snapshotId {
                let count = status == .added ? manifest.addedFilesCount : manifest.deletedFilesCount
                guard count != 0, status == .deleted || filter?.mayMatch(manifest) ?? true else { continue }
                let ids = (filter?.fieldIds ?? []).union([DeleteFiles.pathFieldId])
                try Manifests.read(manifest, base, .fields(ids), store) { entry in
                    if entry.status == status, entry.snapshotId == snapshot.snapshotId,
                        filter?.mayMatch(entry.dataFile) ?? true
                    {
                        try body(entry, snapshot)
                    }
                    return true
                }
            }
        }
    }

    private func conflict(_ code: String, _ message: String, _ entry: ManifestEntry, _ snapshot: Snapshot) -> FirnError
    {
        FirnError(
            .conflict, code, message,
            context: [
                "file": entry.dataFile.path, "snapshot-id": String(snapshot.snapshotId), "branch": branch,
            ])
    }

    /// Throws `data_files_added`.
    func checkNoDataAdded(
        _ snapshots: [Snapshot], _ filter: FileFilter? = nil, in partitions: Set<PartitionKey>? = nil
    ) throws {
        try forEachChange(snapshots, .data, .added, operations: ["append", "overwrite"], filter: filter) {
            guard partitions?.contains(PartitionKey($0.dataFile)) ?? true else { return }
            throw conflict("data_files_added", "rows that may match were added meanwhile", $0, $1)
        }
    }

    /// Throws `delete_files_added`.
    func checkNoDeletesAdded(
        _ snapshots: [Snapshot], _ filter: FileFilter? = nil, in partitions: Set<PartitionKey>? = nil
    ) throws {
        try forEachChange(snapshots, .deletes, .added, operations: ["overwrite", "delete"], filter: filter) {
            guard partitions?.contains(PartitionKey($0.dataFile)) ?? true else { return }
            throw conflict("delete_files_added", "rows that may match were deleted meanwhile", $0, $1)
        }
    }

    /// Throws `data_files_removed`.
    func checkNoDataRemoved(
        _ snapshots: [Snapshot], _ filter: FileFilter? = nil, in partitions: Set<PartitionKey>? = nil
    ) throws {
        try forEachChange(snapshots, .data, .deleted, operations: ["overwrite", "replace", "delete"], filter: filter) {
            guard partitions?.contains(PartitionKey($0.dataFile)) ?? true else { return }
            throw conflict("data_files_removed", "files with rows that may match were removed meanwhile", $0, $1)
        }
    }

    /// Throws `data_files_removed` when one of these files went.
    func checkStillThere(_ paths: Set<String>, _ snapshots: [Snapshot]) throws {
        guard !paths.isEmpty else { return }
        try forEachChange(snapshots, .data, .deleted, operations: ["overwrite", "replace", "delete"], filter: nil) {
            guard paths.contains($0.dataFile.path) else { return }
            throw conflict("data_files_removed", "a file whose rows are deleted was removed meanwhile", $0, $1)
        }
    }

    /// Throws `deletion_vector_exists` when another commit gave one of these data files a deletion vector.
    func checkNoVectorsAdded(_ targets: Set<String>, _ snapshots: [Snapshot]) throws {
        guard !targets.isEmpty else { return }
        try forEachChange(snapshots, .deletes, .added, operations: ["overwrite", "delete", "replace"], filter: nil) {
            guard $0.dataFile.isDeletionVector, let target = $0.dataFile.referencedDataFile, targets.contains(target)
            else { return }
            throw conflict("deletion_vector_exists", "the data file got a deletion vector meanwhile", $0, $1)
        }
    }

    /// Refuses to replace files to which deletes apply that the replacement cannot know of.
    ///
    /// A position delete or deletion vector names rows of a file that is about to go; an equality delete still applies
    /// to the replacement when that keeps the old data sequence number. Deletes up to `sequenceNumber` were there when
    /// the rows were read.
    ///
    /// Throws `deletes_added`.
    func checkDeletes(
        _ removed: [ManifestEntry], since sequenceNumber: Int64?, equalityDeletesStay: Bool = true
    ) throws {
        guard !removed.isEmpty else { return }
        let byPath = Dictionary(removed.map { ($0.dataFile.path, $0) }, uniquingKeysWith: { first, _ in first })
        for manifest in current
        where manifest.content == .deletes && manifest.sequenceNumber > sequenceNumber ?? -1 {
            try Manifests.read(manifest, base, .fields([DeleteFiles.pathFieldId]), store) { delete in
                guard delete.isLive, (delete.sequenceNumber ?? 0) > sequenceNumber ?? -1,
                    sequenceNumber == nil || !equalityDeletesStay || delete.dataFile.content != .equalityDeletes
                else { return true }
                let candidates = delete.dataFile.referencedDataFile.map { [byPath[$0]].compactMap(\.self) } ?? removed
                guard let target = candidates.first(where: { DeleteFiles.applies(delete, to: $0, base) }) else {
                    return true
                }
                throw FirnError(
                    .conflict, "deletes_added", "deletes were added for a file to be replaced",
                    context: [
                        "file": target.dataFile.path, "deletes": delete.dataFile.path,
                        "snapshot-id": String(delete.snapshotId ?? 0),
                    ])
            }
        }
    }
}
