import Base
import Columnar
import Storage

extension SnapshotProducer {
    /// Applies what another snapshot changed to the head of a branch, as a new snapshot that names its source.
    ///
    /// A snapshot that was made right on the branch's head becomes the head itself. Otherwise its added data files are
    /// added again, if it was an append, or its partitions replaced again, if it replaced partitions and nobody has
    /// added to them since. The files keep their row ids.
    ///
    /// Throws `.invalidInput` (`unknown_snapshot`, `bad_cherry_pick` for another kind of snapshot), `.conflict`
    /// (`already_picked`, `data_files_added`, `file_not_live`, `history_changed`).
    public static func cherryPick(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, snapshotId: Int64,
        context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        guard let picked = base.snapshot(id: snapshotId) else {
            throw FirnError(.invalidInput, "unknown_snapshot", "there is no snapshot \(snapshotId)")
        }
        let head = base.snapshot(ref: branch) ?? base.currentSnapshot
        if picked.parentSnapshotId == head?.snapshotId, head != nil || base.currentSnapshotId == nil {
            var reference = base.refs[branch] ?? SnapshotReference(snapshotId: 0, kind: .branch)
            reference.snapshotId = snapshotId
            return try MetadataCommit.prepare(
                applying: [.setSnapshotRef(branch, reference)], to: base, baseLocation: baseLocation, context: context)
        }
        if let head { try checkNotPicked(picked, head, base) }
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        var extra = ["source-snapshot-id": String(snapshotId)]
        if let id = picked.summary["wap.id"] { extra["published-wap-id"] = id }
        let (added, removed) = try builder.changes(of: picked)
        switch picked.operation {
        case "append"?:
            let data = try builder.addedManifests(added)
            return try builder.commit(
                operation: "append", manifests: try builder.merge(data + builder.current), extra: extra)
        case "overwrite"? where picked.summary["replace-partitions"] == "true":
            try builder.checkUntouched(
                Set(added.map { PartitionKey($0) }), since: builder.snapshots(since: picked.parentSnapshotId),
                data: true)
            let (rewritten, removedFiles) = try builder.removing(removed)
            let data = try builder.addedManifests(added) + rewritten
            let deletes = try builder.deleteManifests(after: data, removed: removedFiles)
            extra["replace-partitions"] = "true"
            return try builder.commit(
                operation: "overwrite", manifests: try builder.merge(data + deletes), extra: extra)
        default:
            throw FirnError(
                .invalidInput, "bad_cherry_pick",
                "snapshot \(snapshotId) is no append, no replacement of partitions, and not based on the branch's head",
                context: ["snapshot-id": String(snapshotId)])
        }
    }

    private static func checkNotPicked(
        _ picked: Snapshot, _ head: Snapshot, _ base: TableMetadata
    ) throws(FirnError) {
        let source = String(picked.snapshotId)
        var next: Snapshot? = head
        var steps = 0
        while let snapshot = next, steps <= base.snapshots.count {
            if snapshot.snapshotId == picked.snapshotId || snapshot.summary["source-snapshot-id"] == source {
                throw FirnError(
                    .conflict, "already_picked", "the branch holds snapshot \(source) already",
                    context: ["snapshot-id": String(snapshot.snapshotId)])
            }
            next = snapshot.parentSnapshotId.flatMap { base.snapshot(id: $0) }
            steps += 1
        }
    }
}

extension SnapshotBuilder {
    /// The data files that a snapshot added and removed. Throws `.invalidInput` (`bad_cherry_pick`) when it wrote
    /// delete files, which name files and sequence numbers of their own history.
    fileprivate func changes(of snapshot: Snapshot) throws -> (added: [DataFile], removed: Set<String>) {
        var added: [DataFile] = []
        var removed: Set<String> = []
        for manifest in try Manifests.list(of: snapshot, store: store)
        where manifest.addedSnapshotId == snapshot.snapshotId {
            guard manifest.content == .data else {
                throw FirnError(
                    .invalidInput, "bad_cherry_pick", "snapshot \(snapshot.snapshotId) changed delete files",
                    context: ["snapshot-id": String(snapshot.snapshotId)])
            }
            try Manifests.read(manifest, base, .all, store) {
                guard $0.snapshotId == snapshot.snapshotId else { return true }
                switch $0.status {
                case .added: added.append($0.dataFile)
                case .deleted: removed.insert($0.dataFile.path)
                case .existing: break
                }
                return true
            }
        }
        return (added, removed)
    }

    /// Throws `.conflict` when data files (if `data`) or delete files were added to these partitions, or data files
    /// removed from them.
    func checkUntouched(_ partitions: Set<PartitionKey>, since snapshots: [Snapshot], data: Bool) throws {
        if data { try checkNoDataAdded(snapshots, in: partitions) }
        try checkNoDeletesAdded(snapshots, in: partitions)
        try checkNoDataRemoved(snapshots, in: partitions)
    }
}
