import Base
import Columnar
import Storage
import TestSupport
import Testing

@testable import Iceberg

/// Random transactions on a table in memory, beside a model that keeps sets of files and nothing else.
///
/// 1. Each step prepares an action on the state that it read; sometimes another commit comes in between, and the action
///    is prepared again on the new state with what it relied on, or fails with a conflict.
/// 2. After each step the live files of the new snapshot, their sequence numbers and row ids, and the totals of its
///    summary are those of the model; so are, in the end, those of every snapshot.
/// 3. An action fails exactly when the model says that it must.
@Suite struct TransactionModelTests {
    @Test(arguments: [(2, 1), (2, 2), (3, 1), (3, 2), (3, 3)] as [(Int, UInt64)])
    func randomHistories(version: Int, seed: UInt64) throws {
        let run = try ModelRun(version: version, seed: seed * 7919 + UInt64(version))
        for _ in 0..<30 { try run.step() }
        try run.checkAllSnapshots()
        // Others' commits came in between, and the model saw what they changed.
        #expect(run.retried > 5)
    }
}

/// What a snapshot holds, by the model.
private struct ModelState {
    struct Data: Equatable {
        var file: DataFile
        var sequenceNumber: Int64
        var rowId: Int64?
    }

    struct Deletes {
        var file: DataFile
        var sequenceNumber: Int64
    }

    var data: [String: Data] = [:]
    var deletes: [DeleteFileKey: Deletes] = [:]

    func live(applying delete: Deletes) -> [String] {
        data.values.filter { data in
            let file = delete.file
            let same = file.partition == data.file.partition
            switch file.content {
            case .equalityDeletes: return delete.sequenceNumber > data.sequenceNumber && same
            default:
                guard delete.sequenceNumber >= data.sequenceNumber else { return false }
                return file.referencedDataFile.map { $0 == data.file.path } ?? same
            }
        }.map(\.file.path)
    }

    mutating func remove(_ path: String) {
        data[path] = nil
        deletes = deletes.filter { $0.value.file.referencedDataFile != path }
    }
}

private final class ModelRun {
    let version: Int
    let table: TestTable
    let random: SeededRandom
    var states: [Int64: ModelState] = [:]
    var conflicts = 0
    var retried = 0
    private var names = 0

    init(version: Int, seed: UInt64) throws {
        self.version = version
        random = SeededRandom(seed: seed)
        table = try TestTable(
            spec: TestTable.byDay,
            properties: [
                "commit.manifest.min-count-to-merge": "4", "commit.manifest.target-size-bytes": "20000",
            ])
        if version == 3 { try table.upgrade(3) }
        try commit(appending(2))
    }

    var state: ModelState { table.metadata.currentSnapshotId.flatMap { states[$0] } ?? ModelState() }

    private func name() -> String {
        names += 1
        return "f\(names)"
    }

    private func newFile(_ day: Int32? = nil, records: Int64? = nil) -> DataFile {
        table.file(
            name(), records: records ?? Int64(1 + random.next(below: 20)),
            partition: [.date(day ?? Int32(random.next(below: 3)))])
    }

    private func some(_ count: Int, of state: ModelState) -> [ModelState.Data] {
        var files = state.data.values.sorted { $0.file.path < $1.file.path }
        return (0..<min(count, files.count)).map { _ in files.remove(at: random.next(below: files.count)) }
    }

    /// An action: how it is prepared on a base, what it does to the model, and why it must fail on a state, nil if not.
    struct Action {
        var prepare: (TableMetadata, String, CommitContext, MemoryStore) throws -> PreparedCommit
        var apply: (inout ModelState, Int64) -> Void
        var removesData = false
        var mustFail: (ModelState, ModelState) -> Bool = { _, _ in false }
    }

