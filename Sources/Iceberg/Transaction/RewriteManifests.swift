import Base
import Columnar
import Storage

/// Sorts what manifests hold, so that a filter on partitions skips most of them.
///
/// 1. Manifests of one content and spec with at least two members, or larger than twice the target, are rewritten.
/// 2. Their live entries are sorted by partition tuple, then by path, and written anew as existing, with explicit
///    sequence numbers and row ids; deleted entries are forgotten.
/// 3. The files of the table stay the same, which the counts prove.
///
/// Spec: https://iceberg.apache.org/docs/latest/maintenance/#rewrite-manifests
extension SnapshotProducer {
    /// - Parameter specIds: only manifests of these specs; nil for all.
    ///
    /// Answers nil when nothing would change. Throws `.limitExceeded` (`too_many_entries`) for more entries of one spec
    /// than fit in memory.
    public static func rewriteManifests(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch,
        specIds: Set<Int>? = nil, context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit? {
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        let bytesTarget = base.tableProperties.manifestBytesTarget
        var manifests: [ManifestFile] = []
        var processed = 0
        for content in [ManifestFile.Content.data, .deletes] {
            let groups = Dictionary(grouping: builder.current.filter { $0.content == content }, by: \.specId)
            for (specId, group) in groups.sorted(by: { $0.key > $1.key }) {
                let wanted = specIds?.contains(specId) ?? true
                guard wanted, group.count >= 2 || group.contains(where: { $0.length > 2 * Int64(bytesTarget) }) else {
                    manifests += group
                    continue
                }
                let (rewritten, count) = try builder.sorted(group, content, specId)
                manifests += rewritten
                processed += count
            }
        }
        guard processed > 0 else { return nil }
        return try builder.commit(
            operation: "replace", manifests: manifests, extra: ["entries-processed": String(processed)])
    }
}

extension SnapshotBuilder {
    /// An entry takes about a kilobyte.
    private static let entriesMax = 4_000_000

    fileprivate mutating func sorted(
        _ group: [ManifestFile], _ content: ManifestFile.Content, _ specId: Int
    ) throws -> ([ManifestFile], Int) {
        let spec = try spec(specId)
        var entries: [ManifestEntry] = []
        for manifest in group {
            try Manifests.read(manifest, base, .all, store) {
                guard $0.isLive else { return true }
                var entry = $0
                entry.status = .existing
                entries.append(entry)
                guard entries.count <= Self.entriesMax else {
                    throw FirnError(
                        .limitExceeded, "too_many_entries",
                        "more than \(Self.entriesMax) files of one partition spec cannot be sorted at once")
                }
                return true
            }
        }
        entries.sort(by: Self.precedes)
        var manifests: [ManifestFile] = []
        var writer = writer(spec, content)
        for entry in entries {
            if writer.byteCount >= base.tableProperties.manifestBytesTarget, writer.entryCount > 0 {
                manifests.append(try finish(&writer))
                writer = self.writer(spec, content)
            }
            try writer.append(entry)
        }
        if writer.entryCount > 0 { manifests.append(try finish(&writer)) }
        return (manifests, entries.count)
    }

    private static func precedes(_ a: ManifestEntry, _ b: ManifestEntry) -> Bool {
        for (x, y) in zip(a.dataFile.partition, b.dataFile.partition) where x != y {
            if x == .null || y == .null { return x == .null }
            switch ValueOrder.compare(x, y) {
            case .less: return true
            case .greater: return false
            default: continue
            }
        }
        return a.dataFile.path < b.dataFile.path
    }
}
