import Base
import Catalog
import Iceberg
import Synchronization
import Testing

@testable import Maintenance

@Suite struct JobLifeTests {
    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    private func fixture(partitioned: Bool = false, commits: Int = 6) throws -> WarehouseFixture {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: partitioned)
        for step in 0..<commits { try fixture.append(step * 10..<step * 10 + 10) }
        return fixture
    }

    private func dead(_ attempts: Int = 1, state: JobRow.State = .running) -> JobRow {
        JobRow(
            id: "dead-\(attempts)", table: "t.events", kind: "compact", state: state, owner: "gone/1", createdMs: 5,
            detail: #"{"reason":"schedule nightly","figures":{"runs":2,"rows":70}}"#, attempts: attempts)
    }

    @Test func theJobOfADeadProcessIsTakenUp() throws {
        let fixture = try fixture()
        try fixture.warehouse.insertJob(dead())
        _ = try MaintenanceJobs(warehouse: fixture.warehouse).compact(fixture.table, reason: "again")
        let rows = try fixture.warehouse.listJobs()
        #expect(rows.map(\.id) == ["dead-1"])
        let row = try #require(rows.first)
        #expect(row.state == .done && row.attempts == 2 && row.reason == "schedule nightly" && row.epoch == 1)
        // Figures add up over the attempts.
        #expect(row.figures.runs == 3 && row.figures.rows == 130 && row.figures.filesBefore == 6)
        #expect(try fixture.rows() == (0..<60).map(WarehouseFixture.row))
    }

    @Test func aJobThatKillsItsProcessesIsGivenUp() throws {
        let fixture = try fixture()
        try fixture.warehouse.insertJob(dead(5))
        _ = try MaintenanceJobs(warehouse: fixture.warehouse).compact(fixture.table)
        let given = try fixture.warehouse.job("dead-5")
        #expect(given.state == .failed && given.error?.hasPrefix("interrupted 5 times") == true)
        #expect(try fixture.warehouse.listJobs(state: .done).count == 1)
    }

    @Test func aJobIsCancelledFromElsewhere() throws {
        let fixture = try fixture()
        let other = try Warehouse(
            directory: fixture.directory + "/w", environment: fixture.warehouse.environment, create: false)
        let error = #expect(throws: FirnError.self) {
            try MaintenanceJobs(warehouse: fixture.warehouse).compact(
                fixture.table,
                onProgress: { _ in
                    if let job = try? other.listJobs(state: .running).first { _ = try? other.cancelJob(job.id) }
                    fixture.clock.advance(ms: 600)
                })
        }
        #expect(error?.code == "job_cancelled")
        let row = try #require(try other.listJobs().first)
        #expect(row.state == .cancelled && row.cancelMs != nil && row.finishedMs != nil)
        #expect(try fixture.pendingFiles.isEmpty)
        #expect(throws: FirnError.self) { try other.cancelJob(row.id) }
        #expect(try fixture.metadata().currentSnapshot?.operation == "append")
    }

    @Test func whatAStoppingProcessLeavesIsTakenUp() throws {
        let fixture = try fixture()
        let stop = Flag()
        let jobs = MaintenanceJobs(warehouse: fixture.warehouse)
        let error = #expect(throws: FirnError.self) {
            try jobs.compact(
                fixture.table, reason: "first", onProgress: { _ in stop.isSet.store(true, ordering: .relaxed) },
                isStopping: { stop.isSet.load(ordering: .relaxed) })
        }
        #expect(error?.code == "maintenance_stopped")
        let left = try #require(try fixture.warehouse.listJobs().first)
        #expect(left.state == .planned && left.owner == nil)
        _ = try jobs.compact(fixture.table)
        let done = try fixture.warehouse.job(left.id)
        #expect(done.state == .done && done.attempts == 2 && done.reason == "first")
        #expect(try fixture.warehouse.listJobs().count == 1)
    }

    /// The group at hand is finished and committed; the next one is left.
    @Test func theEndOfAWindowEndsARunBetweenGroups() throws {
        let fixture = try fixture(partitioned: true)
        let limits = RunLimits(untilMs: fixture.clock.nowMs() + 1000)
        let report = try MaintenanceJobs(warehouse: fixture.warehouse).compact(
            fixture.table, limits: limits, onProgress: { _ in fixture.clock.advance(ms: 1000) })
        #expect(report.groups == 1 && report.commits == 1)
        let rest = try MaintenanceJobs(warehouse: fixture.warehouse).compact(fixture.table)
        #expect(rest.groups >= 1)
        #expect(try fixture.rows() == (0..<60).map(WarehouseFixture.row))
    }

    @Test func optionsReplaceProperties() throws {
        let fixture = try fixture(commits: 3)
        let jobs = MaintenanceJobs(warehouse: fixture.warehouse)
        #expect(try jobs.compact(fixture.table).groups == 0)
        let limits = RunLimits(options: ["firn.compaction.min-input-files": "2"])
        #expect(try jobs.compact(fixture.table, limits: limits).filesBefore == 3)
    }

    /// A run waits for its budget, in short parts, keeps its lease meanwhile, and tells how long it waited.
    @Test func aBudgetPacesARun() throws {
        let fixture = try fixture()
        var spec = ScheduleSpec(timing: .commit)
        let bytes = try fixture.liveFiles().reduce(0) { $0 + $1.fileBytes }
        spec.bytesPerHour = bytes
        var jobs = MaintenanceJobs(warehouse: fixture.warehouse)
        jobs.pause = { ms in
            #expect((1...100).contains(ms))
            fixture.clock.advance(ms: Int64(ms) * 600)
        }
        let started = fixture.clock.nowMs()
        _ = try jobs.compact(fixture.table, limits: RunLimits(budget: JobBudget(spec, processors: 1)))
        // All but the first minute's worth of an hour's budget takes most of an hour, by the clock of the test.
        #expect((3_400_000...3_800_000).contains(fixture.clock.nowMs() - started))
        let figures = try #require(try fixture.warehouse.listJobs().first).figures
        #expect(figures.bytesRead == bytes && figures.waitedMs > 3_400_000)
    }
}

