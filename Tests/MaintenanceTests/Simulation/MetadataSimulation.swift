import Base
import Catalog
import Columnar
import Iceberg

@testable import Maintenance

/// A table's metadata through virtual time: real commits, manifests, expiry, garbage collection and policy, on a store
/// in memory. Only data files are missing; nobody reads them.
///
/// Each step of `stepMs` is one commit of a file into each of the day's two partitions; one in eight also has a late
/// file, one in five deletes rows of a live file. Then the policy's plans are carried out as one `replace`.
final class MetadataSimulation {
    struct Figures {
        var commits = 0
        var arrivedFiles = 0
        var arrivedBytes: Int64 = 0
        var writtenBytes: Int64 = 0
        var replaces = 0
        var overBoundMax = Int.min
        var snapshotsMax = 0
        var metadataBytesMax = 0
        var manifestsMax = 0
        var manifestBytesMax: Int64 = 0
        /// Entries of the live manifests for each live file, at worst.
        var entriesPerFileMax = 0.0
        var storedFilesMax = 0
        var liveFiles = 0
        var partitions = 0
        var deleteFilesMax = 0

        var amplification: Double { Double(writtenBytes) / Double(max(arrivedBytes, 1)) }
    }

    static let targetBytes: Int64 = 8 << 20
    static let stepMs: Int64 = 600_000
    /// Snapshots are kept this long, six at least.
    static let keptMs: Int64 = 3_600_000

    private let fixture: WarehouseFixture
    private var scan = LiveFileScan()
    private var random = SplitMix(state: 2026)
    private var names = 0
    private(set) var figures = Figures()

    init() throws {
        fixture = try WarehouseFixture()
        try fixture.createTable(
            partitioned: true,
            properties: [
                "write.target-file-size-bytes": "\(Self.targetBytes)", "firn.compaction.min-input-files": "1000000",
                "history.expire.max-snapshot-age-ms": "\(Self.keptMs)", "history.expire.min-snapshots-to-keep": "6",
                "write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": "5",
                "commit.manifest.min-count-to-merge": "20", "write.delete.granularity": "file",
            ])
    }

    func run(steps: Int) throws {
        for step in 0..<steps {
            fixture.clock.advance(ms: Self.stepMs)
            let committer = try fixture.warehouse.committer(for: fixture.table)
            try append(step, committer)
            if step % 5 == 4 { try deleteRows(committer) }
            try compact(committer)
            if step % 24 == 23 { try fixture.warehouse.collectGarbage() }
            try measure()
        }
    }

    private func name(_ kind: String) throws -> String {
        names += 1
        let metadata = try fixture.metadata()
        let location = "\(metadata.dataFolder)/\(kind)-\(names).parquet"
        try fixture.warehouse.ledger.record([location], table: metadata.tableUUID)
        return location
    }

    private func file(_ day: Int, _ bytes: Int64, _ rows: Int64) throws -> DataFile {
        DataFile(
            path: try name("data"), partition: [.date(Int32(day))], specId: 0, recordCount: rows, fileBytes: bytes)
    }

    private func append(_ step: Int, _ committer: TableCommitter) throws {
        let day = 20_000 + step / 144
        var files: [DataFile] = []
        // Two regions: one file of a flush in each.
        for region in [0, 5000] { files.append(try file(day + region, Int64(20_000 + random.below(40_000)), 1000)) }
        if step % 8 == 7 { files.append(try file(day - 1 - random.below(3), Int64(5000 + random.below(20_000)), 200)) }
        figures.arrivedFiles += files.count
        figures.arrivedBytes += files.reduce(0) { $0 + $1.fileBytes }
        figures.commits += 1
        _ = try committer.append(files, ingest: nil)
    }

    private func live() throws -> LiveFiles {
        try scan.read(try fixture.warehouse.loadTable(fixture.table), store: fixture.warehouse.store)
    }

    private func deleteRows(_ committer: TableCommitter) throws {
        let candidates = try live().candidates
        guard !candidates.isEmpty else { return }
        let victim = candidates[random.below(candidates.count)]
        guard !victim.hasDeletes else { return }
        var deletes = DataFile(
            path: try name("deletes"), partition: victim.partition, specId: victim.specId,
            recordCount: max(1, victim.recordCount / Int64(2 + random.below(10))), fileBytes: 1500)
        deletes.content = .positionDeletes
        deletes.referencedDataFile = victim.path
        var delta = TableCommitter.RowDelta()
        delta.addedDeletes = [deletes]
        figures.commits += 1
        _ = try committer.rowDelta(delta)
    }

    private func compact(_ committer: TableCommitter) throws {
        let table = try fixture.warehouse.loadTable(fixture.table)
        let live = try live()
        let options = CompactionOptions(table.metadata.tableProperties)
        let bounds = live.state.bounds(options)
        for totals in live.state.places.values where figures.arrivedFiles > 100 {
            figures.overBoundMax = max(figures.overBoundMax, totals.files - bounds.filesMax(bytes: totals.bytes))
        }
        let plans = try CompactionPolicy.plans(
            live.state, options: options, nowMs: fixture.warehouse.environment.clock.nowMs())
        guard !plans.isEmpty else { return }
        var added: [DataFile] = []
        for plan in plans {
            let share = Double(plan.rows - plan.deletedRows) / Double(max(plan.rows, 1))
            let output = DataFile(
                path: try name("compact"), partition: plan.partition, specId: plan.specId,
                recordCount: plan.rows - plan.deletedRows, fileBytes: max(1, Int64(Double(plan.bytes) * share)))
            figures.writtenBytes += output.fileBytes
            added.append(output)
        }
        figures.replaces += 1
        _ = try committer.replace(
            removed: plans.flatMap { $0.files.map(\.path) }, added: added, basedOn: table.metadata.currentSnapshotId!)
    }

    private func measure() throws {
        let table = try fixture.warehouse.loadTable(fixture.table)
        let live = try live()
        let manifests = try Manifests.list(of: table.metadata.currentSnapshot!, store: fixture.warehouse.store)
        let entries = manifests.reduce(0) {
            $0 + ($1.addedFilesCount ?? 0) + ($1.existingFilesCount ?? 0) + ($1.deletedFilesCount ?? 0)
        }
        figures.snapshotsMax = max(figures.snapshotsMax, table.metadata.snapshots.count)
        figures.metadataBytesMax = max(
            figures.metadataBytesMax, try fixture.warehouse.store.get(table.metadataLocation).count)
        figures.manifestsMax = max(figures.manifestsMax, manifests.count)
        figures.manifestBytesMax = max(figures.manifestBytesMax, manifests.reduce(0) { $0 + $1.length })
        let deleteFiles = manifests.filter { $0.content == .deletes }.reduce(0) {
            $0 + ($1.addedFilesCount ?? 0) + ($1.existingFilesCount ?? 0)
        }
        figures.deleteFilesMax = max(figures.deleteFilesMax, deleteFiles)
        if live.fileCount > 50 {
            figures.entriesPerFileMax = max(
                figures.entriesPerFileMax, Double(entries) / Double(live.fileCount + deleteFiles))
        }
        figures.liveFiles = live.fileCount
        figures.partitions = live.state.places.count
    }
}
