import Base

/// Keeps the manifest list short.
///
/// 1. Manifests are grouped by content and partition spec, which a manifest has one of each.
/// 2. A group is packed, from its oldest end, into bins of at most `commit.manifest.target-size-bytes`.
/// 3. A bin of one manifest stays. The bin with the newest manifest stays until it has
///    `commit.manifest.min-count-to-merge` members. Every other bin becomes one manifest.
/// 4. Of the bin with the newest, only as many of the newest are merged as are of a size: a large manifest waits until
///    those after it have grown to half of it. So an entry is rewritten once each time its manifest doubles, and no
///    commit pays for a manifest that a hundred commits filled. Behind them stay a logarithmic row of larger ones, and
///    what deletions left of others. Where that is more than half of the count to merge, the smallest neighbours of
///    the row are merged too, so that no bin keeps more manifests than the count to merge and a row have.
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
                let runs =
                    holdsNewest
                    ? Self.runs(bin.map(\.liveFilesCount), countToMerge: properties.manifestsToMergeMin)
                    : [bin.indices]
                for run in runs {
                    merged.append(run.count > 1 ? try mergeBin(Array(bin[run]), key) : bin[run.lowerBound])
                }
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

    /// Which manifests go together, by their `entries`, the newest first.
    static func runs(_ entries: [Int], countToMerge: Int) -> [Range<Int>] {
        var head = 0
        var total = 0
        while head < entries.count, head == 0 || entries[head] <= 2 * max(1, total) {
            total += entries[head]
            head += 1
        }
        var runs = [0..<head] + (head..<entries.count).map { $0..<$0 + 1 }
        var sums = runs.map { entries[$0].reduce(0, +) }
        // A row in which each has more than twice the entries of all newer ones is never longer than its logarithm.
        let row = Int.bitWidth - sums.reduce(0, +).leadingZeroBitCount
        while runs.count > max(countToMerge / 2, row, 1) {
            var at = 1
            for index in 2..<runs.count where sums[index - 1] + sums[index] < sums[at - 1] + sums[at] { at = index }
            runs[at - 1] = runs[at - 1].lowerBound..<runs[at].upperBound
            sums[at - 1] += sums[at]
            runs.remove(at: at)
            sums.remove(at: at)
        }
        return runs
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
