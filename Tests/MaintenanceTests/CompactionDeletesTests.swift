import Base
import Catalog
import Columnar
import Iceberg
import Parquet
import Storage
import Testing

@testable import Maintenance

/// Compaction of tables with deletes: rows that were deleted are gone for good, all others stay as they were.
@Suite struct CompactionDeletesTests {
    private func upgrade(_ fixture: WarehouseFixture) throws {
        _ = try fixture.warehouse.committer(for: fixture.table).upgrade(formatVersion: 3)
    }

    /// Deletes rows by id, through positions.
    private func delete(_ ids: Set<Int64>, in fixture: WarehouseFixture) throws {
        let committer = try fixture.warehouse.committer(for: fixture.table)
        let metadata = try committer.table().metadata
        let store = fixture.warehouse.store
        let schema = Schema(fields: [metadata.currentSchema.fields[0], MetadataColumn.position.field])
        var targets: [DeleteFileWriter.Target] = []
        let plan = try ScanPlanner.plan(metadata: metadata, snapshot: metadata.currentSnapshot!, store: store)
        for task in plan.tasks {
            var positions = RowPositions()
            let reader = try DataFileReader(task, schema: schema, store: store)
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount {
                    guard case .long(let id) = batch.columns[0].value(at: row), ids.contains(id),
                        case .long(let position) = batch.columns[1].value(at: row)
                    else { continue }
                    positions.insert(position)
                }
            }
            targets.append((task, positions))
        }
        var delta = TableCommitter.RowDelta()
        let writer = DeleteFileWriter(metadata: metadata, store: store) { folder, index, kind in
            try location(fixture, metadata, "\(index)-deletes.\(kind)")
        }
        (delta.addedDeletes, delta.removedDeletes) = try writer.write(targets)
        try commit(delta, fixture)
    }

    private func location(_ fixture: WarehouseFixture, _ metadata: TableMetadata, _ name: String) throws -> String {
        let location = "\(metadata.dataFolder)/\(fixture.warehouse.environment.uuid())-\(name)"
        try fixture.warehouse.ledger.record([location], table: metadata.tableUUID)
        return location
    }

    private func commit(_ delta: TableCommitter.RowDelta, _ fixture: WarehouseFixture) throws {
        fixture.clock.advance(ms: 10)
        _ = try fixture.warehouse.committer(for: fixture.table).rowDelta(delta)
    }

    /// Deletes rows by id, through an equality delete file, as stream processors do.
    private func deleteEqual(_ ids: [Int64], in fixture: WarehouseFixture) throws {
        let metadata = try fixture.metadata()
        let schema = Schema(fields: [metadata.currentSchema.fields[0]])
        let builder = BatchBuilder(schema)
        for id in ids { builder.columns[0].append(.long(id)) }
        var bytes: [UInt8] = []
        let writer = ParquetFileWriter(schema: schema) { bytes += $0 }
        try writer.write(builder.finish())
        _ = try writer.close()
        let path = try location(fixture, metadata, "eq.parquet")
        try fixture.warehouse.store.put(path, bytes)
        var file = DataFile(
            content: .equalityDeletes, path: path, recordCount: Int64(ids.count), fileBytes: Int64(bytes.count))
        file.equalityIds = [1]
        var delta = TableCommitter.RowDelta()
        delta.addedDeletes = [file]
        try commit(delta, fixture)
    }

    private func deleteFiles(_ fixture: WarehouseFixture) throws -> [DataFile] {
        try fixture.liveFiles().filter { $0.content != .data }
    }

    /// Row ids and sequence numbers by id.
    private func lineage(_ fixture: WarehouseFixture) throws -> [Value: [Value]] {
        let metadata = try fixture.metadata()
        let store = fixture.warehouse.store
        let schema = Schema(fields: [metadata.currentSchema.fields[0]] + MetadataColumn.lineage.map(\.field))
        var found: [Value: [Value]] = [:]
        for task in try ScanPlanner.plan(metadata: metadata, snapshot: metadata.currentSnapshot!, store: store).tasks {
            let reader = try DataFileReader(task, schema: schema, store: store)
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount {
                    found[batch.columns[0].value(at: row)] = batch.columns.dropFirst().map { $0.value(at: row) }
                }
            }
        }
        return found
    }

    @Test(arguments: [2, 3]) func deletedRowsAreDropped(version: Int) throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["write.delete.granularity": "file"])
        if version == 3 { try upgrade(fixture) }
        for step in 0..<6 { try fixture.append(step * 10..<step * 10 + 10) }
        try delete([0, 11, 12, 59], in: fixture)
        try fixture.append(60..<70)
        try delete([3, 60], in: fixture)
        let before = try fixture.rows()
        let ids = try lineage(fixture)
        let snapshot = try fixture.metadata().currentSnapshotId
        #expect(before.count == 64)
        let report = try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run()
        #expect(report.tableFilesAfter == 1 && report.rows == 64)
        #expect(try fixture.rows() == before)
        #expect(try deleteFiles(fixture).isEmpty)
        #expect(try fixture.liveFiles().map(\.recordCount) == [64])
        // Rows keep their ids and the number of their last change.
        #expect(try lineage(fixture) == ids)
        if version == 3 { #expect(!ids.values.contains { $0.contains(.null) }) }
        #expect(try fixture.rows(at: snapshot) == before)
        #expect(try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run().groups == 0)
    }

    /// Rows from before version 3 get ids with the rewrite at the latest.
    @Test func upgradedTablesAreCompacted() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<3 { try fixture.append(step * 10..<step * 10 + 10) }
        try delete([5], in: fixture)
        try upgrade(fixture)
        for step in 3..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        try delete([15, 45], in: fixture)
        let before = try fixture.rows()
        _ = try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run()
        #expect(try fixture.rows() == before && before.count == 47)
        #expect(try fixture.liveFiles().count == 1)
        let ids = try lineage(fixture).values.map { $0[0] }
        #expect(Set(ids).count == 47 && !ids.contains(.null))
    }

    @Test func equalityDeletesAreApplied() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<4 { try fixture.append(step * 10..<step * 10 + 10) }
        try deleteEqual([3, 14, 99], in: fixture)
        // The same rows again, now younger than the delete.
        try fixture.append(10..<20)
        let before = try fixture.rows()
        #expect(before.count == 48)
        var run = CompactionRun(warehouse: fixture.warehouse, table: fixture.table)
        // One that comes meanwhile still applies to what the run writes.
        run.beforeCommit = { try deleteEqual([4], in: fixture) }
        _ = try run.run()
        let after = try fixture.rows()
        #expect(after == before.filter { $0[0] != .long(4) })
        _ = try CompactionRun(warehouse: fixture.warehouse, table: fixture.table, isForced: true).run()
        #expect(try fixture.rows() == after)
        #expect(try deleteFiles(fixture).isEmpty)
    }

    /// Positions that are deleted while a run reads make it plan anew.
    @Test func deletesDuringTheRunAreHonoured() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        var run = CompactionRun(warehouse: fixture.warehouse, table: fixture.table)
        var isFirst = true
        run.beforeCommit = {
            if isFirst { try delete([7, 33], in: fixture) }
            isFirst = false
        }
        let report = try run.run()
        #expect(report.conflicts == 1 && report.rows == 48)
        #expect(try fixture.rows().map { $0[0] } == (0..<50).filter { $0 != 7 && $0 != 33 }.map { .long(Int64($0)) })
        #expect(try fixture.pendingFiles.isEmpty)
    }

    @Test func dirtyFilesAreRewrittenAlone() throws {
        let fixture = try WarehouseFixture()
        // No file is small.
        try fixture.createTable(properties: [
            "write.target-file-size-bytes": "1", "write.delete.granularity": "file",
        ])
        try fixture.append(0..<10)
        try fixture.append(10..<20)
        try delete([0, 1, 10, 11, 12], in: fixture)
        let before = try fixture.rows()
        let report = try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run()
        #expect(report.groups == 1 && report.rows == 7)
        #expect(try fixture.rows() == before)
        #expect(Set(try fixture.liveFiles().map(\.recordCount)) == [10, 7, 2])
        // A file without rows goes as a whole.
        try delete(Set(0..<10), in: fixture)
        #expect(try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run().filesAfter == 0)
        #expect(try fixture.liveFiles().map(\.recordCount) == [7])
    }
}