    func step() throws {
        let read = state
        let action = random.next(below: 6) == 0 ? appending(1) : choose(read)
        if random.next(below: 2) == 0 {
            try commit([appending(1), deleting(state), deletingDay()][random.next(below: 3)])
            retried += 1
        }
        if action.mustFail(read, state) {
            conflicts += 1
            let error = #expect(throws: FirnError.self) {
                try action.prepare(table.metadata, table.location, table.context(), table.store)
            }
            #expect(error?.kind == .conflict)
        } else {
            try commit(action)
        }
    }

    private func choose(_ read: ModelState) -> Action {
        guard read.data.count > 1 else { return appending(2) }
        switch random.next(below: 7) {
        case 0: return appending(2)
        case 1: return compacting(read)
        case 2, 3: return deleting(read)
        case 4: return rewriting()
        case 5: return deletingDay()
        default: return overwriting(read)
        }
    }

    private func commit(_ action: Action) throws {
        let before = state
        let commit = try table.run(action.prepare)
        guard let snapshot = commit.snapshot else { return }
        var after = before
        action.apply(&after, snapshot.sequenceNumber)
        if action.removesData, before.data.keys.contains(where: { after.data[$0] == nil }) {
            // Deletes that are older than every live file go.
            let oldest = after.data.values.map(\.sequenceNumber).min() ?? snapshot.sequenceNumber
            after.deletes = after.deletes.filter {
                // Position deletes reach files of their own commit, equality deletes only older ones.
                let reachesOwn = $0.value.file.content == .positionDeletes
                return $0.value.sequenceNumber > oldest || reachesOwn && $0.value.sequenceNumber == oldest
            }
        }
        try compare(snapshot, &after)
        states[snapshot.snapshotId] = after
        // The metadata are the base and its updates, and the file says the same.
        #expect(try TableMetadata.parse(commit.metadata.serialize(), source: "test") == commit.metadata)
    }

    private func compare(_ snapshot: Snapshot, _ model: inout ModelState) throws {
        var data: [String: ModelState.Data] = [:]
        var deletes: [DeleteFileKey: Int64] = [:]
        for entry in try table.live(snapshot) {
            if entry.dataFile.content == .data {
                let known = model.data[entry.dataFile.path]
                var file = entry.dataFile
                file.firstRowId = nil
                #expect(
                    data.updateValue(
                        ModelState.Data(
                            file: file, sequenceNumber: entry.sequenceNumber!, rowId: entry.dataFile.firstRowId),
                        forKey: file.path) == nil)
                // A file keeps the row ids that it got first.
                if let rowId = known?.rowId { #expect(rowId == entry.dataFile.firstRowId) }
                model.data[file.path]?.rowId = entry.dataFile.firstRowId
            } else {
                deletes[entry.dataFile.deleteKey] = entry.sequenceNumber!
            }
        }
        #expect(data == model.data)
        #expect(deletes == model.deletes.mapValues(\.sequenceNumber))
        checkRowIds(data, snapshot)
        checkTotals(model, snapshot.summary)
    }

    private func checkRowIds(_ data: [String: ModelState.Data], _ snapshot: Snapshot) {
        guard version == 3 else {
            #expect(data.values.allSatisfy { $0.rowId == nil })
            return
        }
        let ranges = data.values.map { $0.rowId!..<($0.rowId! + $0.file.recordCount) }
            .sorted { $0.lowerBound < $1.lowerBound }
        for (a, b) in zip(ranges, ranges.dropFirst()) { #expect(a.upperBound <= b.lowerBound) }
        #expect(ranges.last.map { $0.upperBound <= table.metadata.nextRowId! } ?? true)
    }

    private func checkTotals(_ model: ModelState, _ summary: [String: String]) {
        let deletes = model.deletes.values.map(\.file)
        let expected: [(String, Int64)] = [
            ("total-data-files", Int64(model.data.count)),
            ("total-records", model.data.values.reduce(0) { $0 + $1.file.recordCount }),
            ("total-delete-files", Int64(deletes.count)),
            (
                "total-position-deletes",
                deletes.filter { $0.content == .positionDeletes }.reduce(0) { $0 + $1.recordCount }
            ),
            (
                "total-equality-deletes",
                deletes.filter { $0.content == .equalityDeletes }.reduce(0) { $0 + $1.recordCount }
            ),
            (
                "total-files-size",
                model.data.values.reduce(0) { $0 + $1.file.fileBytes }
                    + deletes.reduce(0) { $0 + ($1.isDeletionVector ? $1.contentBytes! : $1.fileBytes) }
            ),
        ]
        for (key, value) in expected { #expect(summary[key] == String(value), "\(key)") }
    }

    func checkAllSnapshots() throws {
        for snapshot in table.snapshots {
            guard var model = states[snapshot.snapshotId] else { continue }
            var found: Set<String> = []
            for entry in try table.live(snapshot) where entry.dataFile.content == .data {
                found.insert(entry.dataFile.path)
                #expect(model.data[entry.dataFile.path]?.rowId == entry.dataFile.firstRowId)
            }
            #expect(found == Set(model.data.keys))
            model.data = [:]
        }
    }
}

extension ModelRun {
    fileprivate func appending(_ count: Int) -> Action {
        let files = (0..<count).map { _ in newFile() }
        return Action(
            prepare: {
                try SnapshotProducer.append(base: $0, baseLocation: $1, files: files, context: $2, store: $3)
            },
            apply: { state, number in
                for file in files { state.data[file.path] = ModelState.Data(file: file, sequenceNumber: number) }
            })
    }

    /// Two files of one day become one.
    fileprivate func compacting(_ read: ModelState) -> Action {
        let day = some(1, of: read)[0].file.partition
        let inputs = Array(
            read.data.values.filter { $0.file.partition == day }.sorted { $0.file.path < $1.file.path }.prefix(3))
        let output = table.file(name(), records: inputs.reduce(0) { $0 + $1.file.recordCount }, partition: day)
        let started = table.metadata.lastSequenceNumber
        let paths = Set(inputs.map(\.file.path))
        return Action(
            prepare: {
                try SnapshotProducer.replace(
                    base: $0, baseLocation: $1, removed: paths, added: [output], dataSequenceNumber: started,
                    context: $2, store: $3)
            },
            apply: { state, _ in
                for path in paths { state.remove(path) }
                state.data[output.path] = ModelState.Data(file: output, sequenceNumber: started)
            }, removesData: true,
            mustFail: { _, now in
                paths.contains { now.data[$0] == nil }
                    || now.deletes.values.contains { delete in
                        delete.sequenceNumber > started && delete.file.content != .equalityDeletes
                            && !paths.isDisjoint(with: now.live(applying: delete))
                    }
            })
    }

    /// Rows of one file by position, or of a day by equality, under snapshot isolation as a plain delete.
    fileprivate func deleting(_ read: ModelState) -> Action {
        guard let target = some(1, of: read).first else { return appending(1) }
        let start = table.metadata.currentSnapshotId
        let started = table.metadata.lastSequenceNumber
        let validation = CommitValidation(
            startSnapshotId: start, isolation: .snapshot, rewritesRows: false)
        var deletes: DataFile
        var superseded: [ManifestEntry] = []
        if random.next(below: 4) == 0 {
            deletes = table.equalityDeletes(name())
            deletes.partition = target.file.partition
        } else if version == 3 {
            deletes = table.vector(name(), of: target.file)
            superseded = read.deletes.values.filter { $0.file.referencedDataFile == target.file.path }.map {
                ManifestEntry(
                    status: .existing, snapshotId: nil, sequenceNumber: $0.sequenceNumber, fileSequenceNumber: nil,
                    dataFile: $0.file)
            }
        } else {
            deletes = table.deletes(name(), of: target.file)
        }
        let keys = superseded.map(\.dataFile.deleteKey)
        return Action(
            prepare: { [deletes, superseded] in
                try SnapshotProducer.rowDelta(
                    base: $0, baseLocation: $1, addedDeletes: [deletes], removedDeletes: superseded,
                    validation: validation, context: $2, store: $3)
            },
            apply: { [deletes] state, number in
                for key in keys { state.deletes[key] = nil }
                state.deletes[deletes.deleteKey] = ModelState.Deletes(file: deletes, sequenceNumber: number)
            },
            mustFail: { [deletes] _, now in
                let clashes = now.deletes.values.contains {
                    deletes.isDeletionVector && $0.sequenceNumber > started && $0.file.isDeletionVector
                        && $0.file.referencedDataFile == deletes.referencedDataFile
                }
                return clashes || deletes.referencedDataFile.map { now.data[$0] == nil } ?? false
            })
    }

    /// A file with other rows instead, as if nobody had added any.
    fileprivate func overwriting(_ read: ModelState) -> Action {
        let target = some(1, of: read)[0]
        guard case .date(let day) = target.file.partition[0] else { return appending(1) }
        let added = newFile(day)
        let started = table.metadata.lastSequenceNumber
        let filter = Predicate.and(
            .compare(fieldId: 2, .greaterOrEqual, .timestamptz(Int64(day) * 86_400_000_000)),
            .compare(fieldId: 2, .less, .timestamptz(Int64(day + 1) * 86_400_000_000)))
        let validation = CommitValidation(
            startSnapshotId: table.metadata.currentSnapshotId, conflictFilter: filter, isolation: .serializable)
        return Action(
            prepare: {
                try SnapshotProducer.overwrite(
                    base: $0, baseLocation: $1, removed: [target.file.path], added: [added], readAt: started,
                    validation: validation, context: $2, store: $3)
            },
            apply: { state, number in
                state.remove(target.file.path)
                state.data[added.path] = ModelState.Data(file: added, sequenceNumber: number)
            }, removesData: true,
            mustFail: { read, now in
                now.data[target.file.path] == nil
                    || now.data.values.contains { read.data[$0.file.path] == nil && $0.file.partition == [.date(day)] }
                    || now.deletes.values.contains {
                        $0.sequenceNumber > started && now.live(applying: $0).contains(target.file.path)
                    }
            })
    }

    /// Every file of one day, whatever came meanwhile.
    fileprivate func deletingDay() -> Action {
        let day = Int32(random.next(below: 3))
        let added = newFile(day)
        return Action(
            prepare: {
                try SnapshotProducer.replacePartitions(
                    base: $0, baseLocation: $1, added: [added], validation: nil, context: $2, store: $3)
            },
            apply: { state, number in
                let gone = state.data.values.filter { $0.file.partition == [.date(day)] }.map(\.file.path)
                for path in gone { state.remove(path) }
                state.deletes = state.deletes.filter { $0.value.file.partition != [.date(day)] }
                state.data[added.path] = ModelState.Data(file: added, sequenceNumber: number)
            }, removesData: true)
    }

    fileprivate func rewriting() -> Action {
        Action(
            prepare: {
                if let commit = try SnapshotProducer.rewriteManifests(
                    base: $0, baseLocation: $1, context: $2, store: $3)
                {
                    return commit
                }
                return try SnapshotProducer.setProperties(
                    base: $0, baseLocation: $1, updates: ["touched": "yes"], context: $2)
            }, apply: { _, _ in })
    }
}
