import Base
import Columnar
import Storage

/// Removing files: only manifests that hold one of them are rewritten, removed files as deleted, the others as existing
/// with explicit sequence numbers and row ids. What is rewritten goes into as few manifests as their target size
/// allows, so that removing many small files does not leave as many small manifests.
extension SnapshotBuilder {
    /// The current data manifests without these files, and the entries that went.
    ///
    /// Throws `.conflict` (`file_not_live`).
    mutating func removing(_ paths: Set<String>) throws -> ([ManifestFile], [ManifestEntry]) {
        var missing = paths
        var manifests: [ManifestFile] = []
        var removed: [ManifestEntry] = []
        var writers: [Int: ManifestWriter] = [:]
        for manifest in current where manifest.content == .data {
            guard !missing.isEmpty else {
                manifests.append(manifest)
                continue
            }
            // Finding a path is much cheaper than decoding the statistics beside it.
            var holdsAny = false
            try Manifests.read(manifest, base, .pathsOnly, store) {
                holdsAny = $0.isLive && missing.contains($0.dataFile.path)
                return !holdsAny
            }
            guard holdsAny else {
                manifests.append(manifest)
                continue
            }
            let (full, gone) = try rewrite(manifest, &writers) { missing.remove($0.dataFile.path) != nil }
            manifests += full
            removed += gone
        }
        for specId in writers.keys.sorted() { manifests.append(try finish(&writers[specId]!)) }
        if let path = missing.min() {
            throw FirnError(
                .conflict, "file_not_live", "\(missing.count) of the files to remove are not live any more",
                context: ["file": path])
        }
        return (manifests, removed)
    }

    /// What to take out of the delete manifests.
    struct DeleteRemoval {
        /// These go; each must be live.
        var files: Set<DeleteFileKey> = []
        /// Data files that go: deletes that refer to one of them alone go with it.
        var dataFiles: Set<String> = []
        /// Data files that get a deletion vector: none of them may keep another.
        var vectorTargets: Set<String> = []
        /// Deletes with a smaller sequence number apply to no live data file any more.
        var sequenceNumberMin: Int64 = 0

        func drops(_ entry: ManifestEntry) -> Bool {
            let file = entry.dataFile
            let number = entry.sequenceNumber ?? 0
            if files.contains(file.deleteKey) || number < sequenceNumberMin { return true }
            // An equality delete only applies to older files.
            if file.content == .equalityDeletes, number > 0, number == sequenceNumberMin { return true }
            return file.content == .positionDeletes && file.referencedDataFile.map(dataFiles.contains) ?? false
        }
    }

    /// The current delete manifests without what has to go.
    ///
    /// Throws `.conflict`: `delete_file_not_live`, or `deletion_vector_exists` when a data file that gets a deletion
    /// vector has one that does not go.
    mutating func removingDeletes(_ removal: DeleteRemoval) throws -> [ManifestFile] {
        var missing = removal.files
        var manifests: [ManifestFile] = []
        var writers: [Int: ManifestWriter] = [:]
        let searchesAll = !removal.dataFiles.isEmpty || !removal.vectorTargets.isEmpty
        for manifest in current where manifest.content == .deletes {
            guard searchesAll || !missing.isEmpty || manifest.minSequenceNumber <= removal.sequenceNumberMin else {
                manifests.append(manifest)
                continue
            }
            var holdsAny = false
            try Manifests.read(manifest, base, .pathsOnly, store) { entry in
                guard entry.isLive else { return true }
                if removal.drops(entry) {
                    holdsAny = true
                } else if entry.dataFile.isDeletionVector, let target = entry.dataFile.referencedDataFile,
                    removal.vectorTargets.contains(target)
                {
                    throw FirnError(
                        .conflict, "deletion_vector_exists", "the data file has another deletion vector",
                        context: ["file": target, "deletes": entry.dataFile.path])
                }
                return true
            }
            guard holdsAny else {
                manifests.append(manifest)
                continue
            }
            let (full, gone) = try rewrite(manifest, &writers, removal.drops)
            manifests += full
            for entry in gone { missing.remove(entry.dataFile.deleteKey) }
        }
        for specId in writers.keys.sorted() { manifests.append(try finish(&writers[specId]!)) }
        if let key = missing.min(by: { $0.path < $1.path }) {
            throw FirnError(
                .conflict, "delete_file_not_live",
                "\(missing.count) of the delete files to remove are not live any more",
                context: ["file": key.path])
        }
        return manifests
    }

    /// The delete manifests after data files went: without the delete files that apply to none of the live ones.
    ///
    /// The smallest live data sequence number counts those that this commit gives its files explicitly. Otherwise an
    /// equality delete that still applies to a compacted file would be lost.
    ///
    /// - Parameter data: all data manifests of the new snapshot.
    mutating func deleteManifests(
        after data: [ManifestFile], removed: [ManifestEntry], removal: DeleteRemoval = DeleteRemoval()
    ) throws -> [ManifestFile] {
        var removal = removal
        if !removed.isEmpty {
            removal.dataFiles = Set(removed.map(\.dataFile.path))
            removal.sequenceNumberMin =
                data.filter(\.mayHaveLiveFiles).map(\.minSequenceNumber).min() ?? sequenceNumber
        }
        return try removingDeletes(removal)
    }

    /// Moves the entries of a manifest to the writer of its spec; returns the manifests that were finished because they
    /// had reached their size, and the entries that were dropped.
    private mutating func rewrite(
        _ manifest: ManifestFile, _ writers: inout [Int: ManifestWriter], _ drops: (ManifestEntry) -> Bool
    ) throws -> (full: [ManifestFile], removed: [ManifestEntry]) {
        let spec = try spec(manifest.specId)
        var full: [ManifestFile] = []
        var removed: [ManifestEntry] = []
        var writer = writers.removeValue(forKey: spec.specId) ?? self.writer(spec, manifest.content)
        if writer.byteCount >= base.tableProperties.manifestBytesTarget {
            full.append(try finish(&writer))
            writer = self.writer(spec, manifest.content)
        }
        try Manifests.read(manifest, base, .all, store) {
            guard $0.isLive else { return true }
            var entry = $0
            if drops(entry) {
                removed.append(entry)
                summary.remove(entry.dataFile, spec: spec)
                entry.status = .deleted
                entry.snapshotId = context.snapshotId
            } else {
                entry.status = .existing
            }
            try writer.append(entry)
            return true
        }
        writers[spec.specId] = writer
        return (full, removed)
    }
}
