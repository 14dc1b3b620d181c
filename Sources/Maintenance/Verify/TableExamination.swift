// Examines a table from its metadata file down.
//
// 1. The metadata file's JSON is checked as it stands, then read; what cannot be read is first mended in memory.
// 2. The manifest lists of the snapshots in scope, the current one first, name the manifests.
// 3. Each manifest is read once, data before deletes: entries are checked by themselves and counted, and the counts
//    compared with the manifest's rows in the lists.
// 4. Each live file is looked at once, on several threads, in bounded batches.
// 5. What concerns several manifests comes last: files live twice, dangling deletes, totals, row ids, the ledger.
//
// A read error is a finding, and the examination goes on. Memory holds 16 bytes and some for each live file.

import Base
import Catalog
import Columnar
import Iceberg
import Storage

final class TableExamination {
    /// One manifest, as the first list that names it says.
    struct Manifest {
        var row: ManifestFile
        /// Indices of the snapshots that list it, ascending.
        var snapshots: [Int32] = []
        /// Nil when it could not be read.
        var totals: LiveTotals?
        /// Its row as its entries have it.
        var corrected: ManifestFile?
        var isCurrent = false
    }

    struct FileTask: Sendable {
        let file: DataFile
        let key: FileKey
        let manifest: Int
    }

    private static let batchFiles = 512

    let location: String
    let store: any ObjectStore
    let options: ExaminationOptions
    let warehouse: Warehouse?
    let onProgress: (ExaminationProgress) -> Void
    var log: FindingLog
    private(set) var report: ExaminationReport
    /// As read, or as mended; nil when neither was possible.
    private(set) var metadata: TableMetadata?
    /// What was mended to read it, or could be.
    private(set) var metadataChanges: [String] = []
    private(set) var isMetadataReadable = true
    private(set) var manifests: [Manifest] = []
    private(set) var snapshots: [Snapshot] = []
    private var manifestIndex: [String: Int] = [:]
    private(set) var index = LiveFileIndex()
    /// Deletes of the current snapshot that apply to nothing.
    private(set) var danglingDeletes: Set<FileKey> = []
    /// Files of the current snapshot that are live twice.
    private(set) var duplicates: Set<FileKey> = []
    private(set) var files: FileExamination?
    private var deletes: DeleteChecks?
    private var rowIds: RowIdChecks?
    private var entries: EntryChecks?
    private var ledger: [FileKey: LedgerEntry.State] = [:]
    /// Everything but data and delete files that the table needs.
    private var known: Set<FileKey> = []
    private var batch: [FileTask] = []
    private var filesDone = 0
    private var filesTotal = 0

    init(
        subject: String, location: String, store: any ObjectStore, warehouse: Warehouse?, options: ExaminationOptions,
        onProgress: @escaping (ExaminationProgress) -> Void
    ) {
        self.location = location
        self.store = store
        self.warehouse = warehouse
        self.options = options
        self.onProgress = onProgress
        log = FindingLog(perCodeMax: options.findingsPerCodeMax)
        report = ExaminationReport(subject: subject, metadataLocation: location)
    }

    func run() -> ExaminationReport {
        readMetadata()
        if let metadata {
            let files = FileExamination(metadata: metadata, store: store, depth: options.depth)
            self.files = files
            entries = EntryChecks(types: files.types)
            deletes = DeleteChecks(metadata)
            if metadata.formatVersion > 2 { rowIds = RowIdChecks(nextRowId: metadata.nextRowId ?? 0) }
            readLedger()
            checkMetadataFiles(metadata)
            readLists(metadata)
            readManifests(metadata)
            checkDuplicates(metadata)
            checkTotals()
            if let findings = rowIds?.finish(location) { log.add(findings) }
            if options.findsOrphans { findOrphans(metadata) }
        }
        report.findings = log.findings
        report.counts = log.counts
        report.snapshots = snapshots.count
        report.manifests = manifests.count
        report.files = index.count
        return report
    }

    // MARK: Metadata

    private func readMetadata() {
        known.insert(FileKey(path: location))
        if options.includesPeers { log.add(PeerChecks.metadataName(location)) }
        do {
            let json = try TableMetadata.json(try store.get(location), source: location)
            log.add(MetadataChecks.check(json, location: location))
            let filled = MetadataFill.fill(json)
            metadataChanges = filled?.changes ?? []
            do {
                metadata = try TableMetadata(json: json, source: location)
            } catch {
                isMetadataReadable = false
                metadata = try filled.map { try TableMetadata(json: $0.json, source: location) }
                // The members that were missing or wrong have findings; anything else has not.
                if log.findings.isEmpty {
                    log.add(Finding(.metadataInvalid, location, found: error.message, expected: "valid metadata"))
                }
            }
        } catch {
            let code: FindingCode =
                (error as? FirnError)?.code == "malformed_json" || (error as? FirnError)?.kind == .notFound
                ? .metadataUnreadable : .metadataInvalid
            log.add(Fault.finding(error, location, unreadable: code, missing: .metadataUnreadable))
        }
    }

