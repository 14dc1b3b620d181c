import Base
import Catalog
import Columnar
import Glibc
import Iceberg
import Storage
import Synchronization

/// Reads every snapshot of a table while others write it, and counts the files of each partition.
///
/// 1. A few times a second the table is loaded, as any reader does; snapshots not seen before are read from their
///    manifests. What a manifest says is kept while a snapshot names it.
/// 2. A partition of `b` bytes, filled by files of `f` bytes, may have ceil(b / target) + ceil(log2(target / f)) files.
///    `f` is the mean size of the files that appends have added so far.
/// 3. Write amplification is the bytes that replacing snapshots added over those that appends did.
final class FileBoundWatch: Sendable {
    struct Seen: Sendable {
        var snapshots = 0
        /// The most files in one partition after the warm-up, and the bound there.
        var filesMax = 0
        var boundThere = 0
        /// Snapshots after the warm-up in which a partition had more files than its bound.
        var violations = 0
        var appendedFiles = 0
        var appendedBytes: Int64 = 0
        var rewrittenBytes: Int64 = 0
        var targetBytes: Int64 = 1
        var error: FirnError?

        var flushBytes: Int64 { max(1, appendedBytes / Int64(max(1, appendedFiles))) }
        var amplification: Double { Double(rewrittenBytes) / Double(max(1, appendedBytes)) }
        var amplificationMax: Double { max(0, log2(Double(targetBytes) / Double(flushBytes))) }

        func bound(_ bytes: Int64) -> Int {
            Int((bytes + targetBytes - 1) / targetBytes) + Int(amplificationMax.rounded(.up))
        }
    }

    private struct Place: Hashable {
        let specId: Int
        let partition: [Value]
    }

    private struct State: Sendable {
        var seen = Seen()
        var lastSequence: Int64 = 0
        var manifests: [String: [Place: (files: Int, bytes: Int64)]] = [:]
    }

    private let warehouse: Warehouse
    private let table: TableIdentifier
    private let warmUpMs: Int64
    private let state = Mutex(State())
    private let isStopping = Atomic(false)
    private let ended = Semaphore()

    init(warehouse: Warehouse, table: TableIdentifier, warmUpMs: Int64) {
        self.warehouse = warehouse
        self.table = table
        self.warmUpMs = warmUpMs
    }

    func start() {
        let started = warehouse.environment.clock.monotonicNanos()
        Thread.spawn(name: "watch") { [self] in
            while true {
                let isLast = isStopping.load(ordering: .acquiring)
                let isWarm = warehouse.environment.clock.monotonicNanos() - started > warmUpMs * 1_000_000
                state.withLock { look(&$0, isWarm: isWarm) }
                if isLast { break }
                _ = Semaphore().wait(milliseconds: 250)
            }
            ended.signal()
        }
    }

    func stop() -> Seen {
        isStopping.store(true, ordering: .releasing)
        ended.wait()
        return state.withLock { $0.seen }
    }

    private func look(_ state: inout State, isWarm: Bool) {
        do {
            let metadata = try warehouse.loadTable(table).metadata
            state.seen.targetBytes = Int64(metadata.tableProperties.targetFileBytes)
            for snapshot in metadata.snapshots.sorted(by: { $0.sequenceNumber < $1.sequenceNumber })
            where snapshot.sequenceNumber > state.lastSequence {
                state.lastSequence = snapshot.sequenceNumber
                try read(snapshot, metadata, &state, isWarm: isWarm)
            }
        } catch {
            state.seen.error = error as? FirnError
        }
    }

    private func read(
        _ snapshot: Snapshot, _ metadata: TableMetadata, _ state: inout State, isWarm: Bool
    ) throws {
        let bytes = snapshot.summary["added-files-size"].flatMap { Int64($0) } ?? 0
        if snapshot.operation == "append" {
            state.seen.appendedFiles += snapshot.summary["added-data-files"].flatMap { Int($0) } ?? 0
            state.seen.appendedBytes += bytes
        } else {
            state.seen.rewrittenBytes += bytes
        }
        var known: [String: [Place: (files: Int, bytes: Int64)]] = [:]
        var total: [Place: (files: Int, bytes: Int64)] = [:]
        for manifest in try Manifests.list(of: snapshot, store: warehouse.store) where manifest.content == .data {
            let places = try state.manifests[manifest.path] ?? count(manifest, metadata)
            known[manifest.path] = places
            total.merge(places) { ($0.files + $1.files, $0.bytes + $1.bytes) }
        }
        state.manifests = known
        state.seen.snapshots += 1
        guard isWarm else { return }
        var isOver = false
        for place in total.values {
            let bound = state.seen.bound(place.bytes)
            if place.files > state.seen.filesMax { (state.seen.filesMax, state.seen.boundThere) = (place.files, bound) }
            isOver = isOver || place.files > bound
        }
        if isOver { state.seen.violations += 1 }
    }

    private func count(
        _ manifest: ManifestFile, _ metadata: TableMetadata
    ) throws -> [Place: (files: Int, bytes: Int64)] {
        var places: [Place: (files: Int, bytes: Int64)] = [:]
        try Manifests.forEachEntry(of: manifest, metadata: metadata, statistics: false, store: warehouse.store) {
            guard $0.isLive else { return true }
            let place = Place(specId: $0.dataFile.specId, partition: $0.dataFile.partition)
            places[place, default: (0, 0)].files += 1
            places[place]!.bytes += $0.dataFile.fileBytes
            return true
        }
        return places
    }
}
