import Base
import Catalog
import Synchronization
import Testing

@Suite struct MaintenanceRowTests {
    /// A clock that only a test moves.
    final class HandClock: Clock {
        private let micros = Mutex<Int64>(1_000_000_000_000)
        func nowMicros() -> Int64 { micros.withLock { $0 } }
        func monotonicNanos() -> Int64 { micros.withLock { $0 } * 1000 }
        func advance(ms: Int64) { micros.withLock { $0 += ms * 1000 } }
    }

    @Test func schedules() throws {
        let warehouse = try ScratchWarehouse()
        let w = warehouse.warehouse
        let a = ScheduleRow(table: "shop.*", name: "compact", spec: #"{"every":"1h"}"#, createdMs: 1, nextRunMs: 5)
        let b = ScheduleRow(table: "shop.orders", name: "expire", spec: "{}", paused: true, createdMs: 2)
        try w.putSchedule(b)
        try w.putSchedule(a)
        #expect(try w.listSchedules() == [a, b])
        #expect(try w.listSchedules(table: "shop.orders") == [b])
        #expect(try w.schedule(table: "shop.*", name: "compact") == a)
        #expect(try w.schedule(table: "shop.*", name: "none") == nil)
        let changed = try w.updateSchedule(table: "shop.*", name: "compact") {
            $0.lastRunMs = 5
            $0.nextRunMs = nil
            $0.paused = true
        }
        #expect(try w.schedule(table: "shop.*", name: "compact") == changed)
        #expect(changed.lastRunMs == 5 && changed.nextRunMs == nil && changed.paused && changed.spec == a.spec)
        #expect(
            fails(.notFound, "schedule_not_found") { try w.updateSchedule(table: "x", name: "y") { _ in } })
        #expect(try w.removeSchedule(table: "shop.*", name: "compact"))
        #expect(try !w.removeSchedule(table: "shop.*", name: "compact"))
        #expect(try w.listSchedules() == [b])
    }

    @Test func jobs() throws {
        let scratch = try ScratchWarehouse()
        let w = scratch.warehouse
        var job = JobRow(id: "j1", table: "shop.orders", kind: "compact", createdMs: 10, detail: #"{"files":3}"#)
        try w.insertJob(job)
        #expect(fails(.alreadyExists, "job_exists") { try w.insertJob(job) })
        try w.insertJob(JobRow(id: "j2", table: "shop.orders", kind: "expire", createdMs: 20))
        let stale = job
        job.state = .running
        job.owner = "me"
        job.epoch = 2
        job.startedMs = 30
        try w.updateJob(job)
        #expect(fails(.fenced, "job_taken_over") { try w.updateJob(stale) })
        job.state = .failed
        job.error = "no"
        job.finishedMs = 40
        try w.updateJob(job)
        #expect(try w.listJobs().map(\.id) == ["j2", "j1"])
        #expect(try w.listJobs(limit: 1).map(\.id) == ["j2"])
        #expect(try w.listJobs(table: "shop.orders", state: .failed) == [job])
        #expect(try w.listJobs(table: "other") == [])
        let unknown = JobRow(id: "x", table: "t", kind: "k", createdMs: 0)
        #expect(fails(.notFound, "job_not_found") { try w.updateJob(unknown) })
        #expect(try w.forgetJobs(olderThanMs: 100) == 1)
        #expect(try w.listJobs().map(\.id) == ["j2"])
    }

    @Test func leases() throws {
        let scratch = try ScratchWarehouse()
        let clock = HandClock()
        let environment = Environment(clock: clock, random: SystemRandom(), files: PosixFileSystem())
        let w = try Warehouse(directory: scratch.path, environment: environment, create: false)
        let first = try #require(try w.acquireLease("compact", owner: "a", ttlMs: 1000))
        #expect(first.epoch == 1)
        #expect(try w.acquireLease("compact", owner: "b", ttlMs: 1000) == nil)
        #expect(try w.acquireLease("compact", owner: "a", ttlMs: 1000)?.epoch == 1)
        clock.advance(ms: 900)
        let renewed = try w.renewLease(first, ttlMs: 1000)
        clock.advance(ms: 900)
        #expect(try w.acquireLease("compact", owner: "b", ttlMs: 1000) == nil)
        clock.advance(ms: 200)
        let second = try #require(try w.acquireLease("compact", owner: "b", ttlMs: 1000))
        #expect(second.epoch == 2)
        #expect(fails(.fenced, "lease_lost") { _ = try w.renewLease(renewed, ttlMs: 1000) })
        try w.releaseLease(renewed)
        #expect(try w.acquireLease("compact", owner: "c", ttlMs: 1000) == nil)
        try w.releaseLease(second)
        #expect(try w.acquireLease("compact", owner: "c", ttlMs: 1000)?.epoch == 3)
    }

    @Test func keysAreForgottenByAge() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let keys = [5, 10, 15].map { IdempotencyMark(key: "k\($0)", position: 1, answer: [], createdMs: $0) }
        _ = try scratch.warehouse.committer(for: table.identifier).append(
            [], ingest: IngestMark(expectedPosition: 0, position: 1, keys: keys))
        let known = try scratch.warehouse.forgetKeys(nowMs: 110) { $0?.identifier == table.identifier ? 100 : 0 }
        #expect(known == 1)
        #expect(try scratch.warehouse.idempotencyKeys(table.metadata.tableUUID) == Array(keys.dropFirst()))
    }
}
