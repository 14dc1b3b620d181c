import Base
import Catalog
import Iceberg
import Storage

/// Reads the live files of one table again and again, each manifest once.
///
/// Manifests never change, so what one says is kept as long as the table's manifest list names it, and the totals of
/// partitions change by what manifests that came and went say. A look at a table that was appended to costs the list
/// and the new manifests, however many files the table has. Of files only those are kept that are below the target or
/// have deletes. What is kept of data manifests holds for one set of delete manifests: when that changes, all are read
/// again.
struct LiveFileScan {
    /// Makes candidates of files of any size.
    let keepsAll: Bool
    private var manifests: [String: ManifestFacts] = [:]
    private var totals = PlaceTotals()
    private var places: [CompactionPlace: PlaceTotals] = [:]
    /// The bound and the schema that `manifests` was filtered with.
    private var smallBytesBelow: Int64 = 0
    private var schemaId = 0
    /// Of the delete manifests with these paths.
    private var deletes: DeleteIndex?
    private var deletePaths: Set<String> = []

    init(keepsAll: Bool = false) { self.keepsAll = keepsAll }

    mutating func read(_ table: Table, store: any ObjectStore) throws -> LiveFiles {
        let metadata = table.metadata
        let bound = CompactionOptions(metadata.tableProperties).targetBytes
        if bound != smallBytesBelow || metadata.currentSchemaId != schemaId {
            forget()
            smallBytesBelow = bound
            schemaId = metadata.currentSchemaId
        }
        let live = try metadata.currentSnapshot.map { try Manifests.list(of: $0, store: store) } ?? []
        let files = live.filter(\.mayHaveLiveFiles)
        let deletes = try deletes(files.filter { $0.content == .deletes }, metadata, store)
        let data = files.filter { $0.content == .data }
        var current: [String: ManifestFacts] = [:]
        for manifest in data {
            current[manifest.path] = try manifests[manifest.path] ?? facts(manifest, metadata, deletes, store)
        }
        // Nothing changes until all of them could be read.
        for (path, facts) in manifests where current[path] == nil { remove(facts) }
        for (path, facts) in current where manifests[path] == nil { add(facts) }
        manifests = current
        let state = CompactionState(
            totals: totals, places: places, layout: TableLayout(metadata), commits: CommitFacts(metadata),
            manifests: data.map { current[$0.path]! })
        return LiveFiles(
            snapshotId: metadata.currentSnapshotId, state: state, deletes: deletes, manifestCount: live.count)
    }

    private mutating func forget() {
        manifests = [:]
        places = [:]
        totals = PlaceTotals()
    }

    private mutating func add(_ facts: ManifestFacts) {
        for part in facts.parts {
            totals += part.totals
            places[part.place, default: PlaceTotals()] += part.totals
        }
    }

    private mutating func remove(_ facts: ManifestFacts) {
        for part in facts.parts {
            totals -= part.totals
            places[part.place]! -= part.totals
            if places[part.place]!.files == 0 { places[part.place] = nil }
        }
    }

    private mutating func deletes(
        _ manifests: [ManifestFile], _ metadata: TableMetadata, _ store: any ObjectStore
    ) throws -> DeleteIndex {
        let paths = Set(manifests.map(\.path))
        if let deletes, paths == deletePaths, !self.manifests.isEmpty { return deletes }
        forget()
        let fresh = try DeleteIndex(metadata: metadata, manifests: manifests, store: store)
        (deletes, deletePaths) = (fresh, paths)
        return fresh
    }

    private func facts(
        _ manifest: ManifestFile, _ metadata: TableMetadata, _ deletes: DeleteIndex, _ store: any ObjectStore
    ) throws -> ManifestFacts {
        var facts = ManifestFacts()
        let isWritable = Self.canWrite(metadata.spec(id: manifest.specId), metadata)
        try Manifests.forEachEntry(of: manifest, metadata: metadata, statistics: false, store: store) { entry in
            guard entry.isLive else { return true }
            let file = entry.dataFile
            let number = entry.sequenceNumber ?? 0
            let place = CompactionPlace(specId: file.specId, partition: file.partition)
            let isRewritable = isWritable && file.format == "PARQUET" && file.keyMetadata == nil
            let applying = isRewritable ? deletes.deletes(for: file, sequenceNumber: number) : []
            facts.add(place) { part in
                part.totals.count(file, number)
                guard isRewritable else { return }
                if file.fileBytes < smallBytesBelow {
                    part.totals.smallFiles += 1
                    part.totals.smallBytes += file.fileBytes
                }
                if !applying.isEmpty { part.totals.filesWithDeletes += 1 }
                if keepsAll || file.fileBytes < smallBytesBelow || !applying.isEmpty {
                    part.candidates.append(CompactionCandidate(file, sequenceNumber: number, deletes: applying))
                }
            }
            return true
        }
        return facts
    }

    /// Files keep their spec, also an older one. That cannot be when a column it needs is gone.
    private static func canWrite(_ spec: PartitionSpec?, _ metadata: TableMetadata) -> Bool {
        spec?.fields.allSatisfy { field in
            if case .unknown = field.transform { return false }
            return field.transform == .void || metadata.currentSchema.field(id: field.sourceId) != nil
        } ?? false
    }
}

extension PlaceTotals {
    fileprivate mutating func count(_ file: DataFile, _ sequenceNumber: Int64) {
        files += 1
        bytes += file.fileBytes
        rows += file.recordCount
        newestSequence = max(newestSequence, sequenceNumber)
    }
}
