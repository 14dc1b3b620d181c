import Base
import SQLiteKit
import Testing

@testable import Catalog

@Suite struct JobRowTests {
    private func job(_ id: String, _ state: JobRow.State, owner: String? = nil, createdMs: Int64 = 10) -> JobRow {
        JobRow(id: id, table: "shop.orders", kind: "compact", state: state, owner: owner, createdMs: createdMs)
    }

    @Test func cancelling() throws {
        let scratch = try ScratchWarehouse()
        let w = scratch.warehouse
        let own = try w.processId() + "/1"
        for row in [job("plan", .planned), job("mine", .running, owner: own), job("dead", .running, owner: "x/1")] {
            try w.insertJob(row)
        }
        try w.insertJob(job("done", .done))
        #expect(try w.openJobs().map(\.id) == ["dead", "plan"])
        #expect(try w.cancelJob("plan").state == .cancelled)
        #expect(try w.cancelJob("dead").state == .cancelled)
        #expect(try !w.isCancelRequested("mine"))
        let asked = try w.cancelJob("mine")
        #expect(asked.state == .running && asked.cancelMs != nil)
        #expect(try w.isCancelRequested("mine"))
        // What the run writes leaves the wish alone.
        try w.updateJob(job("mine", .running, owner: own))
        #expect(try w.isCancelRequested("mine"))
        #expect(fails(.conflict, "job_finished") { _ = try w.cancelJob("done") })
        #expect(fails(.notFound, "job_not_found") { _ = try w.cancelJob("none") })
        #expect(try w.isCancelRequested("none"))
        #expect(try w.openJobs().isEmpty)
    }

    @Test func idsMayBeShortened() throws {
        let scratch = try ScratchWarehouse()
        for id in ["abcd-1", "abcd-2", "abce-1"] { try scratch.warehouse.insertJob(job(id, .done)) }
        #expect(try scratch.warehouse.job("abce").id == "abce-1")
        #expect(fails(.invalidInput, "job_ambiguous") { _ = try scratch.warehouse.job("abcd") })
        #expect(fails(.notFound, "job_not_found") { _ = try scratch.warehouse.job("abc") })
    }

    @Test func historyIsBounded() throws {
        let scratch = try ScratchWarehouse()
        for number in 0..<10 { try scratch.warehouse.insertJob(job("j\(number)", .done, createdMs: Int64(number))) }
        try scratch.warehouse.insertJob(job("busy", .running, createdMs: 0))
        #expect(try scratch.warehouse.forgetJobs(olderThanMs: 3, countMax: 5) == 5)
        #expect(try scratch.warehouse.listJobs().map(\.id) == ["j9", "j8", "j7", "j6", "j5", "busy"])
        #expect(try scratch.warehouse.forgetJobs(olderThanMs: 3, countMax: 5) == 0)
    }

    @Test func leasesAreAskedFor() throws {
        let scratch = try ScratchWarehouse()
        let w = scratch.warehouse
        let lease = try #require(try w.acquireLease("m", owner: "a", ttlMs: 60_000))
        #expect(try !w.isLeaseWanted(lease))
        #expect(try w.acquireLease("m", owner: "b", ttlMs: 60_000) == nil)
        #expect(try !w.isLeaseWanted(lease))
        #expect(try w.acquireLease("m", owner: "b", ttlMs: 60_000, isWaiting: true) == nil)
        #expect(try w.isLeaseWanted(lease))
        try w.closeJobs([job("unknown", .done)], lease: lease)
        let second = try #require(try w.acquireLease("m", owner: "b", ttlMs: 60_000))
        #expect(try !w.isLeaseWanted(second) && w.isLeaseWanted(lease))
    }

    /// A lease that gets free is the first waiter's, for as long as that asks.
    @Test func leasesGoToTheFirstWhoWaits() throws {
        let scratch = try ScratchWarehouse()
        let clock = MaintenanceRowTests.HandClock()
        let environment = Environment(clock: clock, random: SystemRandom(), files: PosixFileSystem())
        let w = try Warehouse(directory: scratch.path + "/waiters", environment: environment, create: true)
        func take(_ owner: String, waits: Bool = true) throws -> Lease? {
            try w.acquireLease("m", owner: owner, ttlMs: 60_000, isWaiting: waits)
        }
        let lease = try #require(try take("a"))
        #expect(try take("b") == nil && take("c") == nil)
        try w.releaseLease(lease)
        #expect(try take("d", waits: false) == nil && take("c") == nil)
        let second = try #require(try take("b"))
        #expect(try !w.isLeaseWanted(second))
        #expect(try take("c") == nil)
        try w.releaseLease(second)
        // Asking on keeps the place.
        clock.advance(ms: 1500)
        #expect(try take("d") == nil)
        #expect(try take("c") != nil)
        #expect(try take("e") == nil)
        clock.advance(ms: 1500)
        #expect(try take("e") == nil && take("f") == nil)
        // The holder's time is over; f never was the first.
        clock.advance(ms: 60_000)
        let last = try #require(try take("f"))
        #expect(last.epoch == 4)
    }

    @Test func oldCatalogsAreBroughtUpToDate() throws {
        let scratch = try ScratchWarehouse()
        let directory = scratch.path + "/old"
        try PosixFileSystem().createDirectories(directory)
        do {
            let old = try Database(path: directory + "/catalog.db", mode: .readWriteCreate)
            try Migrations(Array(CatalogSchema.migrations.migrations.prefix(4))).apply(to: old, nowMs: 1)
            try old.run(
                """
                INSERT INTO firn_jobs (id, table_name, kind, state, epoch, created_ms, detail)
                VALUES ('old', 'a.b', 'compact', 'failed', 3, 7, '{"reason":"policy"}')
                """)
            try old.run("INSERT INTO firn_leases VALUES ('m', 'gone/1', 4, 0)")
        }
        let warehouse = try Warehouse(directory: directory, environment: .live, create: false)
        let job = try #require(try warehouse.listJobs().first)
        #expect(job.attempts == 1 && job.cancelMs == nil && job.reason == "policy" && job.figures == JobFigures())
        #expect(try warehouse.acquireLease("m", owner: "me", ttlMs: 1000)?.epoch == 5)
    }

    @Test(arguments: [
        ("events.*", true), ("*", true), ("a.b", true), ("a b.*", false), ("events", false), ("x.*;", false),
    ])
    func patternsAreChecked(_ pair: (text: String, isGood: Bool)) {
        #expect(((try? TablePattern(checking: pair.text)) != nil) == pair.isGood)
    }
}
