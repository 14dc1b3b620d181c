import Base

/// Keeps the manifest list short.
///
/// 1. Manifests are grouped by content and partition spec, which a manifest has one of each.
/// 2. A group is packed, from its oldest end, into bins of at most `commit.manifest.target-size-bytes`.
/// 3. A bin of one manifest stays. The bin with the newest manifest stays until it has
///    `commit.manifest.min-count-to-merge` members. Every other bin becomes one manifest.
/// 4. Of the bin with the newest, only as many of the newest are merged as are of a size: a large manifest waits until
///    those after it have grown to half of it. So an entry is rewritten once each time its manifest doubles, and no
///    commit pays for a manifest that a hundred commits filled.
/// 5. In a merged manifest the files that this commit added or deleted keep their status; older ones are existing, with
///    explicit sequence numbers and row ids; older deletions are forgotten.
///
/// Spec: https://iceberg.apache.org/spec/#manifests, and `commit.manifest.*` of
/// https://iceberg.apache.org/docs/latest/configuration/#table-behavior-properties
extension SnapshotBuilder {
    /// `manifests` with the newest first. Manifests of this commit must have their bytes in `objects`.
    mutating func merge(_ manifests: [ManifestFile]) throws -> [ManifestFile] {
        let properties = base.tableProperties
        guard properties.mergesManifests, manifests.count >= 2 else { return manifests }
        var merged: [ManifestFile] = []
        let groups = Dictionary(grouping: manifests) { MergeGroup(content: $0.content, specId: $0.specId) }
        for (key, group) in groups.sorted(by: { $0.key < $1.key }) {
            for bin in Self.pack(group, bytesMax: properties.manifestBytesTarget) {
                let holdsNewest = bin.contains { $0.path == group[0].path }
                if bin.count == 1 || holdsNewest && bin.count < properties.manifestsToMergeMin {
                    merged += bin
                    continue
                }
                let count = holdsNewest ? Self.newestOfASize(bin) : bin.count
                if count > 1 { merged.append(try mergeBin(Array(bin[..<count]), key)) }
                merged += bin[(count > 1 ? count : 0)...]
            }
        }
        return merged
    }

    private struct MergeGroup: Hashable, Comparable {
        let content: ManifestFile.Content
        let specId: Int

        /// Data before deletes, newer specs first.
        static func < (a: MergeGroup, b: MergeGroup) -> Bool {
            a.content == b.content ? a.specId > b.specId : a.content == .data
        }
    }

    /// How many of the newest manifests go together: none has more than twice the entries of those after it.
    static func newestOfASize(_ bin: [ManifestFile]) -> Int {
        var entries = 0
        for (index, manifest) in bin.enumerated() {
            let count = (manifest.addedFilesCount ?? 0) + (manifest.existingFilesCount ?? 0)
            if index > 0, count > 2 * max(1, entries) { return index }
            entries += count
        }
        return bin.count
    }

    /// Bins in the order of `group`, filled from its end, so that the last bin to fill is the newest.
    static func pack(_ group: [ManifestFile], bytesMax: Int) -> [[ManifestFile]] {
        var bins: [[ManifestFile]] = []
        var open: [ManifestFile] = []
        var bytes = 0
        for manifest in group.reversed() {
            if !open.isEmpty, bytes + Int(manifest.length) > bytesMax {
                bins.append(open.reversed())
                open = []
                bytes = 0
            }
            open.append(manifest)
            bytes += Int(manifest.length)
        }
        if !open.isEmpty { bins.append(open.reversed()) }
        return bins.reversed()
    }

    private mutating func mergeBin(_ bin: [ManifestFile], _ group: MergeGroup) throws -> ManifestFile {
        let spec = try spec(group.specId)
        var writer = writer(spec, group.content)
        let fields = base.partitionFields(of: spec)
        for manifest in bin {
            let own = objects.first { $0.location == manifest.path }?.bytes
            let bytes = try own ?? store.get(manifest.path)
            var reader = try ManifestReader(bytes, manifest: manifest, partitionFields: fields, statistics: .all)
            let isOwn = own != nil
            try reader.readEntries { entry in
                var entry = entry
                if entry.snapshotId == context.snapshotId {
                    // What was inherited on reading is inherited again by the merged manifest.
                    if isOwn, entry.status == .added {
                        entry.fileSequenceNumber = nil
                        if entry.sequenceNumber == sequenceNumber { entry.sequenceNumber = nil }
                    }
                } else if entry.status == .deleted {
                    return true
                } else {
                    entry.status = .existing
                }
                try writer.append(entry)
                return true
            }
        }
        let result = try finish(&writer)
        discard(bin)
        return result
    }
}
