import Base
import Catalog
import Iceberg
import Storage

/// What the policy needs to know of a table at one snapshot.
public struct LiveFiles: Sendable {
    /// Nil for a table without snapshots.
    public let snapshotId: Int64?
    /// Data files small enough to be merged, of a format that can be read.
    public let candidates: [CompactionCandidate]
    /// All live data files.
    public let fileCount: Int
    public let bytes: Int64
    /// True when delete files apply: their rows would have to be dropped while rewriting.
    public let hasDeletes: Bool

    /// The state of a table, read afresh.
    public static func read(_ table: Table, store: any ObjectStore) throws -> LiveFiles {
        var scan = LiveFileScan()
        return try scan.read(table, store: store)
    }

    /// Throws `.unsupported` for tables that cannot be rewritten: delete files, format version 3.
    func requireRewritable(_ table: Table) throws(FirnError) {
        guard table.metadata.formatVersion <= 2 else {
            throw FirnError(
                .unsupported, "format_version",
                "tables of format version 3 are not compacted: their rows would lose their ids",
                context: ["table": table.identifier.description])
        }
        guard !hasDeletes else {
            throw FirnError(
                .unsupported, "delete_files", "tables with delete files are not compacted",
                context: ["table": table.identifier.description])
        }
    }
}

/// Reads the live files of one table again and again, each manifest once.
///
/// Manifests never change, so what one says is kept as long as the table's manifest list names it. A look at a table
/// that was appended to costs the list and the new manifests, however many files the table has. Only files that are
/// small are kept; there are few of those, or else they are about to be compacted.
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

    mutating func read(_ table: Table, store: any ObjectStore) throws -> LiveFiles {
        let metadata = table.metadata
        guard let snapshot = metadata.currentSnapshot else {
            manifests = [:]
            return LiveFiles(snapshotId: nil, candidates: [], fileCount: 0, bytes: 0, hasDeletes: false)
        }
        let bound = CompactionOptions(metadata.tableProperties).smallBytesBelow
        if bound != smallBytesBelow || metadata.currentSchemaId != schemaId {
            manifests = [:]
            smallBytesBelow = bound
            schemaId = metadata.currentSchemaId
        }
        var current: [String: Content] = [:]
        var total = Content()
        var hasDeletes = false
        for manifest in try Manifests.list(of: snapshot, store: store) where manifest.mayHaveLiveFiles {
            guard manifest.content == .data else {
                hasDeletes = true
                continue
            }
            let content = try manifests[manifest.path] ?? contentOf(manifest, metadata, store)
            current[manifest.path] = content
            total.candidates += content.candidates
            total.fileCount += content.fileCount
            total.bytes += content.bytes
        }
        manifests = current
        return LiveFiles(
            snapshotId: snapshot.snapshotId, candidates: total.candidates, fileCount: total.fileCount,
            bytes: total.bytes, hasDeletes: hasDeletes)
    }

    private func contentOf(
        _ manifest: ManifestFile, _ metadata: TableMetadata, _ store: any ObjectStore
    ) throws -> Content {
        var content = Content()
        let isWritable = Self.canWrite(metadata.spec(id: manifest.specId), metadata)
        try Manifests.forEachEntry(of: manifest, metadata: metadata, statistics: false, store: store) { entry in
            guard entry.isLive else { return true }
            let file = entry.dataFile
            content.fileCount += 1
            content.bytes += file.fileBytes
            if isWritable, file.fileBytes < smallBytesBelow, file.format == "PARQUET", file.keyMetadata == nil {
                content.candidates.append(CompactionCandidate(file, sequenceNumber: entry.sequenceNumber ?? 0))
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
