import Base
import Catalog
import Columnar
import Iceberg
import Parquet
import Testing

@testable import Maintenance

@Suite struct CompactionRunTests {
    private func run(_ fixture: WarehouseFixture, isForced: Bool = false) -> CompactionRun {
        CompactionRun(warehouse: fixture.warehouse, table: fixture.table, isForced: isForced)
    }

    @Test func rowsStayAtEverySnapshot() throws {
        let fixture = try WarehouseFixture(onDisk: true)
        try fixture.createTable()
        var rowsBySnapshot: [Int64: [[Value]]] = [:]
        for step in 0..<8 {
            let snapshot = try fixture.append(step * 100..<step * 100 + 100)
            rowsBySnapshot[snapshot] = try fixture.rows()
        }
        let report = try run(fixture).run()
        #expect(report.filesBefore == 8 && report.filesAfter == 1 && report.rows == 800)
        #expect(report.groups == 1 && report.commits == 1 && report.conflicts == 0)
        #expect(report.tableFilesBefore == 8 && report.tableFilesAfter == 1)
        #expect(report.bytesBefore == report.tableBytesBefore && report.bytesAfter == report.tableBytesAfter)
        #expect(try fixture.rows() == (0..<800).map(WarehouseFixture.row))
        for (snapshot, rows) in rowsBySnapshot { #expect(try fixture.rows(at: snapshot) == rows) }
        let metadata = try fixture.metadata()
        #expect(metadata.currentSnapshotId == report.snapshotId)
        #expect(metadata.currentSnapshot?.operation == "replace")
        #expect(metadata.currentSnapshot?.summary["total-records"] == "800")
        #expect(try fixture.pendingFiles.isEmpty)
        #expect(try fixture.warehouse.findOrphans().isEmpty)
        // Nothing is left to do.
        let again = try run(fixture, isForced: true).run()
        #expect(again.groups == 0 && again.snapshotId == nil && again.tableFilesAfter == 1)
    }

    @Test func partitionsAreKeptApart() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: true)
        for step in 0..<6 { try fixture.append(step * 20..<step * 20 + 20) }
        let before = try fixture.liveFiles()
        #expect(before.count == 18)
        let plans = try run(fixture).plan()
        #expect(plans.count == 3)
        #expect(plans.contains { $0.text.contains("6 files") && $0.text.contains("in day=2024-10-05") })
        let report = try run(fixture).run()
        #expect(report.groups == 3 && report.commits == 1 && report.filesAfter == 3)
        let after = try fixture.liveFiles()
        #expect(Set(after.map(\.partition)) == Set(before.map(\.partition)) && after.count == 3)
        #expect(after.allSatisfy { $0.path.contains("/data/day=") })
        #expect(try fixture.rows() == (0..<120).map(WarehouseFixture.row))
    }

    @Test func oldColumnsBecomeTheCurrentOnes() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<3 { try fixture.append(step * 10..<step * 10 + 10) }
        _ = try fixture.warehouse.committer(for: fixture.table).update { metadata in
            var metadata = metadata
            var schema = metadata.currentSchema
            schema.fields.append(Field(id: 6, name: "extra", required: false, type: .double))
            schema.fields.removeAll { $0.name == "name" }
            try metadata.setCurrentSchema(try metadata.addSchema(schema))
            return metadata
        }
        for step in 3..<6 { try fixture.append(step * 10..<step * 10 + 10) }
        let rows = try fixture.rows()
        #expect(rows.count == 60 && rows[1].count == 4 && rows[1][3] == .null)
        _ = try run(fixture).run()
        #expect(try fixture.rows() == rows)
        #expect(try fixture.liveFiles().count == 1)
    }

    /// Each change of the rows on their way to the writer must stop the run and leave no trace.
    @Test(arguments: ["drop", "double", "null", "swap"])
    func wrongRowsAreRefused(_ defect: String) throws {
        let fixture = try WarehouseFixture(onDisk: true)
        try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        let before = try fixture.metadata()
        let files = try fixture.warehouse.store.list(before.location)
        var run = run(fixture)
        run.transform = { batch in
            var rows = (0..<batch.rowCount).map { row in batch.columns.map { $0.value(at: row) } }
            switch defect {
            case "drop": rows.removeLast()
            case "double": rows[2] = rows[1]
            case "null": rows[1][2] = rows[1][2] == .null ? .string("") : .null
            default: (rows[1][1], rows[2][1]) = (rows[2][1], rows[1][1])
            }
            return WarehouseFixture.batch(rows, schema: batch.schema)
        }
        let error = #expect(throws: FirnError.self) { try run.run() }
        #expect(error?.kind == .internal && error?.code == "compaction_proof_failed")
        #expect(try fixture.metadata() == before)
        #expect(try fixture.warehouse.store.list(before.location) == files)
        #expect(try fixture.pendingFiles.isEmpty)
    }

    /// Each damage to a page on its way into the output must stop the run too, and leave no trace.
    @Test(arguments: MergeFault.Kind.allCases, 0..<4)
    func wrongPagesAreRefused(_ kind: MergeFault.Kind, _ column: Int) throws {
        let fixture = try WarehouseFixture(onDisk: true)
        try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 300..<step * 300 + 300) }
        let before = try fixture.metadata()
        let files = try fixture.warehouse.store.list(before.location)
        var run = run(fixture)
        run.fault = MergeFault(kind, column: column)
        // No page of this table is large enough to be copied, and ids have no dictionary that could be mistaken.
        guard kind != .repeatCopy, kind != .wrongDictionary || column != 0 else { return }
        let error = #expect(throws: FirnError.self) { try run.run() }
        #expect(["compaction_proof_failed", "merge_incomplete"].contains(error?.code))
        #expect(try fixture.metadata() == before)
        #expect(try fixture.warehouse.store.list(before.location) == files)
        #expect(try fixture.pendingFiles.isEmpty)
    }

    /// The footers of inputs and outputs tell the hash of their rows, and the outputs' is the sum of the inputs'.
    @Test func filesCarryTheHashOfTheirRows() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 100..<step * 100 + 100) }
        func hashes() throws -> [RowHash] {
            try fixture.liveFiles().map { file in
                let reader = try ParquetFileReader(fileBytes: Int(file.fileBytes), source: file.path) {
                    try fixture.warehouse.store.read(file.path, range: $0)
                }
                return try #require(StoredRowHash.read(reader.footer)).hash
            }
        }
        let rows = WarehouseFixture.batch((0..<500).map(WarehouseFixture.row), schema: WarehouseFixture.schema)
        let before = try hashes()
        #expect(before.count == 5 && before.reduce(RowHash(), +) == RowHash(rows))
        _ = try run(fixture).run()
        #expect(try hashes() == [RowHash(rows)])
    }

    @Test func wrongRecordCountsAreRefused() throws {
        let fixture = try WarehouseFixture()
        let table = try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        let live = try LiveFiles.read(try fixture.warehouse.loadTable(table.identifier), store: fixture.warehouse.store)
        let files = live.candidates.map {
            CompactionCandidate(
                path: $0.path, specId: $0.specId, partition: $0.partition, fileBytes: $0.fileBytes,
                recordCount: $0.recordCount + 1, sequenceNumber: $0.sequenceNumber)
        }
        let rewrite = GroupRewrite(
            warehouse: fixture.warehouse, table: try fixture.warehouse.loadTable(table.identifier),
            plan: CompactionPlan(specId: 0, partition: [], files: files, reason: .forced), deletes: live.deletes,
            loader: DeleteLoader(store: fixture.warehouse.store), checkpoint: { _ in })
        let error = #expect(throws: FirnError.self) { try rewrite.run() }
        #expect(error?.code == "record_count_mismatch")
        #expect(try fixture.pendingFiles.isEmpty)
    }

    @Test func ingestDuringTheRunStays() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        var run = run(fixture)
        run.beforeCommit = { try fixture.append(50..<60) }
        let report = try run.run()
        #expect(report.conflicts == 0 && report.tableFilesAfter == 2)
        #expect(try fixture.rows() == (0..<60).map(WarehouseFixture.row))
    }

    @Test func anInputThatIsGoneMeansPlanningAnew() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        var rivals = 0
        var run = run(fixture, isForced: true)
        run.beforeCommit = {
            rivals += 1
            guard rivals == 1 else { return }
            _ = try self.run(fixture).run()
            try fixture.append(50..<60)
        }
        let report = try run.run()
        #expect(rivals == 2 && report.conflicts == 1 && report.commits == 1)
        // The rival's output and the file that came after it.
        #expect(report.filesBefore == 2 && report.tableFilesAfter == 1)
        #expect(try fixture.rows() == (0..<60).map(WarehouseFixture.row))
        #expect(try fixture.pendingFiles.isEmpty)
        #expect(try fixture.warehouse.findOrphans().isEmpty)
    }

    @Test func givesUpWhenOthersKeepWinning() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        var next = 50
        var run = run(fixture, isForced: true)
        run.beforeCommit = {
            _ = try self.run(fixture, isForced: true).run()
            try fixture.append(next..<next + 1)
            next += 1
        }
        let error = #expect(throws: FirnError.self) { try run.run() }
        #expect(error?.kind == .conflict && error?.code == "file_not_live")
        #expect(try fixture.rows() == (0..<next).map(WarehouseFixture.row))
        #expect(try fixture.pendingFiles.isEmpty)
        #expect(try fixture.warehouse.findOrphans().isEmpty)
    }

    @Test func cancellationLeavesNothing() throws {
        let fixture = try WarehouseFixture(onDisk: true)
        try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        let before = try fixture.metadata()
        var asked = 0
        var run = run(fixture)
        run.checkpoint = { _, _ in
            asked += 1
            if asked == 4 { throw FirnError(.cancelled, "stopped", "enough") }
        }
        let error = #expect(throws: FirnError.self) { try run.run() }
        #expect(error?.kind == .cancelled)
        #expect(try fixture.metadata() == before)
        #expect(try fixture.pendingFiles.isEmpty)
        #expect(try fixture.warehouse.findOrphans().isEmpty)
    }

    @Test func progressReachesTheEnd() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: true)
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        var seen: [CompactionProgress] = []
        var run = run(fixture)
        run.onProgress = { seen.append($0) }
        let report = try run.run()
        #expect(seen.map(\.bytesDone) == seen.map(\.bytesDone).sorted())
        #expect(seen.last?.bytesDone == report.bytesBefore && seen.last?.bytesTotal == report.bytesBefore)
        #expect(Set(seen.map(\.groupsDone)) == [0, 1, 2, 3] && seen.allSatisfy { $0.groupsTotal == 3 })
    }

    /// What a slice leaves is planned by the next run.
    @Test func aSliceEndsBetweenGroups() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: true)
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        var run = run(fixture)
        run.sliceMs = 1000
        run.checkpoint = { bytes, isDue in
            guard bytes > 0 else { return }
            // They are triggered by a property of the table, not by the bound.
            #expect(!isDue)
            fixture.clock.advance(ms: 1000)
        }
        for left in [2, 1, 0] {
            let report = try run.run()
            #expect(report.groups == 1 && report.commits == 1 && report.tableFilesAfter == 3 + 4 * left)
        }
        #expect(try run.run().groups == 0)
        #expect(try fixture.rows() == (0..<50).map(WarehouseFixture.row))
    }

    @Test func outputsObeyTheTarget() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["write.target-file-size-bytes": "10000"])
        for step in 0..<14 { try fixture.append(step * 10..<step * 10 + 10) }
        let report = try run(fixture).run()
        #expect(report.groups > 1 && report.filesAfter == report.groups)
        #expect(try fixture.liveFiles().allSatisfy { $0.fileBytes <= 20_000 })
        #expect(try fixture.rows() == (0..<140).map(WarehouseFixture.row))
    }

    @Test func anEmptyTableHasNothingToDo() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        let report = try run(fixture, isForced: true).run()
        #expect(report.groups == 0 && report.snapshotId == nil && report.tableFilesBefore == 0)
        let error = #expect(throws: FirnError.self) {
            try CompactionRun(warehouse: fixture.warehouse, table: TableIdentifier(parsing: "t.none")).run()
        }
        #expect(error?.kind == .notFound)
    }

    /// With one scan kept over many commits the answer is that of a fresh one.
    @Test func keptScansSeeWhatFreshOnesSee() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        var scan = LiveFileScan()
        for step in 0..<7 {
            try fixture.append(step * 10..<step * 10 + 10)
            if step % 3 == 2 { _ = try run(fixture, isForced: true).run() }
            let table = try fixture.warehouse.loadTable(fixture.table)
            let kept = try scan.read(table, store: fixture.warehouse.store)
            let fresh = try LiveFiles.read(table, store: fixture.warehouse.store)
            #expect(Set(kept.candidates) == Set(fresh.candidates) && kept.candidates.count == fresh.candidates.count)
            #expect(kept.fileCount == fresh.fileCount && kept.bytes == fresh.bytes)
            #expect(kept.snapshotId == table.metadata.currentSnapshotId && kept.deletes.isEmpty)
        }
    }
}
