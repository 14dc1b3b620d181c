import Base
import Catalog
import Columnar
import Iceberg
import Parquet
import Storage
import Testing

@testable import Maintenance

/// Rewrites that lay rows out anew: sorted, along a Z curve, in another partition spec.
@Suite struct SortedRewriteTests {
    /// Rewrites all files of one partition and commits.
    @discardableResult
    private func rewrite(
        _ fixture: WarehouseFixture, _ strategy: CompactionStrategy, outputSpecId: Int? = nil,
        partition: [Value] = [], transform: (@Sendable (RecordBatch) -> RecordBatch)? = nil
    ) throws -> [DataFile] {
        let table = try fixture.warehouse.loadTable(fixture.table)
        let live = try LiveFiles.read(table, store: fixture.warehouse.store)
        let entries = try Manifests.liveEntries(
            of: table.metadata.currentSnapshot!, metadata: table.metadata, store: fixture.warehouse.store)
        let files = entries.filter { $0.dataFile.partition == partition }.map {
            CompactionCandidate($0.dataFile, sequenceNumber: $0.sequenceNumber ?? 0, deletes: [])
        }.sorted { $0.sequenceNumber < $1.sequenceNumber }
        let plan = CompactionPlan(
            specId: files[0].specId, partition: partition, files: files, reason: .forced, strategy: strategy,
            outputSpecId: outputSpecId)
        let loader = DeleteLoader(store: fixture.warehouse.store, nameMapping: table.metadata.nameMapping)
        let output = try GroupRewrite(
            warehouse: fixture.warehouse, table: table, plan: plan, deletes: live.deletes, loader: loader,
            checkpoint: { _ in }, transform: transform
        ).run()
        let committer = try fixture.warehouse.committer(for: fixture.table)
        _ = try committer.replace(
            removed: files.map(\.path), added: output.files, basedOn: table.metadata.currentSnapshotId!)
        return output.files
    }

    private func rows(_ file: DataFile, _ fixture: WarehouseFixture) throws -> [[Value]] {
        let metadata = try fixture.metadata()
        let reader = try DataFileReader(
            file, spec: metadata.spec(id: file.specId)!, schema: metadata.currentSchema,
            store: fixture.warehouse.store)
        var rows: [[Value]] = []
        while let batch = try reader.next() {
            for row in 0..<batch.rowCount { rows.append(batch.columns.map { $0.value(at: row) }) }
        }
        return rows
    }

    private func update(
        _ fixture: WarehouseFixture, _ change: @escaping @Sendable (inout TableMetadata) throws -> Void
    ) throws {
        _ = try fixture.warehouse.committer(for: fixture.table).update { metadata in
            var metadata = metadata
            try change(&metadata)
            return metadata
        }
    }

    private func footer(_ file: DataFile, _ fixture: WarehouseFixture) throws -> ParquetFooter {
        let bytes = try fixture.warehouse.store.get(file.path)
        return try ParquetFileReader(fileBytes: bytes.count, source: file.path) { Array(bytes[$0]) }.footer
    }

    /// Sorted by name with nulls last, ids falling.
    private func isOrdered(_ rows: [[Value]]) -> Bool {
        zip(rows, rows.dropFirst()).allSatisfy { a, b in
            guard case .long(let x) = a[0], case .long(let y) = b[0] else { return false }
            switch (a[2], b[2]) {
            case (.null, .null): return x > y
            case (_, .null): return true
            case (.string(let s), .string(let t)): return Array(s.utf8) == Array(t.utf8) ? x > y : s < t
            default: return false
            }
        }
    }

    @Test(arguments: [2, 3])
    func filesBecomeOneInTheTablesOrder(_ version: Int) throws {
        let fixture = try WarehouseFixture(onDisk: true)
        try fixture.createTable(properties: ["format-version": String(version)])
        for step in 0..<5 { try fixture.append(step * 40..<step * 40 + 40) }
        try update(fixture) { $0 = try $0.sorted(by: "name asc nulls last, id desc") }
        let before = try fixture.rows()
        // Also a plan that says nothing of an order follows the table's.
        let file = try #require(try rewrite(fixture, .binPack).first)
        #expect(file.sortOrderId == 1 && file.recordCount == 200)
        #expect(isOrdered(try rows(file, fixture)))
        #expect(try fixture.rows() == before && before.count == 200)
        let sorting = try footer(file, fixture).rowGroups[0].sortingColumns
        #expect(sorting.map(\.isDescending) == [false, true] && sorting.map(\.nullsFirst) == [false, false])
        #expect(try fixture.liveFiles().count == 1)
        #expect(try fixture.pendingFiles.isEmpty)
    }

