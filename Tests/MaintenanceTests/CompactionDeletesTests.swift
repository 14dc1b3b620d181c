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
    @Test(arguments: [2, 3]) func deletedRowsAreDropped(version: Int) throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["write.delete.granularity": "file"])
        if version == 3 { try fixture.upgrade() }
        for step in 0..<6 { try fixture.append(step * 10..<step * 10 + 10) }
        try fixture.delete([0, 11, 12, 59])
        try fixture.append(60..<70)
        try fixture.delete([3, 60])
        let before = try fixture.rows()
        let ids = try fixture.lineage()
        let snapshot = try fixture.metadata().currentSnapshotId
        #expect(before.count == 64)
        let report = try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run()
        #expect(report.tableFilesAfter == 1 && report.rows == 64)
        #expect(try fixture.rows() == before)
        #expect(try fixture.deleteFiles.isEmpty)
        #expect(try fixture.liveFiles().map(\.recordCount) == [64])
        // Rows keep their ids and the number of their last change.
        #expect(try fixture.lineage() == ids)
        if version == 3 { #expect(!ids.values.contains { $0.contains(.null) }) }
        #expect(try fixture.rows(at: snapshot) == before)
        #expect(try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run().groups == 0)
    }

    /// Rows from before version 3 get ids with the rewrite at the latest.
    @Test func upgradedTablesAreCompacted() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<3 { try fixture.append(step * 10..<step * 10 + 10) }
        try fixture.delete([5])
        try fixture.upgrade()
        for step in 3..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        try fixture.delete([15, 45])
        let before = try fixture.rows()
        _ = try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run()
        #expect(try fixture.rows() == before && before.count == 47)
        #expect(try fixture.liveFiles().count == 1)
        let ids = try fixture.lineage().values.map { $0[0] }
        #expect(Set(ids).count == 47 && !ids.contains(.null))
    }

    @Test func equalityDeletesAreApplied() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<4 { try fixture.append(step * 10..<step * 10 + 10) }
        try fixture.deleteEqual([3, 14, 99])
        // The same rows again, now younger than the delete.
        try fixture.append(10..<20)
        let before = try fixture.rows()
        #expect(before.count == 48)
        var run = CompactionRun(warehouse: fixture.warehouse, table: fixture.table)
        // One that comes meanwhile still applies to what the run writes.
        run.beforeCommit = { try fixture.deleteEqual([4]) }
        _ = try run.run()
        let after = try fixture.rows()
        #expect(after == before.filter { $0[0] != .long(4) })
        _ = try CompactionRun(warehouse: fixture.warehouse, table: fixture.table, isForced: true).run()
        #expect(try fixture.rows() == after)
        #expect(try fixture.deleteFiles.isEmpty)
    }

    @Test func dirtyFilesAreRewrittenAlone() throws {
        let fixture = try WarehouseFixture()
        // No file is small.
        try fixture.createTable(properties: [
            "write.target-file-size-bytes": "1", "write.delete.granularity": "file",
        ])
        try fixture.append(0..<10)
        try fixture.append(10..<20)
        try fixture.delete([0, 1, 10, 11, 12])
        let before = try fixture.rows()
        let report = try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run()
        #expect(report.groups == 1 && report.rows == 7)
        #expect(try fixture.rows() == before)
        #expect(Set(try fixture.liveFiles().map(\.recordCount)) == [10, 7, 2])
        // A file without rows goes as a whole.
        try fixture.delete(Set(0..<10))
        #expect(try CompactionRun(warehouse: fixture.warehouse, table: fixture.table).run().filesAfter == 0)
        #expect(try fixture.liveFiles().map(\.recordCount) == [7])
    }
}