    private func checkMetadataFiles(_ metadata: TableMetadata) {
        for entry in metadata.metadataLog {
            known.insert(FileKey(path: entry.metadataFile))
            if let found = missing(entry.metadataFile, .metadataLogFileMissing, nil) { log.add(found) }
        }
        for file in metadata.statisticsFileSizes {
            known.insert(FileKey(path: file.path))
            if let found = missing(file.path, .statisticsFileMissing, file.snapshotId) {
                log.add(found)
            } else if let bytes = file.bytes, let size = try? store.size(file.path), Int64(size) != bytes {
                log.add(
                    Finding(
                        .statisticsSizeWrong, file.path, found: "\(bytes) recorded", expected: "\(size) bytes",
                        snapshotId: file.snapshotId))
            }
        }
    }

    private func missing(_ path: String, _ code: FindingCode, _ snapshot: Int64?) -> Finding? {
        do {
            guard try store.size(path) == nil else { return nil }
            return Finding(code, path, found: "no such file", expected: "the file", snapshotId: snapshot)
        } catch { return Fault.finding(error, path, unreadable: code, missing: code).of(snapshot: snapshot) }
    }

    /// Read after the metadata: what that names has lost its rows by then.
    private func readLedger() {
        for entry in (try? warehouse?.ledger.entries()) ?? [] { ledger[FileKey(path: entry.path)] = entry.state }
    }

    private func checkLedger(_ path: String, _ key: FileKey) {
        guard let state = ledger[key] else { return }
        log.add(Finding(.liveFileInLedger, path, found: "the ledger's state \(state.rawValue)", expected: "no row"))
    }

    // MARK: Manifest lists

    private func readLists(_ metadata: TableMetadata) {
        let heads = Set(metadata.refs.values.map(\.snapshotId) + [metadata.currentSnapshotId].compactMap { $0 })
        let wantsAll = options.scope == .retained || options.findsOrphans
        let wanted = metadata.snapshots.filter { wantsAll || heads.contains($0.snapshotId) }
        // The current snapshot first: what a finding is reported of is then what a repair can change.
        let current = wanted.filter { $0.snapshotId == metadata.currentSnapshotId }
        snapshots = current + wanted.filter { $0.snapshotId != metadata.currentSnapshotId }.reversed()
        for (number, snapshot) in snapshots.enumerated() {
            readList(snapshot, number: number, isCurrent: snapshot.snapshotId == metadata.currentSnapshotId)
        }
        filesTotal = manifests.reduce(0) { $0 &+ $1.row.liveFilesCount }
    }

    private func readList(_ snapshot: Snapshot, number: Int, isCurrent: Bool) {
        let path = snapshot.manifestList
        guard !path.isEmpty else {
            log.add(
                Finding(
                    .fileNotExamined, "snapshot \(snapshot.snapshotId)", found: "manifests without a list",
                    expected: "a manifest list", snapshotId: snapshot.snapshotId))
            return
        }
        known.insert(FileKey(path: path))
        checkLedger(path, FileKey(path: path))
        let rows: [ManifestFile]
        do {
            let bytes = try store.get(path)
            if options.includesPeers {
                let shape = try ManifestShape(bytes, source: path)
                let version = metadata?.formatVersion ?? 2
                log.add(
                    PeerChecks.list(shape, path, formatVersion: version).map { $0.of(snapshot: snapshot.snapshotId) })
            }
            rows = try Manifests.readList(bytes, source: path)
        } catch {
            log.add(
                Fault.finding(error, path, unreadable: .manifestListUnreadable, missing: .manifestListMissing)
                    .of(snapshot: snapshot.snapshotId))
            return
        }
        for row in rows { add(row, of: snapshot, number: Int32(number), isCurrent: isCurrent) }
    }

