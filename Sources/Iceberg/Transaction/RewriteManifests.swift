import Base
import Storage

/// Sorts what manifests hold, so that a filter on partitions skips most of them (`ManifestRewriter`). The files of the
/// table stay the same, which the counts prove.
extension SnapshotProducer {
    /// Rewrites the manifests of one content and spec with at least two members, or larger than twice the target, all
    /// at once.
    ///
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

    /// Puts manifests that are written already in the place of others with the same live files.
    ///
    /// - Parameter added: made by a `ManifestRewriter` from `removed`.
    ///
    /// Throws `.conflict` (`manifest_not_current`) when one of `removed` is no longer what the branch lists, or got
    /// its row ids since; `.internal` (`manifests_differ`) when the counts are not the same.
    public static func replaceManifests(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch,
        removed: [ManifestFile], added: [ManifestFile], context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        let current = Dictionary(builder.current.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        var before: [ManifestFile] = []
        for manifest in removed {
            guard let known = current[manifest.path], known.firstRowId == manifest.firstRowId else {
                throw FirnError(
                    .conflict, "manifest_not_current", "a manifest to rewrite has been replaced meanwhile",
                    context: ["file": manifest.path])
            }
            before.append(known)
        }
        guard Self.live(before) == Self.live(added) else {
            throw FirnError(
                .internal, "manifests_differ", "rewritten manifests would not hold the same files",
                context: ["table": base.location])
        }
        let fresh = added.map { manifest in
            var manifest = manifest
            manifest.sequenceNumber = builder.sequenceNumber
            manifest.addedSnapshotId = context.snapshotId
            manifest.firstRowId = nil
            return manifest
        }
        let gone = Set(removed.map(\.path))
        return try builder.commit(
            operation: "replace", manifests: fresh + builder.current.filter { !gone.contains($0.path) },
            extra: ["entries-processed": String(Self.live(fresh).files)], written: Set(fresh.map(\.path)))
    }

    /// Files and rows that live in manifests whose counts are known.
    private static func live(_ manifests: [ManifestFile]) -> LiveCounts {
        manifests.reduce(into: LiveCounts()) { counts, manifest in
            counts.files += manifest.liveFilesCount
            counts.rows &+= (manifest.addedRowsCount ?? 0) &+ (manifest.existingRowsCount ?? 0)
        }
    }

    private struct LiveCounts: Equatable {
        var files = 0
        var rows: Int64 = 0
    }
}

extension SnapshotBuilder {
    /// What encoded entries may take.
    private static let bytesMax = 1 << 30

    fileprivate mutating func sorted(
        _ group: [ManifestFile], _ content: ManifestFile.Content, _ specId: Int
    ) throws -> ([ManifestFile], Int) {
        var rewriter = try ManifestRewriter(
            metadata: base, specId: specId, content: content, snapshotId: context.snapshotId,
            sync: context.metadataUUID)
        for manifest in group {
            try rewriter.add(manifest, store: store)
            guard rewriter.byteCount <= Self.bytesMax else {
                throw FirnError(
                    .limitExceeded, "too_many_entries",
                    "the files of one partition spec are too many to be sorted at once")
            }
        }
        let count = rewriter.entryCount
        var written: [(location: String, bytes: [UInt8])] = []
        let manifests = try rewriter.finish(
            sequenceNumber: sequenceNumber, path: { nextManifestPath() }, write: { written.append(($0, $1)) })
        keep(written)
        return (manifests, count)
    }
}
