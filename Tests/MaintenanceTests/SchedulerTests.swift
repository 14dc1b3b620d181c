import Base
import Catalog
import Iceberg
import Synchronization
import Testing

@testable import Maintenance

@Suite struct MaintenanceJobsTests {
    @Test func aJobTellsHowItWent() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<3 { try fixture.append(step * 10..<step * 10 + 10) }
        let jobs = MaintenanceJobs(warehouse: fixture.warehouse)
        let report = try jobs.compact(fixture.table, request: CompactionRequest(isForced: true), reason: "test")
        let row = try #require(try fixture.warehouse.listJobs(table: "t.events").first)
        #expect(row.state == .done && row.kind == "compact")
        #expect(row.owner?.hasPrefix(try fixture.warehouse.processId()) == true)
        let detail = try JSONValue(parsing: row.detail, source: "test")
        #expect(detail["reason"]?.stringValue == "test")
        #expect(detail["report"]?["files-before"]?.intValue == 3)
        #expect(detail["report"]?["snapshot-id"]?.intValue == report.snapshotId)
    }

    /// Slices are the scheduler's way with the policy. Who asks, or a schedule, gets all that the policy has.
    @Test func aRequestedRunOfThePolicyIsWhole() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: true)
        for step in 0..<5 { try fixture.append(step * 10..<step * 10 + 10) }
        let report = try MaintenanceJobs(warehouse: fixture.warehouse).compact(
            fixture.table, onProgress: { _ in fixture.clock.advance(ms: 5000) })
        #expect(report.groups == 3 && report.tableFilesAfter == 3)
    }

    @Test func cleanUpsAreJobsToo() throws {
        let fixture = try WarehouseFixture()
        let table = try fixture.createTable()
        for step in 0..<3 { try fixture.append(step * 10..<step * 10 + 10) }
        let jobs = MaintenanceJobs(warehouse: fixture.warehouse)
        let manifests = try jobs.rewriteManifests(fixture.table, isForced: true, reason: "one")
        #expect(manifests.tableManifestsBefore == 3 && manifests.tableManifestsAfter == 1)
        #expect(try jobs.clean(fixture.table, checksOrphans: false, reason: "two").orphans == nil)
        let rows = try fixture.warehouse.listJobs(table: "t.events")
        #expect(Set(rows.map(\.kind)) == ["manifests", "clean"] && rows.allSatisfy { $0.state == .done })
        _ = try fixture.warehouse.acquireLease(
            "maintenance/\(table.metadata.tableUUID)", owner: "another process", ttlMs: 5000)
        let error = #expect(throws: FirnError.self) { try jobs.clean(fixture.table) }
        #expect(error?.code == "maintenance_busy")
    }

    @Test func oneJobAtATime() throws {
        let fixture = try WarehouseFixture()
        let table = try fixture.createTable()
        try fixture.append(0..<10)
        let lease = try fixture.warehouse.acquireLease(
            "maintenance/\(table.metadata.tableUUID)", owner: "another process", ttlMs: 5000)
        let jobs = MaintenanceJobs(warehouse: fixture.warehouse)
        let error = #expect(throws: FirnError.self) { try jobs.compact(fixture.table) }
        #expect(error?.code == "maintenance_busy")
        #expect(try fixture.warehouse.listJobs().isEmpty)
        // Dead for longer than its lease.
        #expect(lease != nil)
        fixture.clock.advance(ms: 5001)
        _ = try jobs.compact(fixture.table)
    }

    @Test func aLongJobKeepsItsLease() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        for step in 0..<6 { try fixture.append(step * 10..<step * 10 + 10) }
        let jobs = MaintenanceJobs(warehouse: fixture.warehouse)
        // Every batch takes half the lease's time; without renewal it would be gone after the second.
        var (calls, refused) = (0, 0)
        _ = try jobs.compact(
            fixture.table,
            onProgress: { _ in
                calls += 1
                fixture.clock.advance(ms: 15_000)
                if (try? MaintenanceJobs(warehouse: fixture.warehouse).compact(fixture.table)) == nil { refused += 1 }
            })
        #expect(refused == calls && calls > 6)
    }

    @Test func whoLosesTheLeaseStops() throws {
        let fixture = try WarehouseFixture()
        let table = try fixture.createTable()
        for step in 0..<6 { try fixture.append(step * 10..<step * 10 + 10) }
        let before = try fixture.metadata().currentSnapshotId
        var isFirst = true
        let error = #expect(throws: FirnError.self) {
            try MaintenanceJobs(warehouse: fixture.warehouse).compact(
                fixture.table,
                onProgress: { _ in
                    guard isFirst else { return }
                    isFirst = false
                    fixture.clock.advance(ms: 60_001)
                    _ = try? fixture.warehouse.acquireLease(
                        "maintenance/\(table.metadata.tableUUID)", owner: "another process", ttlMs: 60_000)
                })
        }
        #expect(error?.code == "lease_lost")
        #expect(try fixture.metadata().currentSnapshotId == before)
        #expect(try fixture.pendingFiles.isEmpty)
    }
}

