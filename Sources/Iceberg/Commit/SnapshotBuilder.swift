import Base
import Columnar
import Storage

/// What the commits that make a snapshot share: numbering and writing manifests, merging them, the manifest list, the
/// snapshot and the metadata file.
///
/// The list holds new manifests first, then those carried over, data before deletes. A manifest without live files is
/// dropped unless this commit wrote it.
struct SnapshotBuilder {
    let base: TableMetadata
    let baseLocation: String
    let context: CommitContext
    let store: any ObjectStore
    let sequenceNumber: Int64
    /// Manifests of the current snapshot that may hold live files; every count is known.
    let current: [ManifestFile]
    var summary = SnapshotSummary()
    private(set) var objects: [(location: String, bytes: [UInt8])] = []
    private var manifestNumber: Int

    /// Throws `.unsupported` (`format_version`) for tables that Firn only reads.
    init(
        base: TableMetadata, baseLocation: String, context: CommitContext, store: any ObjectStore
    ) throws {
        guard base.formatVersion == 2 else {
            throw FirnError(
                .unsupported, "format_version", "tables of format version \(base.formatVersion) can only be read",
                context: ["table": base.location])
        }
        guard base.snapshot(id: context.snapshotId) == nil else {
            throw FirnError(.conflict, "snapshot_exists", "snapshot \(context.snapshotId) exists already")
        }
        self.base = base
        self.baseLocation = baseLocation
        self.context = context
        self.store = store
        sequenceNumber = base.lastSequenceNumber + 1
        // A retry may write other manifests than the attempt before it, and must not reuse their names.
        manifestNumber = max(0, context.attempt - 1) * 10_000
        current =
            try base.currentSnapshot.map { snapshot in
                try Manifests.list(of: snapshot, store: store).filter(\.mayHaveLiveFiles).map {
                    try Self.counted($0, base, store)
                }
            } ?? []
    }

    /// Lists of version 1 may lack counts, which version 2 demands; the entries tell.
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
        let path = "\(base.metadataFolder)/\(context.commitUUID)-m\(manifestNumber).avro"
        manifestNumber += 1
        let (manifest, bytes) = try writer.finish(path: path, sequenceNumber: sequenceNumber)
        objects.append((path, bytes))
        return manifest
    }

    /// New manifests of added files, one or more a spec, each below the target size.
    mutating func addedManifests(
        _ files: [DataFile], dataSequenceNumber: Int64? = nil
    ) throws(FirnError) -> [ManifestFile] {
        var manifests: [ManifestFile] = []
        let bytesTarget = base.tableProperties.manifestBytesTarget
        var paths: Set<String> = []
        for specId in Set(files.map(\.specId)).sorted() {
            let spec = try spec(specId)
            var writer = writer(spec)
            for file in files where file.specId == specId {
                guard file.content == .data, file.partition.count == spec.fields.count else {
                    throw FirnError(
                        .invalidInput, "bad_data_file", "the file is no data file of partition spec \(specId)",
                        context: ["file": file.path])
                }
                guard paths.insert(file.path).inserted else {
                    throw FirnError(
                        .invalidInput, "duplicate_data_file", "the file is added twice", context: ["file": file.path])
                }
                if writer.byteCount >= bytesTarget, writer.entryCount > 0 {
                    manifests.append(try finish(&writer))
                    writer = self.writer(spec)
                }
                try writer.append(
                    ManifestEntry(
                        status: .added, snapshotId: context.snapshotId, sequenceNumber: dataSequenceNumber,
                        fileSequenceNumber: nil, dataFile: file))
                summary.add(file, spec: spec)
            }
            manifests.append(try finish(&writer))
        }
        return manifests
    }

    /// Drops the bytes of manifests that were written here and then merged away.
    mutating func discard(_ manifests: [ManifestFile]) {
        let paths = Set(manifests.map(\.path))
        objects.removeAll { paths.contains($0.location) }
    }

    /// The finished commit over these manifests.
    mutating func commit(operation: String, manifests: [ManifestFile]) throws -> PreparedCommit {
        let own = Set(objects.map(\.location))
        let kept = manifests.filter { own.contains($0.path) || $0.mayHaveLiveFiles }
        let ordered = kept.filter { $0.content == .data } + kept.filter { $0.content == .deletes }
        let before = Set(current.map(\.path))
        let counts = ManifestCounts(
            created: ordered.count { own.contains($0.path) }, kept: ordered.count { before.contains($0.path) },
            replaced: before.subtracting(ordered.map(\.path)).count)

        let parent = base.currentSnapshot
        let listLocation =
            "\(base.metadataFolder)/snap-\(context.snapshotId)-\(context.attempt)-\(context.commitUUID).avro"
        let list = try ManifestList.write(
            ordered, snapshotId: context.snapshotId, parentSnapshotId: parent?.snapshotId,
            sequenceNumber: sequenceNumber, sync: context.metadataUUID)
        let entries = summary.entries(operation: operation, parent: parent, manifests: counts)
        let snapshot = Snapshot(
            snapshotId: context.snapshotId, parentSnapshotId: parent?.snapshotId, sequenceNumber: sequenceNumber,
            timestampMs: MetadataCommit.stamp(context.nowMs, after: base), manifestList: listLocation,
            summary: context.summary.merging(entries) { _, counted in counted }, schemaId: base.currentSchemaId)
        var changed = base
        try changed.addSnapshot(snapshot)
        var main = base.refs[TableMetadata.mainBranch] ?? SnapshotReference(snapshotId: 0, kind: .branch)
        main.snapshotId = snapshot.snapshotId
        try changed.setReference(TableMetadata.mainBranch, main, nowMs: snapshot.timestampMs)
        return try MetadataCommit.prepare(
            changed, base: base, baseLocation: baseLocation, context: context,
            objects: objects + [(listLocation, list)], snapshot: snapshot)
    }
}