    private func add(_ row: ManifestFile, of snapshot: Snapshot, number: Int32, isCurrent: Bool) {
        func add(_ code: FindingCode, _ found: String, _ expected: String) {
            log.add(
                Finding(
                    code, row.path, found: found, expected: expected, snapshotId: snapshot.snapshotId,
                    manifest: row.path))
        }
        if row.sequenceNumber > snapshot.sequenceNumber {
            add(
                .manifestSequenceNumberWrong, "sequence number \(row.sequenceNumber)",
                "at most \(snapshot.sequenceNumber) of the snapshot")
        }
        guard let place = manifestIndex[row.path] else {
            manifestIndex[row.path] = manifests.count
            manifests.append(Manifest(row: row, snapshots: [number], isCurrent: isCurrent))
            known.insert(FileKey(path: row.path))
            return
        }
        guard manifests[place].snapshots.last != number else {
            return add(.manifestTwice, "the manifest twice in one list", "once")
        }
        manifests[place].snapshots.append(number)
        var known = manifests[place].row
        // A list from before an upgrade to version 3 knows no row ids.
        if known.firstRowId == nil || row.firstRowId == nil { known.firstRowId = row.firstRowId }
        manifests[place].row.firstRowId = manifests[place].row.firstRowId ?? row.firstRowId
        if known != row {
            add(.manifestRowDiffers, "another row than in the list of another snapshot", "the same row")
        }
    }

    // MARK: Manifests

    private func readManifests(_ metadata: TableMetadata) {
        // Deletes are judged by the data files of the current snapshot, so all of those come before.
        let order = manifests.indices.sorted {
            let (a, b) = (manifests[$0].row.content.rawValue, manifests[$1].row.content.rawValue)
            return a == b ? $0 < $1 : a < b
        }
        for place in order { readManifest(place, metadata) }
        examineBatch()
    }

    private func readManifest(_ place: Int, _ metadata: TableMetadata) {
        let row = manifests[place].row
        let snapshot = snapshots[Int(manifests[place].snapshots[0])].snapshotId
        checkLedger(row.path, FileKey(path: row.path))
        func add(_ finding: Finding) { log.add(finding.of(snapshot: snapshot, manifest: row.path)) }
        do {
            guard row.keyMetadata == nil else {
                throw FirnError(.unsupported, "encryption", "the manifest is encrypted")
            }
            let bytes = try store.get(row.path)
            if Int64(bytes.count) != row.length {
                add(
                    Finding(
                        .manifestLengthWrong, row.path, found: "\(row.length) recorded",
                        expected: "\(bytes.count) bytes"))
            }
            if options.includesPeers {
                PeerChecks.manifest(try ManifestShape(bytes, source: row.path), row.path).forEach(add)
            }
            guard let spec = metadata.spec(id: row.specId) else {
                return add(
                    Finding(
                        .manifestSpecUnknown, row.path, found: "partition spec \(row.specId)",
                        expected: "a spec of the table"))
            }
            var tally = ManifestTally(partitionFields: metadata.partitionFields(of: spec))
            var nextRowId = row.firstRowId
            try ManifestScan.read(bytes, manifest: row, metadata: metadata) { entry in
                tally.add(entry)
                examine(entry, in: place, &nextRowId, add)
                return true
            }
            tally.findings(row).forEach(add)
            manifests[place].totals = tally.totals
            manifests[place].corrected = tally.corrected(row, length: bytes.count)
        } catch { add(Fault.finding(error, row.path, unreadable: .manifestUnreadable, missing: .manifestMissing)) }
    }

    private func examine(
        _ entry: ManifestEntry, in place: Int, _ nextRowId: inout Int64?, _ add: (Finding) -> Void
    ) {
        let file = entry.dataFile
        var firstRowId = file.firstRowId
        if firstRowId == nil, file.content == .data, let next = nextRowId {
            firstRowId = next
            nextRowId = next &+ max(0, file.recordCount)
        }
        entries?.check(entry, in: manifests[place].row).forEach(add)
        guard entry.isLive else { return }
        let key = FileKey(file)
        let isCurrent = manifests[place].isCurrent
        let isRepeated: Bool
        switch index.insert(key, manifest: place) {
        case .new:
            isRepeated = false
            checkLedger(file.path, FileKey(path: file.path))
            // A deletion vector's key is its own, not its file's.
            if file.format == "PUFFIN" { known.insert(FileKey(path: file.path)) }
            batch.append(FileTask(file: file, key: key, manifest: place))
            if batch.count >= Self.batchFiles { examineBatch() }
        case .known:
            isRepeated = isCurrent && index.manifests(of: key).contains { $0 != place && manifests[$0].isCurrent }
        case .twiceInManifest:
            isRepeated = true
            if isCurrent { duplicates.insert(key) }
            add(Finding(.duplicateFile, file.path, found: "live twice in one manifest", expected: "once"))
        }
        guard isCurrent, !isRepeated else { return }
        if file.content == .data {
            deletes?.add(data: entry)
            rowIds?.add(file, firstRowId: firstRowId).forEach(add)
            return
        }
        let found = deletes?.check(delete: entry) { target in
            index.manifests(of: target).contains { manifests[$0].isCurrent }
        }
        for finding in found ?? [] {
            if finding.code != .deletionVectorsConflict { danglingDeletes.insert(key) }
            add(finding)
        }
    }