    /// An order that the table does not know is followed, and not claimed.
    @Test func strangeOrdersAreNotClaimed() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<3 { try fixture.append(step * 40..<step * 40 + 40) }
        let order = SortOrder(orderId: 7, fields: [SortField(sourceId: 1, direction: .descending)])
        let file = try #require(try rewrite(fixture, .sort(order)).first)
        #expect(file.sortOrderId == 0)
        #expect(try rows(file, fixture).map { $0[0] } == (0..<120).reversed().map { .long(Int64($0)) })
        #expect(try footer(file, fixture).rowGroups[0].sortingColumns.isEmpty)
    }

    @Test func curvesKeepAllRows() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<3 { try fixture.append(step * 400..<step * 400 + 400) }
        let before = try fixture.rows()
        let file = try #require(try rewrite(fixture, .zOrder(fieldIds: [1, 3])).first)
        #expect(file.sortOrderId == 0 && file.recordCount == 1200)
        #expect(try fixture.rows() == before)
        // The first quarter of the curve has the lower half of the ids.
        let first = try rows(file, fixture).prefix(300)
        #expect(first.allSatisfy { row in if case .long(let id) = row[0] { id < 620 } else { false } })
    }

    /// After the spec has evolved, the rows of one old partition go to several new ones.
    @Test(arguments: [2, 3])
    func rowsGoToTheCurrentSpec(_ version: Int) throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["format-version": String(version)])
        for step in 0..<4 { try fixture.append(step * 100..<step * 100 + 100) }
        try update(fixture) { metadata in
            let spec = PartitionSpec(fields: [
                PartitionField(sourceId: 2, name: "day", transform: .identity),
                PartitionField(sourceId: 1, name: "id_bucket", transform: .bucket(20)),
            ])
            try metadata.setDefaultSpec(try metadata.addSpec(spec))
        }
        let specId = try fixture.metadata().defaultSpecId
        #expect(specId != 0)
        let before = try fixture.rows()
        let files = try rewrite(fixture, .binPack, outputSpecId: specId)
        // Days 20000, 20001 and null, twenty buckets of each: more than are open at one time, and still one file each.
        #expect(files.count > 40 && Set(files.map(\.partition)).count == files.count)
        #expect(files.allSatisfy { $0.specId == specId })
        #expect(try fixture.rows() == before && before.count == 400)
        for file in files {
            let ids = try rows(file, fixture).map { $0[0] }
            #expect(ids.allSatisfy { Transform.bucket(20).apply($0) == file.partition[1] })
            // The rows of a partition keep their order.
            #expect(ids == ids.sorted { ValueOrder.compare($0, $1) == .less })
        }
    }

    /// Row ids and the sequence numbers of their last change go with the rows.
    @Test func lineageGoesWithTheRows() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["format-version": "3"])
        for step in 0..<4 { try fixture.append(step * 50..<step * 50 + 50) }
        func lineage() throws -> [[Value]] {
            let metadata = try fixture.metadata()
            var schema = metadata.currentSchema
            schema.fields = [schema.fields[0]] + MetadataColumn.lineage.map(\.field)
            let plan = try ScanPlanner.plan(
                metadata: metadata, snapshot: metadata.currentSnapshot!, store: fixture.warehouse.store)
            var rows: [[Value]] = []
            for task in plan.tasks {
                let reader = try DataFileReader(task, schema: schema, store: fixture.warehouse.store)
                while let batch = try reader.next() {
                    for row in 0..<batch.rowCount { rows.append(batch.columns.map { $0.value(at: row) }) }
                }
            }
            return rows.sorted { ValueOrder.compare($0[0], $1[0]) == .less }
        }
        let before = try lineage()
        #expect(Set(before.map { $0[1] }).count == 200 && Set(before.map { $0[2] }).count == 4)
        let order = SortOrder(orderId: 7, fields: [SortField(sourceId: 3), SortField(sourceId: 1)])
        try rewrite(fixture, .sort(order))
        #expect(try lineage() == before)
    }

    @Test(arguments: ["drop", "swap"])
    func wrongRowsAreRefused(_ defect: String) throws {
        let fixture = try WarehouseFixture(onDisk: true)
        try fixture.createTable()
        for step in 0..<3 { try fixture.append(step * 40..<step * 40 + 40) }
        let before = try fixture.rows()
        let order = SortOrder(orderId: 7, fields: [SortField(sourceId: 1, direction: .descending)])
        let error = #expect(throws: FirnError.self) {
            try rewrite(fixture, .sort(order)) { batch in
                if defect == "drop" { return batch.taking((1..<Int32(batch.rowCount)).map { $0 }) }
                var columns = batch.columns
                columns[1] = columns[1].taking((0..<Int32(batch.rowCount)).reversed())
                return RecordBatch(schema: batch.schema, columns: columns, rowCount: batch.rowCount)
            }
        }
        #expect(error?.code == "compaction_proof_failed")
        #expect(try fixture.rows() == before && fixture.liveFiles().count == 3)
        #expect(try fixture.pendingFiles.isEmpty)
    }

    /// A group that is larger than the target becomes several files, each of which continues the last.
    @Test func largeGroupsAreSplit() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: [
            "write.target-file-size-bytes": "60000", "write.parquet.row-group-size-bytes": "20000",
        ])
        for step in 0..<10 { try fixture.append(step * 16_000..<step * 16_000 + 16_000) }
        let order = SortOrder(orderId: 7, fields: [SortField(sourceId: 1, direction: .descending)])
        let files = try rewrite(fixture, .sort(order))
        #expect(files.count > 1)
        let ids = try files.flatMap { try rows($0, fixture).map { $0[0] } }
        #expect(ids == (0..<160_000).reversed().map { .long(Int64($0)) })
    }
}
