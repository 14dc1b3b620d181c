import Base
import Catalog
import Iceberg
import Storage

/// What the policy needs to know of a table at one snapshot.
public struct LiveFiles: Sendable {
    /// Nil for a table without snapshots.
    public let snapshotId: Int64?
    /// Data files small enough to be merged, and those with deletes, of a format that can be read.
    public let candidates: [CompactionCandidate]
    /// All live data files.
    public let fileCount: Int
    public let bytes: Int64
    /// The delete files; empty without any.
    public let deletes: DeleteIndex

    /// The state of a table, read afresh.
    public static func read(_ table: Table, store: any ObjectStore) throws -> LiveFiles {
        var scan = LiveFileScan()
        return try scan.read(table, store: store)
    }

    /// Throws `.unsupported` (`format_version`) for tables that Firn only reads.
    func requireRewritable(_ table: Table) throws(FirnError) {
        guard (2...3).contains(table.metadata.formatVersion) else {
            throw FirnError(
                .unsupported, "format_version",
                "tables of format version \(table.metadata.formatVersion) are not compacted",
                context: ["table": table.identifier.description])
        }
    }
}

/// Reads the live files of one table again and again, each manifest once.
///
/// Manifests never change, so what one says is kept as long as the table's manifest list names it. A look at a table
/// that was appended to costs the list and the new manifests, however many files the table has. Only files that are
/// small or have deletes are kept; there are few of those, or else they are about to be compacted. What is kept of data
/// manifests holds for one set of delete manifests: when that changes, all are read again.
struct LiveFileScan {
    private struct Content {
        var candidates: [CompactionCandidate] = []
        var fileCount = 0
        var bytes: Int64 = 0
    }

    private var manifests: [String: Content] = [:]
    /// The bound and the schema that `manifests` was filtered with.
    private var smallBytesBelow: Int64 = 0
    private var schemaId = 0
    /// Of the delete manifests with these paths.
    private var deletes: DeleteIndex?
    private var deletePaths: Set<String> = []

    mutating func read(_ table: Table, store: any ObjectStore) throws -> LiveFiles {
        let metadata = table.metadata
        guard let snapshot = metadata.currentSnapshot else {
            manifests = [:]
            return LiveFiles(
                snapshotId: nil, candidates: [], fileCount: 0, bytes: 0, deletes: DeleteIndex(metadata: metadata))
        }
        let bound = CompactionOptions(metadata.tableProperties).smallBytesBelow
        if bound != smallBytesBelow || metadata.currentSchemaId != schemaId {
            manifests = [:]
            smallBytesBelow = bound
            schemaId = metadata.currentSchemaId
        }
        let live = try Manifests.list(of: snapshot, store: store).filter(\.mayHaveLiveFiles)
        let deletes = try deletes(live.filter { $0.content == .deletes }, metadata, store)
        var current: [String: Content] = [:]
        var total = Content()
        for manifest in live where manifest.content == .data {
            let content = try manifests[manifest.path] ?? contentOf(manifest, metadata, deletes, store)
            current[manifest.path] = content
            total.candidates += content.candidates
            total.fileCount += content.fileCount
            total.bytes += content.bytes
        }
        manifests = current
        return LiveFiles(
            snapshotId: snapshot.snapshotId, candidates: total.candidates, fileCount: total.fileCount,
            bytes: total.bytes, deletes: deletes)
    }

    private mutating func deletes(
        _ manifests: [ManifestFile], _ metadata: TableMetadata, _ store: any ObjectStore
    ) throws -> DeleteIndex {
        let paths = Set(manifests.map(\.path))
        if let deletes, paths == deletePaths, !self.manifests.isEmpty { return deletes }
        self.manifests = [:]
        let fresh = try DeleteIndex(metadata: metadata, manifests: manifests, store: store)
        (deletes, deletePaths) = (fresh, paths)
        return fresh
    }

    private func contentOf(
        _ manifest: ManifestFile, _ metadata: TableMetadata, _ deletes: DeleteIndex, _ store: any ObjectStore
    ) throws -> Content {
        var content = Content()
        let isWritable = Self.canWrite(metadata.spec(id: manifest.specId), metadata)
        try Manifests.forEachEntry(of: manifest, metadata: metadata, statistics: false, store: store) { entry in
            guard entry.isLive else { return true }
            let file = entry.dataFile
            content.fileCount += 1
            content.bytes += file.fileBytes
            guard isWritable, file.format == "PARQUET", file.keyMetadata == nil else { return true }
            let number = entry.sequenceNumber ?? 0
            let applying = deletes.deletes(for: file, sequenceNumber: number)
            if file.fileBytes < smallBytesBelow || !applying.isEmpty {
                content.candidates.append(CompactionCandidate(file, sequenceNumber: number, deletes: applying))
            }
            return true
        }
        return content
    }

    /// Files keep their spec, also an older one. That cannot be when a column it needs is gone.
    private static func canWrite(_ spec: PartitionSpec?, _ metadata: TableMetadata) -> Bool {
        spec?.fields.allSatisfy { field in
            if case .unknown = field.transform { return false }
            return field.transform == .void || metadata.currentSchema.field(id: field.sourceId) != nil
        } ?? false
    }
}