@Suite struct MaintenanceSchedulerTests {
    /// Events as short texts: `compacted t.events 5->1 policy`.
    private final class Events: Sendable {
        private let texts = Mutex<[String]>([])

        func add(_ event: MaintenanceEvent) {
            let text: String? =
                switch event {
                case .compacted(let report, let reason):
                    "compacted \(report.table) \(report.filesBefore)->\(report.filesAfter) \(reason)"
                case .expired(let report, let reason): "expired \(report.table) \(report.snapshotsExpired) \(reason)"
                case .ran(let kind, let table, _, let reason): "\(kind) \(table) \(reason)"
                case .collected: nil
                case .failed(let table, let kind, let error): "failed \(table ?? "-") \(kind) \(error.code)"
                }
            if let text { texts.withLock { $0.append(text) } }
        }

        /// The events since the last call.
        func take() -> [String] {
            texts.withLock { texts in
                defer { texts = [] }
                return texts
            }
        }
    }

    private func scheduler(
        _ fixture: WarehouseFixture, _ events: Events, expiryIntervalMs: Int64 = 1 << 40
    ) -> MaintenanceScheduler {
        var options = MaintenanceScheduler.Options()
        options.expiryIntervalMs = expiryIntervalMs
        let scheduler = MaintenanceScheduler(
            warehouse: fixture.warehouse, options: options, onEvent: { events.add($0) })
        return scheduler
    }

    /// Runs what is due, after a first look that takes the expiry every scheduler starts with out of the way.
    private func started(_ fixture: WarehouseFixture, _ events: Events) -> MaintenanceScheduler {
        let scheduler = scheduler(fixture, events)
        scheduler.runDue()
        _ = events.take()
        return scheduler
    }

    private func appendFive(_ fixture: WarehouseFixture, from start: Int = 0) throws {
        for step in 0..<5 { try fixture.append(start + step * 10..<start + step * 10 + 10) }
    }