@Suite struct StandingJobsTests {
    private func scheduler(_ fixture: WarehouseFixture) -> MaintenanceScheduler {
        var options = MaintenanceScheduler.Options()
        options.expiryIntervalMs = 1 << 40
        return MaintenanceScheduler(warehouse: fixture.warehouse, options: options)
    }

    /// Merges of a busy table, each a second after the one before, are one job a minute under one lease.
    @Test func shortRunsAreOneJob() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["firn.compaction.min-input-files": "2"])
        let scheduler = scheduler(fixture)
        scheduler.runDue()
        var next = 0
        for _ in 0..<100 {
            for _ in 0..<2 {
                try fixture.append(next..<next + 10)
                next += 10
            }
            fixture.clock.advance(ms: 980)
            scheduler.runDue()
        }
        let open = try fixture.warehouse.listJobs()
        #expect(open.count == 2 && open.allSatisfy { $0.state == .done && $0.reason == "policy" })
        #expect(open.allSatisfy { $0.epoch == 1 })
        scheduler.stop()
        let closed = try fixture.warehouse.listJobs()
        #expect(closed.reduce(0) { $0 + $1.figures.runs } >= 90)
        let rewritten = try fixture.metadata().snapshots.filter { $0.operation == "replace" }.count
        #expect(closed.reduce(0) { $0 + $1.figures.commits } >= Int64(rewritten))
        #expect(try fixture.rows() == (0..<next).map(WarehouseFixture.row))
    }

    @Test func anIdleLeaseIsGivenToWhoWantsIt() throws {
        let fixture = try WarehouseFixture()
        let table = try fixture.createTable()
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        let scheduler = scheduler(fixture)
        scheduler.runDue()
        let name = "maintenance/\(table.metadata.tableUUID)"
        let warehouse = fixture.warehouse
        #expect(try warehouse.acquireLease(name, owner: "another", ttlMs: 1000) == nil)
        var jobs = MaintenanceJobs(warehouse: warehouse)
        jobs.pause = { ms in
            fixture.clock.advance(ms: Int64(ms))
            scheduler.runDue()
        }
        _ = try jobs.compact(fixture.table, request: CompactionRequest(isForced: true), waitMs: 2000)
        #expect(try warehouse.listJobs(state: .done).count == 2)
    }

    @Test func aLeftJobIsTakenUpByTheScheduler() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["firn.compaction.enabled": "false"])
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        let now = fixture.clock.nowMs()
        let gone = JobRow(
            id: "gone", table: "t.nothing", kind: "compact", state: .running, owner: "x/y", createdMs: now)
        let left = JobRow(
            id: "left", table: "t.events", kind: "compact", state: .running, owner: "x/y", createdMs: now,
            detail: #"{"reason":"firn compact"}"#)
        for job in [gone, left] { try fixture.warehouse.insertJob(job) }
        let scheduler = scheduler(fixture)
        scheduler.runDue()
        scheduler.stop()
        let row = try fixture.warehouse.job("left")
        #expect(row.state == .done && row.attempts == 2 && row.figures.filesBefore == 5)
        #expect(try fixture.warehouse.job("gone").error == "the table is gone")
        #expect(try fixture.warehouse.listJobs().count == 2)
    }
}