    private func examineBatch() {
        guard let files, !batch.isEmpty else { return }
        let share = options.depth == .rows ? UInt64(max(0, min(1, options.sample)) * 10_000) : 0
        let results = Parallel.map(batch) { task -> (findings: [Finding], readsRows: Bool) in
            let readsRows = task.key.high % 10_000 < share
            return (files.check(task.file, readsRows: readsRows), readsRows && task.file.content == .data)
        }
        for (task, result) in zip(batch, results) {
            let manifest = manifests[task.manifest]
            let snapshot = snapshots[Int(manifest.snapshots[0])].snapshotId
            log.add(result.findings.map { $0.of(snapshot: snapshot, manifest: manifest.row.path) })
            if result.readsRows { report.filesRead += 1 }
        }
        filesDone += batch.count
        batch.removeAll(keepingCapacity: true)
        onProgress(
            ExaminationProgress(
                filesDone: filesDone, filesTotal: max(filesTotal, filesDone),
                findings: log.counts.values.reduce(0, +)))
    }

    // MARK: What concerns several manifests

    /// The index knows keys only, so the manifests that hold a duplicate are read again for its path.
    private func checkDuplicates(_ metadata: TableMetadata) {
        let found = index.duplicates(snapshots: manifests.map(\.snapshots))
        for (place, group) in Dictionary(grouping: found, by: \.manifest).sorted(by: { $0.key < $1.key }) {
            let wanted = Dictionary(group.map { ($0.key, $0.snapshot) }, uniquingKeysWith: { first, _ in first })
            let row = manifests[place].row
            try? Manifests.forEachEntry(of: row, metadata: metadata, statistics: false, store: store) { entry in
                guard entry.isLive, let number = wanted[FileKey(entry.dataFile)] else { return true }
                let snapshot = snapshots[number]
                if snapshot.snapshotId == metadata.currentSnapshotId { duplicates.insert(FileKey(entry.dataFile)) }
                log.add(
                    Finding(
                        .duplicateFile, entry.dataFile.path, found: "live in two manifests of one snapshot",
                        expected: "once", snapshotId: snapshot.snapshotId, manifest: row.path))
                return true
            }
        }
    }

    private func checkTotals() {
        var sums = [LiveTotals](repeating: LiveTotals(), count: snapshots.count)
        var isWhole = [Bool](repeating: true, count: snapshots.count)
        for manifest in manifests {
            for number in manifest.snapshots {
                if let totals = manifest.totals { sums[Int(number)].add(totals) } else { isWhole[Int(number)] = false }
            }
        }
        let unread = Set(
            log.findings.filter { [.manifestListMissing, .manifestListUnreadable].contains($0.code) }
                .compactMap(\.snapshotId))
        for (number, snapshot) in snapshots.enumerated()
        where isWhole[number] && !snapshot.manifestList.isEmpty && !unread.contains(snapshot.snapshotId) {
            for key in LiveTotals.keys {
                guard let recorded = snapshot.summary[key], recorded != String(sums[number].values[key] ?? 0) else {
                    continue
                }
                log.add(
                    Finding(
                        .summaryTotalsWrong, "snapshot \(snapshot.snapshotId)", found: "\(key) \(recorded)",
                        expected: "\(sums[number].values[key] ?? 0)", snapshotId: snapshot.snapshotId))
            }
        }
    }

    private func findOrphans(_ metadata: TableMetadata) {
        var folders = [metadata.location]
        for folder in [metadata.dataFolder, metadata.metadataFolder]
        where !ObjectLocation.isBelow(folder, folder: metadata.location) { folders.append(folder) }
        for folder in folders {
            for path in (try? store.list(folder)) ?? [] {
                let key = FileKey(path: path)
                guard !known.contains(key), !index.contains(key), ledger[key] == nil,
                    !path.hasSuffix("/version-hint.text")
                else { continue }
                let isManifest =
                    path.hasSuffix(".avro") && ObjectLocation.isBelow(path, folder: metadata.metadataFolder)
                log.add(
                    Finding(
                        isManifest ? .orphanManifest : .orphanFile, path, found: "a file that nothing names",
                        expected: "files of the table and of writers at work"))
            }
        }
    }
}