    @Test func compactsSoonAfterACommit() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        let events = Events()
        let scheduler = started(fixture, events)
        try appendFive(fixture)
        scheduler.runDue()
        #expect(events.take() == [])
        fixture.clock.advance(ms: 500)
        scheduler.runDue()
        #expect(events.take() == ["compacted t.events 5->1 policy"])
        fixture.clock.advance(ms: 10_000)
        scheduler.runDue()
        #expect(events.take() == [])
        #expect(try fixture.rows() == (0..<50).map(WarehouseFixture.row))
        #expect(try fixture.warehouse.listJobs().filter { $0.kind == "compact" }.count == 1)
    }

    @Test func tablesMayOptOut() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["firn.compaction.enabled": "false"])
        let events = Events()
        let scheduler = started(fixture, events)
        try appendFive(fixture)
        fixture.clock.advance(ms: 10_000)
        scheduler.runDue()
        #expect(events.take() == [])
        try fixture.warehouse.updateProperties(
            fixture.table, set: ["firn.compaction.enabled": "true"], remove: [], check: { _, _ in })
        fixture.clock.advance(ms: 10_000)
        scheduler.runDue()
        #expect(events.take() == ["compacted t.events 5->1 policy"])
    }

    @Test func schedulesTakeThePlaceOfThePolicy() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        let events = Events()
        let now = fixture.clock.nowMs()
        try fixture.warehouse.putSchedule(
            ScheduleRow(table: "t.*", name: "five", spec: #"{"every":"5m","action":"compact"}"#, createdMs: now))
        let scheduler = started(fixture, events)
        try appendFive(fixture)
        fixture.clock.advance(ms: 60_000)
        scheduler.runDue()
        #expect(events.take() == [])
        fixture.clock.advance(ms: 240_000)
        scheduler.runDue()
        #expect(events.take() == ["compacted t.events 5->1 schedule five"])
        let row = try #require(try fixture.warehouse.schedule(table: "t.*", name: "five"))
        #expect(row.lastRunMs == fixture.clock.nowMs() && row.nextRunMs == fixture.clock.nowMs() + 300_000)
        scheduler.runDue()
        #expect(events.take() == [])
    }

    /// What a schedule kept from the policy is looked at as soon as it comes to another, without a commit.
    @Test(arguments: [true, false])
    func changedSchedulesFindWhatIsThere(comesAnother: Bool) throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        let events = Events()
        let now = fixture.clock.nowMs()
        try fixture.warehouse.putSchedule(
            ScheduleRow(table: "t.*", name: "late", spec: #"{"every":"1d","action":"compact"}"#, createdMs: now))
        try appendFive(fixture)
        let scheduler = started(fixture, events)
        fixture.clock.advance(ms: 60_000)
        scheduler.runDue()
        #expect(events.take() == [])
        if comesAnother {
            try fixture.warehouse.putSchedule(
                ScheduleRow(
                    table: "t.*", name: "soon", spec: #"{"on":"commit","action":"compact"}"#, createdMs: now))
        } else {
            _ = try fixture.warehouse.removeSchedule(table: "t.*", name: "late")
        }
        fixture.clock.advance(ms: 500)
        scheduler.runDue()
        #expect(events.take() == ["compacted t.events 5->1 \(comesAnother ? "schedule soon" : "policy")"])
    }

    @Test func missedRunsAreMadeUpOnce() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        let events = Events()
        try fixture.warehouse.putSchedule(
            ScheduleRow(
                table: "t.events", name: "hourly", spec: #"{"cron":"@hourly","action":"compact"}"#,
                createdMs: fixture.clock.nowMs()))
        // Down for a day.
        fixture.clock.advance(ms: 86_400_000 + 90_000)
        let scheduler = scheduler(fixture, events)
        scheduler.runDue()
        #expect(events.take().filter { $0.contains("hourly") }.count == 1)
        scheduler.runDue()
        #expect(events.take() == [])
        let row = try #require(try fixture.warehouse.schedule(table: "t.events", name: "hourly"))
        // 2026-11-22T13:00:00Z
        #expect(row.nextRunMs == 1_795_352_400_000)
        fixture.clock.advance(ms: 3_600_000)
        scheduler.runDue()
        #expect(events.take().filter { $0.contains("hourly") }.count == 1)
    }

    @Test func pausedSchedulesRest() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        let events = Events()
        try fixture.warehouse.putSchedule(
            ScheduleRow(
                table: "t.events", name: "s", spec: #"{"every":"1s","action":"compact"}"#, paused: true,
                createdMs: fixture.clock.nowMs()))
        let scheduler = started(fixture, events)
        try appendFive(fixture)
        fixture.clock.advance(ms: 3_600_000)
        scheduler.runDue()
        #expect(events.take() == [])
        let next = fixture.clock.nowMs() + 60_000
        try fixture.warehouse.updateSchedule(table: "t.events", name: "s") { row in
            row.paused = false
            row.nextRunMs = next
        }
        scheduler.runDue()
        #expect(events.take() == [])
        fixture.clock.advance(ms: 60_000)
        scheduler.runDue()
        #expect(events.take() == ["compacted t.events 5->1 schedule s"])
    }

    @Test func unreadableSchedulesAreReportedOnce() throws {
        let fixture = try WarehouseFixture()
        let events = Events()
        try fixture.warehouse.putSchedule(
            ScheduleRow(table: "t.events", name: "s", spec: #"{"cron":"61 * * * *"}"#, createdMs: 0))
        let scheduler = scheduler(fixture, events)
        scheduler.runDue()
        scheduler.runDue()
        #expect(events.take() == ["failed t.events schedule bad_cron"])
    }

    @Test func failingTablesAreLeftAloneForLonger() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        let events = Events()
        let scheduler = started(fixture, events)
        try appendFive(fixture)
        let victim = try fixture.liveFiles()[2].path
        let bytes = try fixture.warehouse.store.get(victim)
        try fixture.warehouse.store.put(victim, Array(repeating: 7, count: bytes.count))
        var failures: [Int] = []
        for second in 1...200 {
            fixture.clock.advance(ms: 1000)
            scheduler.runDue()
            if events.take().contains(where: { $0.hasPrefix("failed t.events compact") }) { failures.append(second) }
        }
        #expect(failures == [1, 11, 31, 71, 151])
        try fixture.warehouse.store.put(victim, bytes)
        fixture.clock.advance(ms: 200_000)
        scheduler.runDue()
        #expect(events.take() == ["compacted t.events 5->1 policy"])
    }

    @Test func expiresByPropertiesAndCollects() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: [
            "history.expire.max-snapshot-age-ms": "60000", "history.expire.min-snapshots-to-keep": "1",
        ])
        let events = Events()
        try appendFive(fixture)
        let old = try fixture.liveFiles().map(\.path)
        let scheduler = scheduler(fixture, events, expiryIntervalMs: 3_600_000)
        scheduler.runDue()
        #expect(events.take() == ["compacted t.events 5->1 policy", "expired t.events 0 properties"])
        fixture.clock.advance(ms: 3_600_000)
        scheduler.runDue()
        #expect(events.take() == ["expired t.events 5 properties"])
        #expect(try fixture.metadata().snapshots.count == 1)
        for path in old { #expect(try fixture.warehouse.store.size(path) == nil) }
        #expect(try fixture.rows() == (0..<50).map(WarehouseFixture.row))
        #expect(try fixture.warehouse.ledger.entries().isEmpty)
        #expect(try fixture.warehouse.findOrphans().isEmpty)
    }

    @Test func theThreadStopsPromptly() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        let events = Events()
        var options = MaintenanceScheduler.Options()
        options.pollIntervalMs = 3_600_000
        try appendFive(fixture)
        let scheduler = MaintenanceScheduler(
            warehouse: fixture.warehouse, options: options, onEvent: { events.add($0) })
        scheduler.start()
        var seen: [String] = []
        for _ in 0..<6000 where seen.isEmpty {
            _ = Semaphore().wait(milliseconds: 10)
            seen += events.take().filter { $0.hasPrefix("compacted") }
        }
        #expect(seen == ["compacted t.events 5->1 policy"])
        // Its thread sleeps for an hour unless it is woken.
        let stopped = Semaphore()
        Thread.spawn(name: "stopper") {
            scheduler.stop()
            stopped.signal()
        }
        #expect(stopped.wait(milliseconds: 60_000))
    }

    @Test(arguments: [
        ("t.events", true), ("t.event", false), ("t.*", true), ("*", true), ("*.events", true), ("*v*n*s", true),
        ("t.*x", false), ("", false), ("t.events*", true), ("t.events.*", false),
    ])
    func patternsMatch(_ pair: (pattern: String, matches: Bool)) throws {
        let table = try TableIdentifier(parsing: "t.events")
        #expect(TablePattern(pair.pattern).matches(table) == pair.matches)
    }
}
