import Base
import Columnar
import Storage

/// What the commits that make a snapshot share: numbering and writing manifests, merging them, the manifest list, the
/// snapshot and the metadata file.
///
/// The list holds new manifests first, then those carried over, data before deletes. A manifest without live files is
/// dropped unless this commit wrote it. In version 3 every data manifest that has no row ids yet gets the next ones, as
/// many as it has live rows; files that carry their own leave theirs unused.
///
/// Spec: https://iceberg.apache.org/spec/#first-row-id-assignment
struct SnapshotBuilder {
    let base: TableMetadata
    let baseLocation: String
    let branch: String
    let context: CommitContext
    let store: any ObjectStore
    let sequenceNumber: Int64
    /// The head of the branch; that of `main` when the branch starts with this commit.
    let parent: Snapshot?
    /// Manifests of the parent that may hold live files; every count is known.
    let current: [ManifestFile]
    var summary = SnapshotSummary()
    private(set) var objects: [(location: String, bytes: [UInt8])] = []
    private var manifestNumber: Int

    /// Throws `.unsupported` (`format_version`, `encryption`) for tables that Firn only reads, `.invalidInput`
    /// (`bad_reference`) when the branch is a tag.
    init(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, context: CommitContext,
        store: any ObjectStore
    ) throws {
        try Self.check(base, branch: branch)
        guard base.snapshot(id: context.snapshotId) == nil else {
            throw FirnError(.conflict, "snapshot_exists", "snapshot \(context.snapshotId) exists already")
        }
        self.base = base
        self.baseLocation = baseLocation
        self.branch = branch
        self.context = context
        self.store = store
        sequenceNumber = base.lastSequenceNumber + 1
        // A retry may write other manifests than the attempt before it, and must not reuse their names.
        manifestNumber = max(0, context.attempt - 1) * 10_000
        parent = base.snapshot(ref: branch) ?? base.currentSnapshot
        current =
            try parent.map { snapshot in
                try Manifests.list(of: snapshot, store: store).filter(\.mayHaveLiveFiles).map {
                    try Self.counted($0, base, store)
                }
            } ?? []
    }

    private static func check(_ base: TableMetadata, branch: String) throws(FirnError) {
        guard base.formatVersion >= 2 else {
            throw FirnError(
                .unsupported, "format_version", "tables of format version 1 can only be read, or upgraded",
                context: ["table": base.location])
        }
        guard base.formatVersion < 3 || base.nextRowId != nil else {
            throw FirnError(
                .corrupted, "bad_metadata", "the version 3 table has no \"next-row-id\"",
                context: ["table": base.location])
        }
        guard base.properties["encryption.key-id"] == nil else {
            throw FirnError(
                .unsupported, "encryption", "encrypted tables can only be read", context: ["table": base.location])
        }
        guard !branch.isEmpty, base.refs[branch]?.kind != .tag else {
            throw FirnError(.invalidInput, "bad_reference", "\"\(branch)\" is no branch")
        }
    }

    /// Lists of version 1 may lack counts, which later versions demand; the entries tell.
    private static func counted(
        _ manifest: ManifestFile, _ base: TableMetadata, _ store: any ObjectStore
    ) throws -> ManifestFile {
        let counts: [Any?] = [
            manifest.addedFilesCount, manifest.existingFilesCount, manifest.deletedFilesCount, manifest.addedRowsCount,
            manifest.existingRowsCount, manifest.deletedRowsCount,
        ]
        guard counts.contains(where: { $0 == nil }) else { return manifest }
        var files: [ManifestEntry.Status: Int] = [:]
        var rows: [ManifestEntry.Status: Int64] = [:]
        try Manifests.read(manifest, base, .none, store) {
            files[$0.status, default: 0] += 1
            rows[$0.status, default: 0] += $0.dataFile.recordCount
            return true
        }
        var counted = manifest
        counted.addedFilesCount = files[.added] ?? 0
        counted.existingFilesCount = files[.existing] ?? 0
        counted.deletedFilesCount = files[.deleted] ?? 0
        counted.addedRowsCount = rows[.added] ?? 0
        counted.existingRowsCount = rows[.existing] ?? 0
        counted.deletedRowsCount = rows[.deleted] ?? 0
        return counted
    }

    func spec(_ id: Int) throws(FirnError) -> PartitionSpec {
        guard let spec = base.spec(id: id) else {
            throw FirnError(.invalidInput, "unknown_partition_spec", "there is no partition spec \(id)")
        }
        return spec
    }

    /// A writer for a manifest of this commit.
    func writer(_ spec: PartitionSpec, _ content: ManifestFile.Content = .data) -> ManifestWriter {
        ManifestWriter(
            metadata: base, spec: spec, content: content, snapshotId: context.snapshotId, sync: context.metadataUUID)
    }

    /// Names the manifest and keeps its bytes for the commit.
    mutating func finish(_ writer: inout ManifestWriter) throws(FirnError) -> ManifestFile {
        let path = nextManifestPath()
        let (manifest, bytes) = try writer.finish(path: path, sequenceNumber: sequenceNumber)
        objects.append((path, bytes))
        return manifest
    }

    mutating func nextManifestPath() -> String {
        defer { manifestNumber += 1 }
        return "\(base.metadataFolder)/\(context.commitUUID)-m\(manifestNumber).avro"
    }

    /// Adds manifests that were written elsewhere to the commit.
    mutating func keep(_ written: [(location: String, bytes: [UInt8])]) { objects += written }

