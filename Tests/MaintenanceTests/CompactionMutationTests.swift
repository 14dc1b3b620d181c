import Base
import Catalog
import Columnar
import Iceberg
import Synchronization
import TestSupport
import Testing

@testable import Maintenance

/// A compactor that is made to drop, double or change one row, whichever, is refused every time (G6): the run ends with
/// `compaction_proof_failed`, the table is as it was, and no file is left.
@Suite struct CompactionMutationTests {
    enum Defect: String, CaseIterable, CustomTestStringConvertible {
        case drop, double, replace, change, null, swap, swapRowIds
        var testDescription: String { rawValue }
    }

    /// Changes the rows of one batch, in one place; nil when there is nothing to change there.
    static func mutate(_ rows: [[Value]], _ defect: Defect, _ random: SeededRandom) -> [[Value]]? {
        guard rows.count >= 2 else { return nil }
        var rows = rows
        let row = random.next(below: rows.count)
        let other = (row + 1 + random.next(below: rows.count - 1)) % rows.count
        // The columns of the table; row ids come behind them.
        let column = random.next(below: 4)
        switch defect {
        case .drop: rows.remove(at: row)
        case .double: rows.insert(rows[row], at: other)
        // As many rows as before.
        case .replace: rows[other] = rows[row]
        case .change:
            switch rows[row][column] {
            case .long(let value): rows[row][column] = .long(value ^ (1 << Int64(random.next(below: 40))))
            case .date(let value): rows[row][column] = .date(value + 1)
            case .string(let value): rows[row][column] = .string(value + " ")
            case .list(let values): rows[row][column] = .list(values + [.null])
            default: return nil
            }
        case .null:
            // An empty list, an empty string and zero are not null.
            guard column > 0, rows[row][column] != .null else { return nil }
            rows[row][column] = .null
        case .swap: (rows[row][column], rows[other][column]) = (rows[other][column], rows[row][column])
        case .swapRowIds:
            guard rows[row].count > 4 else { return nil }
            (rows[row][4], rows[other][4]) = (rows[other][4], rows[row][4])
        }
        return rows
    }

    @Test(arguments: Defect.allCases, [2, 3]) func everyDefectIsRefused(_ defect: Defect, version: Int) throws {
        guard defect != .swapRowIds || version == 3 else { return }
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: true)
        if version == 3 { try fixture.upgrade() }
        for step in 0..<4 { try fixture.append(step * 12..<step * 12 + 12) }
        try fixture.delete([5, 20])
        let before = try fixture.metadata()
        let rows = try fixture.rows()
        let files = try fixture.warehouse.store.list(before.location)
        var refused = 0
        for seed in UInt64(0)..<12 {
            let random = SeededRandom(seed: seed)
            let target = random.next(below: 12)
            let state = Mutex((batches: 0, isDone: false))
            var run = CompactionRun(warehouse: fixture.warehouse, table: fixture.table, isForced: true)
            run.width = 1 + Int(seed % 2)
            run.transform = { batch in
                state.withLock { state in
                    defer { state.batches += 1 }
                    let rows = (0..<batch.rowCount).map { row in batch.columns.map { $0.value(at: row) } }
                    guard !state.isDone, state.batches >= target,
                        let wrong = Self.mutate(rows, defect, random), Self.differ(wrong, rows)
                    else { return batch }
                    state.isDone = true
                    return Self.batch(wrong, batch.schema)
                }
            }
            do {
                _ = try run.run()
                // Nothing was changed in this run: the next one has the same work again.
                #expect(!state.withLock { $0.isDone }, "\(defect) with seed \(seed) went unnoticed")
                _ = try fixture.warehouse.committer(for: fixture.table).setCurrent(before.currentSnapshotId!)
                continue
            } catch let error as FirnError {
                #expect(error.code == "compaction_proof_failed" || error.code == "compaction_cancelled")
            }
            refused += 1
            #expect(try fixture.metadata().currentSnapshotId == before.currentSnapshotId)
            #expect(try fixture.pendingFiles.isEmpty)
        }
        #expect(refused > 3)
        #expect(try fixture.rows() == rows)
        // What is there beside the files from before are those of runs in which nothing was changed.
        #expect(try fixture.warehouse.findOrphans().isEmpty && Set(files).isSubset(of: store(fixture, before)))
    }

    private func store(_ fixture: WarehouseFixture, _ metadata: TableMetadata) throws -> Set<String> {
        Set(try fixture.warehouse.store.list(metadata.location))
    }

    /// Two values that are equal swap for nothing.
    private static func differ(_ a: [[Value]], _ b: [[Value]]) -> Bool {
        var counts: [[Value]: Int] = [:]
        for row in a { counts[row, default: 0] += 1 }
        for row in b { counts[row, default: 0] -= 1 }
        return counts.values.contains { $0 != 0 }
    }

    private static func batch(_ rows: [[Value]], _ schema: Schema) -> RecordBatch {
        let builder = BatchBuilder(schema)
        for row in rows {
            for (index, column) in builder.columns.enumerated() { column.append(row[index]) }
        }
        return builder.finish()
    }

    /// The job of a run that is refused says so.
    @Test func theJobTells() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<3 { try fixture.append(step * 10..<step * 10 + 10) }
        // A data file that holds other rows than its manifest says.
        let file = try #require(try fixture.liveFiles().first)
        try fixture.append(30..<41)
        let longer = try #require(try fixture.liveFiles().first { $0.recordCount == 11 })
        try fixture.warehouse.store.put(file.path, try fixture.warehouse.store.get(longer.path))
        let jobs = MaintenanceJobs(warehouse: fixture.warehouse)
        let error = #expect(throws: FirnError.self) {
            try jobs.compact(fixture.table, request: CompactionRequest(isForced: true))
        }
        #expect(error?.kind == .corrupted)
        let job = try #require(try fixture.warehouse.listJobs(table: "t.events").first)
        #expect(job.state == .failed && job.error != nil)
        #expect(try fixture.pendingFiles.isEmpty)
    }
}
