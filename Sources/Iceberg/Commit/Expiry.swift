import Base
import Storage

extension SnapshotProducer {
    /// Removes snapshots from the metadata, and finds the files that no other snapshot needs.
    ///
    /// The files may be deleted once the commit has succeeded, never before: a manifest list of every removed snapshot,
    /// the manifests that no kept snapshot lists, the data and delete files that were live in those and are live in no
    /// kept snapshot, and statistics. Unknown ids are ignored; files already gone are no error.
    ///
    /// Throws `.invalidInput` (`snapshot_referenced`) for a snapshot that a branch or tag names, `.conflict`
    /// (`expiry_disabled`) when the table's `gc.enabled` is false.
    public static func expire(
        base: TableMetadata, baseLocation: String, snapshotIds: Set<Int64>, context: CommitContext,
        store: any ObjectStore
    ) throws -> (commit: PreparedCommit, unreachable: [String]) {
        guard base.tableProperties.allowsExpiry else {
            throw FirnError(
                .conflict, "expiry_disabled", "gc.enabled is false: files may belong to other tables",
                context: ["table": base.location])
        }
        var changed = base
        try changed.removeSnapshots(snapshotIds)
        let commit = try MetadataCommit.prepare(changed, base: base, baseLocation: baseLocation, context: context)
        let expired = base.snapshots.filter { snapshotIds.contains($0.snapshotId) }
        return (commit, try unreachable(expired, kept: changed, base: base, store: store))
    }

    private static func unreachable(
        _ expired: [Snapshot], kept: TableMetadata, base: TableMetadata, store: any ObjectStore
    ) throws -> [String] {
        var keptManifests: [String: ManifestFile] = [:]
        var keptPaths = Set(kept.statisticsFiles.map(\.path))
        for snapshot in kept.snapshots {
            keptPaths.insert(snapshot.manifestList)
            for manifest in try Manifests.list(of: snapshot, store: store) { keptManifests[manifest.path] = manifest }
        }
        var gone: Set<String> = []
        var orphans: [String: ManifestFile] = [:]
        for snapshot in expired {
            guard !snapshot.manifestList.isEmpty, !keptPaths.contains(snapshot.manifestList) else { continue }
            gone.insert(snapshot.manifestList)
            for manifest in try missingIsEmpty({ try Manifests.list(of: snapshot, store: store) })
            where keptManifests[manifest.path] == nil {
                orphans[manifest.path] = manifest
            }
        }
        var files: Set<String> = []
        for manifest in orphans.values.sorted(by: { $0.path < $1.path }) {
            gone.insert(manifest.path)
            _ = try missingIsEmpty {
                try Manifests.read(manifest, base, .pathsOnly, store) {
                    if $0.isLive { files.insert($0.dataFile.path) }
                    return true
                }
                return []
            }
        }
        // Newest first: merged and rewritten manifests hold most of what the older ones held.
        for manifest in keptManifests.values.sorted(by: { $0.sequenceNumber > $1.sequenceNumber })
        where !files.isEmpty && manifest.mayHaveLiveFiles {
            try Manifests.read(manifest, base, .pathsOnly, store) {
                if $0.isLive { files.remove($0.dataFile.path) }
                return !files.isEmpty
            }
        }
        for file in base.statisticsFiles where !keptPaths.contains(file.path) { gone.insert(file.path) }
        return gone.union(files).sorted()
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