    /// Drops the bytes of manifests that were written here and then merged away.
    mutating func discard(_ manifests: [ManifestFile]) {
        let paths = Set(manifests.map(\.path))
        objects.removeAll { paths.contains($0.location) }
    }

    /// The finished commit over these manifests.
    ///
    /// - Parameters:
    ///   - extra: summary entries of the action.
    ///   - totals: what the totals were before the change, where the parent's summary is not to be believed.
    ///   - written: paths of new manifests that are in the store already.
    mutating func commit(
        operation: String, manifests: [ManifestFile], extra: [String: String] = [:], totals: [String: String]? = nil,
        written: Set<String> = []
    ) throws -> PreparedCommit {
        let own = written.union(objects.map(\.location))
        let kept = manifests.filter { own.contains($0.path) || $0.mayHaveLiveFiles }
        var ordered = kept.filter { $0.content == .data } + kept.filter { $0.content == .deletes }
        let before = Set(current.map(\.path))
        let counts = ManifestCounts(
            created: ordered.count { own.contains($0.path) }, kept: ordered.count { before.contains($0.path) },
            replaced: before.subtracting(ordered.map(\.path)).count)

        let firstRowId = base.formatVersion >= 3 ? base.nextRowId : nil
        let addedRows = try firstRowId.map { try Self.assignRowIds(&ordered, from: $0) }
        let listLocation =
            "\(base.metadataFolder)/snap-\(context.snapshotId)-\(context.attempt)-\(context.commitUUID).avro"
        let list = try ManifestList.write(
            ordered, snapshotId: context.snapshotId, parentSnapshotId: parent?.snapshotId,
            sequenceNumber: sequenceNumber, firstRowId: firstRowId, sync: context.metadataUUID)
        let entries = summary.entries(
            operation: operation, before: try totals ?? totalsBefore(), manifests: counts)
        let snapshot = Snapshot(
            snapshotId: context.snapshotId, parentSnapshotId: parent?.snapshotId, sequenceNumber: sequenceNumber,
            timestampMs: timestamp(operation), manifestList: listLocation,
            summary: context.summary.merging(extra) { _, action in action }.merging(entries) { _, counted in counted },
            schemaId: base.currentSchemaId, firstRowId: firstRowId, addedRows: addedRows)
        var reference = base.refs[branch] ?? SnapshotReference(snapshotId: 0, kind: .branch)
        reference.snapshotId = snapshot.snapshotId
        var updates: [TableUpdate] = [.addSnapshot(snapshot), .setSnapshotRef(branch, reference)]
        // As of the time that the new metadata tells, which may be a little earlier than now.
        let asOfMs = min(context.nowMs, max(snapshot.timestampMs, base.lastUpdatedMs + 1))
        let expiry = context.expiresSnapshots ? try ExpiryOnCommit.plan(base, nowMs: asOfMs, store: store) : nil
        if let expiry { updates.append(.removeSnapshots(expiry.snapshotIds)) }
        var commit = try MetadataCommit.prepare(
            applying: updates, to: base, baseLocation: baseLocation, context: context,
            objects: objects + [(listLocation, list)], snapshot: snapshot)
        commit.unreachable = expiry?.unreachable ?? []
        return commit
    }

    /// The parent's totals; nil without parent. Other writers leave some out: then the live files are counted, so that
    /// engines which need them find them from this snapshot on.
    private func totalsBefore() throws -> [String: String]? {
        guard let parent else { return nil }
        let keys = SnapshotSummary.totals
        guard keys.contains(where: { parent.summary[$0].flatMap { Int64($0) } == nil }) else { return parent.summary }
        var counted = Dictionary(uniqueKeysWithValues: keys.map { ($0, Int64(0)) })
        for manifest in current where manifest.mayHaveLiveFiles {
            try Manifests.read(manifest, base, .none, store) {
                if $0.isLive { $0.dataFile.count(into: &counted) }
                return true
            }
        }
        return counted.mapValues { String($0) }
    }

    /// How far back a snapshot is dated that shows the same rows as the one before.
    private static let replaceLagMs: Int64 = 10_000

    /// Readers that stay with the state of when they began, such as DuckDB's, look for the newest snapshot from before
    /// that. So a snapshot has the time from which on what it shows was so, as far as that is after all other
    /// snapshots.
    private func timestamp(_ operation: String) -> Int64 {
        let earliest = (base.snapshots.lazy.map(\.timestampMs).max() ?? 0) + 1
        if operation == "replace" { return max(earliest, context.nowMs - Self.replaceLagMs) }
        return context.snapshotMs.map { max(earliest, $0) } ?? MetadataCommit.stamp(context.nowMs, after: base)
    }

    /// Gives data manifests without row ids the next ones; answers how many were taken.
    private static func assignRowIds(_ manifests: inout [ManifestFile], from first: Int64) throws(FirnError) -> Int64 {
        var next = first
        for index in manifests.indices where manifests[index].content == .data && manifests[index].firstRowId == nil {
            manifests[index].firstRowId = next
            for rows in [manifests[index].addedRowsCount ?? 0, manifests[index].existingRowsCount ?? 0] {
                let (sum, overflow) = next.addingReportingOverflow(rows)
                guard !overflow, rows >= 0 else {
                    throw FirnError(
                        .corrupted, "bad_manifest", "the rows of a manifest pass 64 bits",
                        context: ["file": manifests[index].path])
                }
                next = sum
            }
        }
        return next - first
    }
}
