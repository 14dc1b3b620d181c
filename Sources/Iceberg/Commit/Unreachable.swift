import Base
import Storage

/// The files that lose their last snapshot when snapshots are removed: a manifest list of every removed snapshot, the
/// manifests that no kept snapshot lists, the data and delete files that were live in those and are live in no kept
/// snapshot, and statistics.
///
/// A manifest that disappears from one snapshot to the next never comes back in a linear history. So when the removed
/// snapshots are the oldest of a single chain, the oldest kept one knows all that is still needed, and the price is
/// that of the removed snapshots, however many are kept (`linear`). Every other history is searched whole (`complete`).
///
/// Memory holds the manifests of the kept snapshots, and a bounded number of paths of files at a time.
enum Unreachable {
    typealias Checkpoint = (Int64) throws -> Void

    /// Paths that are looked for in the kept manifests at once.
    static let pathsMax = 200_000

    static func files(
        after kept: TableMetadata, base: TableMetadata, store: any ObjectStore, pathsMax: Int = pathsMax,
        checkpoint: Checkpoint = { _ in }
    ) throws -> [String] {
        let search = UnreachableSearch(base: base, store: store, pathsMax: pathsMax)
        return try withoutActuallyEscaping(checkpoint) { checkpoint in
            search.checkpoint = checkpoint
            defer { search.checkpoint = { _ in } }
            return try search.all(after: kept)
        }
    }

    /// The same where the history is one chain whose beginning goes; nil elsewhere.
    static func filesOfChain(
        after kept: TableMetadata, base: TableMetadata, store: any ObjectStore
    ) throws -> [String]? {
        try UnreachableSearch(base: base, store: store, pathsMax: pathsMax).chain(after: kept)
    }
}

/// One search for what becomes unreachable.
private final class UnreachableSearch {
    private let base: TableMetadata
    private let store: any ObjectStore
    private let pathsMax: Int
    private var gone: Set<String> = []
    var checkpoint: Unreachable.Checkpoint = { _ in }

    init(base: TableMetadata, store: any ObjectStore, pathsMax: Int) {
        self.base = base
        self.store = store
        self.pathsMax = pathsMax
    }

    func all(after kept: TableMetadata) throws -> [String] {
        if let files = try chain(after: kept) { return files }
        gone = statistics(kept)
        try complete(removed(kept), kept)
        return gone.sorted()
    }

    func chain(after kept: TableMetadata) throws -> [String]? {
        let removed = removed(kept)
        guard !removed.isEmpty else { return [] }
        guard let oldest = Self.oldestKept(of: kept, removed) else { return nil }
        gone = statistics(kept)
        try linear(removed, oldest)
        return gone.sorted()
    }

    private func removed(_ kept: TableMetadata) -> [Snapshot] {
        let keptIds = Set(kept.snapshots.map(\.snapshotId))
        return base.snapshots.filter { !keptIds.contains($0.snapshotId) }
    }

    private func statistics(_ kept: TableMetadata) -> Set<String> {
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

    private func linear(_ removed: [Snapshot], _ oldest: Snapshot) throws {
        let kept = try list(oldest)
        let keptPaths = Set(kept.map(\.path))
        var orphans: [String: ManifestFile] = [:]
        var first: Set<String> = []
        for (index, snapshot) in removed.enumerated() {
            gone.insert(snapshot.manifestList)
            let manifests = try missingIsEmpty { try list(snapshot) }
            if index == 0 { first = Set(manifests.map(\.path)) }
            for manifest in manifests where !keptPaths.contains(manifest.path) { orphans[manifest.path] = manifest }
        }
        gone.formUnion(orphans.keys)
        // Manifests that are only merged take no file with them.
        guard (removed.dropFirst() + [oldest]).contains(where: Self.removesFiles) else { return }
        // What survived of an orphan stands in a manifest written after it.
        try subtract(kept.filter { !first.contains($0.path) }, from: orphans)
    }

    /// False only when the snapshot says that it added and removed nothing but what it added.
    private static func removesFiles(_ snapshot: Snapshot) -> Bool {
        guard snapshot.operation == "append" else { return true }
        return snapshot.summary["deleted-data-files"] != nil || snapshot.summary["removed-delete-files"] != nil
    }

    private func complete(_ removed: [Snapshot], _ kept: TableMetadata) throws {
        var keptManifests: [String: ManifestFile] = [:]
        var keptLists: Set<String> = []
        for snapshot in kept.snapshots {
            keptLists.insert(snapshot.manifestList)
            for manifest in try list(snapshot) { keptManifests[manifest.path] = manifest }
        }
        var orphans: [String: ManifestFile] = [:]
        for snapshot in removed where !snapshot.manifestList.isEmpty && !keptLists.contains(snapshot.manifestList) {
            gone.insert(snapshot.manifestList)
            for manifest in try missingIsEmpty({ try list(snapshot) }) where keptManifests[manifest.path] == nil {
                orphans[manifest.path] = manifest
            }
        }
        gone.formUnion(orphans.keys)
        try subtract(Array(keptManifests.values), from: orphans)
    }

    /// Files live in manifests that go, but in none of those that stay.
    private func subtract(_ kept: [ManifestFile], from orphans: [String: ManifestFile]) throws {
        // Newest first: merged and rewritten manifests hold most of what the older ones held.
        let kept = kept.filter(\.mayHaveLiveFiles).sorted { $0.sequenceNumber > $1.sequenceNumber }
        var files: Set<String> = []
        for manifest in orphans.values.sorted(by: { $0.path < $1.path }) where manifest.mayHaveLiveFiles {
            _ = try missingIsEmpty {
                try read(manifest) {
                    if $0.isLive { files.insert($0.dataFile.path) }
                    if files.count >= pathsMax { try settle(&files, kept) }
                    return true
                }
                return []
            }
        }
        try settle(&files, kept)
    }

    private func settle(_ files: inout Set<String>, _ kept: [ManifestFile]) throws {
        for manifest in kept where !files.isEmpty {
            try read(manifest) {
                if $0.isLive { files.remove($0.dataFile.path) }
                return !files.isEmpty
            }
        }
        gone.formUnion(files)
        files = []
    }

    private func list(_ snapshot: Snapshot) throws -> [ManifestFile] {
        let manifests = try Manifests.list(of: snapshot, store: store)
        // A row takes about a hundred bytes of a list.
        try checkpoint(Int64(manifests.count) * 100)
        return manifests
    }

    private func read(_ manifest: ManifestFile, _ body: (ManifestEntry) throws -> Bool) throws {
        try Manifests.read(manifest, base, .pathsOnly, store, body)
        try checkpoint(manifest.length)
    }

    /// A file of an expired snapshot that is already gone, by an earlier clean-up, has nothing left to find.
    private func missingIsEmpty(_ body: () throws -> [ManifestFile]) throws -> [ManifestFile] {
        do {
            return try body()
        } catch let error as FirnError where error.kind == .notFound {
            return []
        }
    }
}
