import Base
import Columnar
import Storage

extension SnapshotBuilder {
    /// The current manifests without these data files: only manifests that hold one of them are rewritten, removed
    /// files as deleted, the others as existing. What is rewritten goes into as few manifests as their target size
    /// allows, so that removing many small files does not leave as many small manifests.
    ///
    /// Throws `.conflict` (`file_not_live`).
    mutating func removing(_ paths: Set<String>) throws -> ([ManifestFile], [ManifestEntry]) {
        var missing = paths
        var manifests: [ManifestFile] = []
        var removed: [ManifestEntry] = []
        var writers: [Int: ManifestWriter] = [:]
        for manifest in current {
            guard manifest.content == .data, !missing.isEmpty else {
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
            if let full = try rewrite(manifest, &missing, &removed, &writers) { manifests.append(full) }
        }
        for specId in writers.keys.sorted() { manifests.append(try finish(&writers[specId]!)) }
        if let path = missing.min() {
            throw FirnError(
                .conflict, "file_not_live", "\(missing.count) of the files to remove are not live any more",
                context: ["file": path])
        }
        return (manifests, removed)
    }

    /// Moves the entries of a manifest to the writer of its spec; returns the manifest that was finished because it had
    /// reached its size.
    private mutating func rewrite(
        _ manifest: ManifestFile, _ missing: inout Set<String>, _ removed: inout [ManifestEntry],
        _ writers: inout [Int: ManifestWriter]
    ) throws -> ManifestFile? {
        let spec = try spec(manifest.specId)
        var full: ManifestFile?
        var writer = writers.removeValue(forKey: spec.specId) ?? self.writer(spec)
        if writer.byteCount >= base.tableProperties.manifestBytesTarget {
            full = try finish(&writer)
            writer = self.writer(spec)
        }
        try Manifests.read(manifest, base, .all, store) {
            guard $0.isLive else { return true }
            var entry = $0
            if missing.remove(entry.dataFile.path) != nil {
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
        return full
    }

    /// Refuses to replace files to which deletes apply that the replacement cannot know of.
    ///
    /// A position delete or deletion vector names rows of a file that is about to go; an equality delete still applies
    /// to the replacement when that keeps the old data sequence number. Deletes up to `sequenceNumber` were there when
    /// the rows were read.
    func checkDeletes(_ removed: [ManifestEntry], since sequenceNumber: Int64?) throws {
        for manifest in current where manifest.content == .deletes {
            try Manifests.read(manifest, base, .fields([DeleteFiles.pathFieldId]), store) { delete in
                guard delete.isLive, (delete.sequenceNumber ?? 0) > sequenceNumber ?? -1,
                    sequenceNumber == nil || delete.dataFile.content != .equalityDeletes,
                    let target = removed.first(where: { DeleteFiles.applies(delete, to: $0, base) })
                else { return true }
                throw FirnError(
                    .conflict, "deletes_added", "deletes were added for a file to be replaced",
                    context: ["file": target.dataFile.path])
            }
        }
    }
}