@Suite struct AgendaTests {
    private let names = ["shop.a", "shop.b", "web.c"]

    private func agenda(_ rows: [ScheduleRow], nowMs: Int64 = 0) throws -> MaintenanceAgenda {
        var agenda = MaintenanceAgenda()
        let tables = try names.map { (try TableIdentifier(parsing: $0), "location") }
        agenda.update(
            tables: Dictionary(uniqueKeysWithValues: tables), schedules: rows, files: PosixFileSystem(), processors: 2
        ) { row, error in Issue.record("\(row): \(error)") }
        return agenda
    }

    private func row(_ table: String, _ name: String, _ spec: String, paused: Bool = false) -> ScheduleRow {
        ScheduleRow(table: table, name: name, spec: spec, paused: paused, createdMs: 0)
    }

    private func all(_ agenda: inout MaintenanceAgenda, nowMs: Int64) -> [String] {
        var found: [String] = []
        while let task = agenda.next(nowMs: nowMs, nowNanos: nowMs * 1_000_000, lastJobs: { _ in [:] }) {
            found.append("\(task.table) \(task.reason)")
            agenda.end(task)
        }
        return found.sorted()
    }

    @Test func theMostSpecificScheduleCounts() throws {
        let every = #"{"every":"1h"}"#
        var agenda = try agenda([
            row("*", "all", every), row("shop.*", "shop", every), row("shop.b", "mine", every),
            row("shop.b", "too", every), row("web.c", "off", every, paused: true),
        ])
        let found = all(&agenda, nowMs: 3_600_000)
        #expect(found == ["shop.a schedule shop", "shop.b schedule mine", "shop.b schedule too"])
    }

    @Test func policyAndSchedulesShareTheTables() throws {
        var agenda = try agenda([
            row("shop.*", "hourly", #"{"every":"1h"}"#),
            row("web.*", "soon", #"{"on":"commit","window":"01:00-02:00"}"#),
        ])
        let early = all(&agenda, nowMs: 0)
        #expect(early == [])
        let due = all(&agenda, nowMs: 3_600_000)
        #expect(due == ["shop.a schedule hourly", "shop.b schedule hourly", "web.c schedule soon"])
        var free = try self.agenda([])
        let first = all(&free, nowMs: 0)
        #expect(first == ["shop.a policy", "shop.b policy", "web.c policy"])
        let second = all(&free, nowMs: 1000)
        #expect(second == [])
    }

    @Test func concurrencyIsKept() throws {
        var agenda = try agenda([row("*", "all", #"{"every":"1h","concurrency":2}"#)])
        func next() -> MaintenanceTask? {
            agenda.next(
                nowMs: 3_600_000, nowNanos: 0, lastJobs: { _ in ["shop.a": 9, "shop.b": 5, "web.c": 7] })
        }
        // Least recently maintained first.
        let first = try #require(next())
        let second = try #require(next())
        #expect([first.table.description, second.table.description] == ["shop.b", "web.c"])
        #expect(next()?.table == nil)
        agenda.end(first)
        let third = try #require(next())
        #expect(third.table.description == "shop.a")
        func ended() -> [String] { agenda.endedFires(nowMs: 3_600_000).map(\.key.name) }
        #expect(ended() == [])
        agenda.end(second)
        agenda.end(third)
        #expect(ended() == ["all"])
        #expect(ended() == [])
    }

    @Test func theWindowEndsASchedule() throws {
        var agenda = try agenda([row("*", "all", #"{"every":"1h","window":"01:00-02:00"}"#)])
        func next(_ nowMs: Int64) -> MaintenanceTask? {
            agenda.next(nowMs: nowMs, nowNanos: 0, lastJobs: { _ in [:] })
        }
        let first = try #require(next(3_600_000))
        #expect(first.limits.untilMs == 7_200_000)
        #expect(next(7_200_000)?.table == nil)
        agenda.end(first)
        let ended = agenda.endedFires(nowMs: 7_200_000)
        #expect(ended.count == 1)
    }
}
