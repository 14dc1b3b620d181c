import Base
import Storage

extension SnapshotProducer {
    /// Removes snapshots and references from the metadata, and finds the files that no other snapshot needs.
    ///
    /// The files may be deleted once the commit has succeeded, never before. Unknown ids are ignored; files already
    /// gone are no error.
    ///
    /// Throws `.invalidInput` (`snapshot_referenced`) for a snapshot that a branch or tag names, `.conflict`
    /// (`expiry_disabled`) when the table's `gc.enabled` is false.
    public static func expire(
        base: TableMetadata, baseLocation: String, snapshotIds: Set<Int64>, references: [String] = [],
        context: CommitContext, store: any ObjectStore
    ) throws -> (commit: PreparedCommit, unreachable: [String]) {
        guard base.tableProperties.allowsExpiry else {
            throw FirnError(
                .conflict, "expiry_disabled", "gc.enabled is false: files may belong to other tables",
                context: ["table": base.location])
        }
        var changed = base
        for name in references where name != TableMetadata.mainBranch { changed.removeReference(name) }
        try changed.removeSnapshots(snapshotIds)
        let commit = try MetadataCommit.prepare(changed, base: base, baseLocation: baseLocation, context: context)
        return (commit, try Unreachable.files(after: changed, base: base, store: store))
    }
}

/// Expiry as a part of commits that make snapshots, so that a table that is written to all the time never needs another
/// commit for it.
///
/// Only where the table says itself how long snapshots stay, and only while its history is one chain: that is what
/// expires at the price of what is removed. Some snapshots wait until there are enough of them to be worth the reading,
/// and no more than a few go at a time, so that no commit takes long. Every other history is left to
/// `SnapshotProducer.expire`.
enum ExpiryOnCommit {
    static let snapshotsMin = 16
    static let snapshotsMax = 64

    static func plan(
        _ base: TableMetadata, nowMs: Int64, store: any ObjectStore
    ) throws -> (snapshotIds: [Int64], unreachable: [String])? {
        let properties = base.tableProperties
        guard properties.allowsExpiry, properties["history.expire.max-snapshot-age-ms"] != nil else { return nil }
        let retention = Retention(properties, nowMs: nowMs)
        // The list is in order of time, so this is the usual way out.
        guard base.snapshots.count > snapshotsMin,
            base.snapshots[snapshotsMin - 1].timestampMs < retention.oldBeforeMs
        else { return nil }
        let expired = retention.expired(in: base).snapshotIds
        guard expired.count >= snapshotsMin else { return nil }
        let ids = Array(expired.prefix(snapshotsMax))
        var kept = base
        try kept.removeSnapshots(Set(ids))
        do {
            return try Unreachable.filesOfChain(after: kept, base: base, store: store).map { (ids, $0) }
        } catch let error as FirnError where error.kind == .corrupted || error.kind == .notFound {
            // What is damaged or gone must not stop a commit that has nothing to do with it.
            return nil
        }
    }
}

/// The files that lose their last snapshot when snapshots are removed: a manifest list of every removed snapshot, the
/// manifests that no kept snapshot lists, the data and delete files that were live in those and are live in no kept
/// snapshot, and statistics.
///
/// A manifest that disappears from one snapshot to the next never comes back in a linear history. So when the removed
/// snapshots are the oldest of a single chain, the oldest kept one knows all that is still needed, and the price is
/// that of the removed snapshots, however many are kept (`linear`). Every other history is searched whole (`complete`).
enum Unreachable {
    static func files(after kept: TableMetadata, base: TableMetadata, store: any ObjectStore) throws -> [String] {
        if let files = try filesOfChain(after: kept, base: base, store: store) { return files }
        var gone = statistics(kept, base)
        try complete(removed(kept, base), kept, base, store, &gone)
        return gone.sorted()
    }

    /// The same where the history is one chain whose beginning goes; nil elsewhere.
    static func filesOfChain(
        after kept: TableMetadata, base: TableMetadata, store: any ObjectStore
    ) throws -> [String]? {
        let removed = removed(kept, base)
        guard !removed.isEmpty else { return [] }
        guard let oldest = oldestKept(of: kept, removed) else { return nil }
        var gone = statistics(kept, base)
        try linear(removed, oldest, base, store, &gone)
        return gone.sorted()
    }

    private static func removed(_ kept: TableMetadata, _ base: TableMetadata) -> [Snapshot] {
        let keptIds = Set(kept.snapshots.map(\.snapshotId))
        return base.snapshots.filter { !keptIds.contains($0.snapshotId) }
    }

    private static func statistics(_ kept: TableMetadata, _ base: TableMetadata) -> Set<String> {
        Set(base.statisticsFiles.map(\.path)).subtracting(kept.statisticsFiles.map(\.path))
    }

    /// The oldest kept snapshot when all snapshots are one chain, each the parent of the next, whose beginning goes.
    private static func oldestKept(of kept: TableMetadata, _ removed: [Snapshot]) -> Snapshot? {
        guard let oldest = kept.snapshots.first else { return nil }
        var parent: Int64?
        for (index, snapshot) in removed.enumerated() {
            guard index == 0 || snapshot.parentSnapshotId == parent, !snapshot.manifestList.isEmpty else { return nil }
            parent = snapshot.snapshotId
        }
        for snapshot in kept.snapshots {
            guard snapshot.parentSnapshotId == parent else { return nil }
            parent = snapshot.snapshotId
        }
        // Two snapshots with one list would be no commit of a sane writer.
        return removed.contains { $0.manifestList == oldest.manifestList } ? nil : oldest
    }

