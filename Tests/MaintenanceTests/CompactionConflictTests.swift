import Base
import Catalog
import Columnar
import Iceberg
import Storage
import Synchronization
import Testing

@testable import Maintenance

/// What others commit while a run rewrites: no row comes back, none is lost, and only what was touched is done again.
@Suite struct CompactionConflictTests {
    private func run(_ fixture: WarehouseFixture, isForced: Bool = true) -> CompactionRun {
        CompactionRun(warehouse: fixture.warehouse, table: fixture.table, isForced: isForced)
    }

    private func filled(
        _ steps: Int = 5, version: Int = 2, partitioned: Bool = false, _ properties: [String: String] = [:]
    ) throws -> WarehouseFixture {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: partitioned, properties: properties)
        if version == 3 { try fixture.upgrade() }
        for step in 0..<steps { try fixture.append(step * 10..<step * 10 + 10) }
        return fixture
    }

    private func check(_ fixture: WarehouseFixture, lacks deleted: Set<Int64>, of count: Int64 = 50) throws {
        #expect(try fixture.ids() == (0..<count).filter { !deleted.contains($0) })
        #expect(try fixture.pendingFiles.isEmpty)
        #expect(try fixture.warehouse.findOrphans().isEmpty)
    }

    /// Positions that are deleted while a run reads are deleted in what it wrote, at their new places.
    @Test(arguments: [2, 3], ["file", "partition"])
    func deletesAreCarriedOver(version: Int, granularity: String) throws {
        let fixture = try filled(version: version, ["write.delete.granularity": granularity])
        try fixture.delete([0, 12, 13, 49])
        let lineage = try fixture.lineage()
        var run = run(fixture)
        var rounds = 0
        // Again and again, always faster than the run: it still ends.
        let rivals: [Set<Int64>] = [[7, 33], [8, 10, 11], [48], []]
        run.beforeCommit = {
            if !rivals[rounds].isEmpty { try fixture.delete(rivals[rounds]) }
            rounds += 1
        }
        let report = try run.run()
        #expect(rounds == 4 && report.conflicts == 0 && report.commits == 1 && report.rows == 46)
        #expect(report.deletesCarried == 6)
        let deleted: Set<Int64> = [0, 12, 13, 49, 7, 33, 8, 10, 11, 48]
        try check(fixture, lacks: deleted)
        #expect(try fixture.deleteFiles.count { $0.recordCount == 6 } == 1)
        // Rows keep their ids and the number of their last change.
        let after = try fixture.lineage()
        #expect(after == lineage.filter { after[$0.key] != nil })
        // And then they are dropped for good.
        _ = try self.run(fixture).run()
        try check(fixture, lacks: deleted)
        #expect(try fixture.liveFiles().map(\.recordCount) == [40])
    }

    /// The place of a row also depends on rows that equality deletes took out of the inputs.
    @Test func rowsDroppedByEqualityCount() throws {
        let fixture = try filled()
        try fixture.deleteEqual([1, 2, 25, 26])
        try fixture.delete([5, 20])
        var run = run(fixture)
        var isFirst = true
        run.beforeCommit = {
            if isFirst {
                try fixture.delete([3, 27, 49])
                try fixture.deleteEqual([30, 31])
            }
            isFirst = false
        }
        let report = try run.run()
        #expect(report.conflicts == 0 && report.deletesCarried == 3)
        try check(fixture, lacks: [1, 2, 25, 26, 5, 20, 3, 27, 49, 30, 31])
    }

    /// A delete file for other files of the partition, between whose paths those of inputs lie, is no conflict.
    @Test func deletesOfOtherFilesCostNothing() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["write.target-file-size-bytes": "12000"])
        try fixture.append(0..<6000)
        try fixture.append(6000..<12000)
        for step in 1200..<1206 { try fixture.append(step * 10..<step * 10 + 10) }
        let plans = try run(fixture).plan()
        #expect(!plans.isEmpty && plans.allSatisfy { plan, _ in plan.files.allSatisfy { $0.recordCount == 10 } })
        var run = run(fixture)
        var calls = 0
        run.beforeCommit = {
            calls += 1
            if calls == 1 { try fixture.delete([0, 6000]) }
        }
        let report = try run.run()
        #expect(report.conflicts == 0 && report.deletesCarried == 0 && report.commits == 1 && calls <= 2)
        #expect(try fixture.ids() == (0..<12060).filter { $0 != 0 && $0 != 6000 })
    }

    /// An engine without delete files writes an input anew; its rows are there once.
    @Test(arguments: [2, 3]) func inputsThatGoAreCarriedOver(version: Int) throws {
        let fixture = try filled(version: version)
        var run = run(fixture)
        var isFirst = true
        run.beforeCommit = {
            if isFirst { try fixture.deleteByCopy([14, 15]) }
            isFirst = false
        }
        let report = try run.run()
        #expect(report.conflicts == 0 && report.deletesCarried == 10 && report.groups == 1)
        try check(fixture, lacks: [14, 15])
        #expect(try fixture.liveFiles().filter { $0.content == .data }.map(\.recordCount).sorted() == [8, 50])
    }

    /// When most of an output would be deleted at once, the group is done again.
    @Test func hollowGroupsAreDoneAgain() throws {
        let fixture = try filled()
        var run = run(fixture)
        var isFirst = true
        run.beforeCommit = {
            if isFirst { try fixture.delete(Set(0..<40)) }
            isFirst = false
        }
        let report = try run.run()
        #expect(report.conflicts == 1 && report.deletesCarried == 0)
        try check(fixture, lacks: Set(0..<40))
        #expect(try fixture.liveFiles().filter { $0.content == .data }.map(\.recordCount) == [10])
    }

    /// Positions mean nothing after a sort; then the group is done again.
    @Test func sortedGroupsAreDoneAgain() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        _ = try fixture.warehouse.committer(for: fixture.table).update { metadata in
            var metadata = metadata
            let order = SortOrder(
                orderId: 1,
                fields: [SortField(sourceId: 1, transform: .identity, direction: .descending, nullOrder: .last)])
            metadata.sortOrders.append(order)
            metadata.defaultSortOrderId = 1
            return metadata
        }
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        var run = run(fixture)
        var isFirst = true
        run.beforeCommit = {
            if isFirst { try fixture.delete([7, 33]) }
            isFirst = false
        }
        let report = try run.run()
        #expect(report.conflicts == 1 && report.deletesCarried == 0 && report.rows == 48)
        try check(fixture, lacks: [7, 33])
    }

    @Test(arguments: [1, 3]) func onlyWhatWasTouchedIsLost(width: Int) throws {
        let fixture = try filled(partitioned: true)
        let groups = try run(fixture).plan().map(\.plan)
        #expect(groups.count == 3)
        var run = run(fixture)
        run.width = width
        var calls = 0
        run.beforeCommit = {
            calls += 1
            guard calls == 1 else { return }
            // Everything in one partition goes, and comes again as other files.
            let files = try fixture.liveFiles().filter { $0.partition == groups[0].partition }
            try fixture.remove(files)
            try fixture.append(100..<120)
        }
        let report = try run.run()
        #expect(report.conflicts == 1 && report.groups == 2 && report.commits == 1)
        let gone = try fixture.liveFiles().filter { $0.partition == groups[0].partition }
        #expect(gone.count == 1)
        #expect(try fixture.pendingFiles.isEmpty)
        #expect(try fixture.warehouse.findOrphans().isEmpty)
    }

    /// The snapshot that was read may expire while the run goes on.
    @Test(arguments: [false, true]) func theStartMayExpire(withDeletes: Bool) throws {
        let fixture = try filled()
        if withDeletes { try fixture.delete([9]) }
        var run = run(fixture)
        var isFirst = true
        run.beforeCommit = {
            guard isFirst else { return }
            isFirst = false
            try fixture.append(50..<60)
            try fixture.append(60..<70)
            try fixture.delete([21])
            fixture.clock.advance(ms: 10)
            var request = TableCommitter.ExpiryRequest()
            request.olderThanMs = fixture.clock.nowMs()
            request.retainLast = 1
            _ = try fixture.warehouse.committer(for: fixture.table).expire(request)
        }
        let report = try run.run()
        #expect(try fixture.metadata().snapshots.count == 2)
        #expect(report.conflicts == 0 && report.deletesCarried == 1)
        try check(fixture, lacks: withDeletes ? [9, 21] : [21], of: 70)
    }

    /// After a rollback rows are there again that the run saw deleted.
    @Test func aRollbackMeansPlanningAnew() throws {
        let fixture = try filled()
        let before = try #require(try fixture.metadata().currentSnapshotId)
        try fixture.delete([9, 10])
        var run = run(fixture)
        var isFirst = true
        run.beforeCommit = {
            if isFirst { _ = try fixture.warehouse.committer(for: fixture.table).setCurrent(before) }
            isFirst = false
        }
        let report = try run.run()
        #expect(report.conflicts == 1)
        try check(fixture, lacks: [])
    }

    @Test func groupsRunInParallel() throws {
        let fixture = try filled(8, partitioned: true)
        let before = try fixture.rows()
        var run = run(fixture)
        run.width = 4
        let atOnce = Mutex((now: 0, most: 0))
        let deadline = SystemClock().monotonicNanos() + 60_000_000_000
        var overlapping = 0
        run.checkpoint = { _, _ in
            overlapping += 1
            #expect(overlapping == 1)
            overlapping -= 1
        }
        run.transform = { batch in
            atOnce.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            // The first stays inside until a second one comes.
            while atOnce.withLock({ $0.most }) < 2, SystemClock().monotonicNanos() < deadline {
                _ = Semaphore().wait(milliseconds: 5)
            }
            _ = Semaphore().wait(milliseconds: 20)
            atOnce.withLock { $0.now -= 1 }
            return batch
        }
        let report = try run.run()
        #expect(report.groups == 3 && report.commits == 1 && atOnce.withLock { $0.most } > 1)
        #expect(try fixture.rows() == before)
        #expect(try fixture.liveFiles().count == 3)
    }

    /// One group that fails ends the others, and leaves nothing.
    @Test func oneFailureEndsAll() throws {
        let fixture = try filled(8, partitioned: true)
        let before = try fixture.metadata()
        var run = run(fixture)
        run.width = 3
        let count = Mutex(0)
        run.transform = { batch in
            let isBad = count.withLock { count in
                count += 1
                return count == 5
            }
            return isBad ? batch.taking([]) : batch
        }
        let error = #expect(throws: FirnError.self) { try run.run() }
        #expect(error?.code == "compaction_proof_failed" || error?.code == "compaction_cancelled")
        #expect(try fixture.metadata() == before)
        #expect(try fixture.pendingFiles.isEmpty)
        #expect(try fixture.warehouse.findOrphans().isEmpty)
    }
}