    private static func linear(
        _ removed: [Snapshot], _ oldest: Snapshot, _ base: TableMetadata, _ store: any ObjectStore,
        _ gone: inout Set<String>
    ) throws {
        let kept = try Manifests.list(of: oldest, store: store)
        let keptPaths = Set(kept.map(\.path))
        var orphans: [String: ManifestFile] = [:]
        var first: Set<String> = []
        for (index, snapshot) in removed.enumerated() {
            gone.insert(snapshot.manifestList)
            let manifests = try missingIsEmpty { try Manifests.list(of: snapshot, store: store) }
            if index == 0 { first = Set(manifests.map(\.path)) }
            for manifest in manifests where !keptPaths.contains(manifest.path) { orphans[manifest.path] = manifest }
        }
        gone.formUnion(orphans.keys)
        // Manifests that are only merged take no file with them.
        guard (removed.dropFirst() + [oldest]).contains(where: removesFiles) else { return }
        // What survived of an orphan stands in a manifest written after it.
        try files(live(in: orphans, base, store), except: kept.filter { !first.contains($0.path) }, base, store, &gone)
    }

    /// False only when the snapshot says that it added and removed nothing but what it added.
    private static func removesFiles(_ snapshot: Snapshot) -> Bool {
        guard snapshot.operation == "append" else { return true }
        return snapshot.summary["deleted-data-files"] != nil || snapshot.summary["removed-delete-files"] != nil
    }

    private static func complete(
        _ removed: [Snapshot], _ kept: TableMetadata, _ base: TableMetadata, _ store: any ObjectStore,
        _ gone: inout Set<String>
    ) throws {
        var keptManifests: [String: ManifestFile] = [:]
        var keptLists: Set<String> = []
        for snapshot in kept.snapshots {
            keptLists.insert(snapshot.manifestList)
            for manifest in try Manifests.list(of: snapshot, store: store) { keptManifests[manifest.path] = manifest }
        }
        var orphans: [String: ManifestFile] = [:]
        for snapshot in removed where !snapshot.manifestList.isEmpty && !keptLists.contains(snapshot.manifestList) {
            gone.insert(snapshot.manifestList)
            for manifest in try missingIsEmpty({ try Manifests.list(of: snapshot, store: store) })
            where keptManifests[manifest.path] == nil {
                orphans[manifest.path] = manifest
            }
        }
        gone.formUnion(orphans.keys)
        try files(live(in: orphans, base, store), except: Array(keptManifests.values), base, store, &gone)
    }

    /// Files live in manifests that go.
    private static func live(
        in orphans: [String: ManifestFile], _ base: TableMetadata, _ store: any ObjectStore
    ) throws -> Set<String> {
        var files: Set<String> = []
        for manifest in orphans.values.sorted(by: { $0.path < $1.path }) where manifest.mayHaveLiveFiles {
            _ = try missingIsEmpty {
                try Manifests.read(manifest, base, .pathsOnly, store) {
                    if $0.isLive { files.insert($0.dataFile.path) }
                    return true
                }
                return []
            }
        }
        return files
    }

    private static func files(
        _ files: Set<String>, except kept: [ManifestFile], _ base: TableMetadata, _ store: any ObjectStore,
        _ gone: inout Set<String>
    ) throws {
        var files = files
        // Newest first: merged and rewritten manifests hold most of what the older ones held.
        for manifest in kept.sorted(by: { $0.sequenceNumber > $1.sequenceNumber })
        where !files.isEmpty && manifest.mayHaveLiveFiles {
            try Manifests.read(manifest, base, .pathsOnly, store) {
                if $0.isLive { files.remove($0.dataFile.path) }
                return !files.isEmpty
            }
        }
        gone.formUnion(files)
    }

    /// A file of an expired snapshot that is already gone, by an earlier clean-up, has nothing left to find.
    private static func missingIsEmpty(_ body: () throws -> [ManifestFile]) throws -> [ManifestFile] {
        do {
            return try body()
        } catch let error as FirnError where error.kind == .notFound {
            return []
        }
    }
}

/// Every file that a table needs, but for the current metadata file itself: manifest lists and manifests of all
/// snapshots, data and delete files live in any of them, statistics, and the files of the metadata log.
public func reachableFiles(_ metadata: TableMetadata, store: any ObjectStore) throws -> Set<String> {
    var files = Set(metadata.metadataLog.map(\.metadataFile) + metadata.statisticsFiles.map(\.path))
    var seen: Set<String> = []
    for snapshot in metadata.snapshots {
        files.insert(snapshot.manifestList)
        for manifest in try Manifests.list(of: snapshot, store: store) where seen.insert(manifest.path).inserted {
            files.insert(manifest.path)
            guard manifest.mayHaveLiveFiles else { continue }
            try Manifests.read(manifest, metadata, .pathsOnly, store) {
                if $0.isLive { files.insert($0.dataFile.path) }
                return true
            }
        }
    }
    return files
}
