import Base
import Catalog
import Testing

@testable import Maintenance

@Suite struct DayWindowTests {
    private let berlin: TimeZoneRules

    init() throws { berlin = try TimeZoneFile.load("Europe/Berlin", files: PosixFileSystem()) }

    private func ms(_ text: Substring) -> Int64 { TimeZoneTests.ms(text) }

    @Test(arguments: [
        "", "1", "01:00", "01:00-", "1:0-5:00", "25:00-26:00", "01:00-01:00", "24:00-01:00", "00:00-24:00",
        "01:60-02:00", "01:00-05:00-06:00", "-1:00-02:00", "a:00-b:00",
    ])
    func refuses(_ text: String) {
        let error = #expect(throws: FirnError.self) { try DayWindow(text) }
        #expect(error?.code == "bad_window")
    }

    @Test func isHalfOpen() throws {
        let window = try DayWindow("01:00-05:00")
        #expect(window.end(at: ms("2026-11-22T00:59"), in: .utc) == nil)
        #expect(window.end(at: ms("2026-11-22T01:00"), in: .utc) == ms("2026-11-22T05:00"))
        #expect(window.end(at: ms("2026-11-22T04:59"), in: .utc) == ms("2026-11-22T05:00"))
        #expect(window.end(at: ms("2026-11-22T05:00"), in: .utc) == nil)
        #expect(window.opening(from: ms("2026-11-22T05:00"), in: .utc) == ms("2026-11-23T01:00"))
        #expect(window.opening(from: ms("2026-11-22T02:00"), in: .utc) == ms("2026-11-22T02:00"))
    }

    @Test func mayCrossMidnight() throws {
        let window = try DayWindow("22:00-04:00")
        #expect(window.end(at: ms("2026-11-22T23:00"), in: .utc) == ms("2026-11-23T04:00"))
        #expect(window.end(at: ms("2026-11-23T03:59"), in: .utc) == ms("2026-11-23T04:00"))
        #expect(window.end(at: ms("2026-11-23T04:00"), in: .utc) == nil)
        #expect(try DayWindow("20:00-24:00").end(at: ms("2026-11-22T21:00"), in: .utc) == ms("2026-11-23T00:00"))
    }

    /// Four hours of the clock are three on the day on which it skips one, and five on the day that has one twice.
    @Test func followsTheClock() throws {
        let window = try DayWindow("01:00-05:00")
        #expect(window.opening(from: ms("2026-03-28T12:00"), in: berlin) == ms("2026-03-29T00:00"))
        #expect(window.end(at: ms("2026-03-29T00:30"), in: berlin) == ms("2026-03-29T03:00"))
        #expect(window.opening(from: ms("2026-10-24T12:00"), in: berlin) == ms("2026-10-24T23:00"))
        #expect(window.end(at: ms("2026-10-25T01:30"), in: berlin) == ms("2026-10-25T04:00"))
        // Skipped as a whole.
        let skipped = try DayWindow("02:10-02:50")
        #expect(skipped.opening(from: ms("2026-03-28T12:00"), in: berlin) == ms("2026-03-30T00:10"))
    }
}

@Suite struct TimetableTests {
    private func timetable(_ json: String) throws -> Timetable {
        try Timetable(ScheduleSpec(row: json), files: PosixFileSystem())
    }

    private func ms(_ text: Substring) -> Int64 { TimeZoneTests.ms(text) }

    private func row(_ created: Substring, next: Substring? = nil, paused: Bool = false) -> ScheduleRow {
        ScheduleRow(
            table: "t.events", name: "s", spec: "", paused: paused, createdMs: ms(created),
            nextRunMs: next.map { ms($0) })
    }

    @Test func waitsAndRuns() throws {
        let table = try timetable(#"{"cron":"0 3 * * *"}"#)
        let row = row("2026-11-21T12:00")
        #expect(
            table.decide(row, nowMs: ms("2026-11-22T02:59")) == .wait(untilMs: ms("2026-11-22T03:00"), dueSinceMs: nil))
        #expect(
            table.decide(row, nowMs: ms("2026-11-22T03:00")) == .run(untilMs: nil, dueSinceMs: ms("2026-11-22T03:00")))
        var paused = row
        paused.paused = true
        #expect(table.decide(paused, nowMs: ms("2026-11-22T03:00")) == .paused)
        #expect(table.nextRuns(paused, nowMs: ms("2026-11-22T03:00"), count: 5) == [])
    }

    /// One run for all that were missed: at once inside the window, else when it opens.
    @Test func missedStartsAreMadeUpForOnce() throws {
        let table = try timetable(#"{"cron":"0 * * * *","window":"01:00-05:00"}"#)
        let row = row("2026-11-20T12:00", next: "2026-11-21T01:00")
        let inside = ms("2026-11-22T02:20")
        let decision = table.decide(row, nowMs: inside)
        #expect(decision == .run(untilMs: ms("2026-11-22T05:00"), dueSinceMs: ms("2026-11-21T01:00")))
        #expect(table.explain(decision, nowMs: inside).contains("missed"))
        #expect(table.nextRuns(row, nowMs: inside, count: 2) == [inside, ms("2026-11-22T03:00")])
        let outside = ms("2026-11-22T12:00")
        #expect(
            table.decide(row, nowMs: outside)
                == .wait(untilMs: ms("2026-11-23T01:00"), dueSinceMs: ms("2026-11-21T01:00")))
        #expect(table.nextRuns(row, nowMs: outside, count: 2) == [ms("2026-11-23T01:00"), ms("2026-11-23T02:00")])
    }

    @Test func startsOutsideOfTheWindowWaitForIt() throws {
        let table = try timetable(#"{"every":"3h","window":"22:00-04:00","zone":"Europe/Berlin"}"#)
        let row = row("2026-11-21T12:00")
        // 22:00 in Berlin is 21:00 in UTC.
        #expect(
            table.nextRuns(row, nowMs: ms("2026-11-21T12:00"), count: 3)
                == [ms("2026-11-21T21:00"), ms("2026-11-22T00:00"), ms("2026-11-22T21:00")])
    }

    @Test func followsCommitsInsideTheWindow() throws {
        let table = try timetable(#"{"on":"commit","window":"01:00-05:00"}"#)
        let row = row("2026-11-21T12:00")
        #expect(
            table.decide(row, nowMs: ms("2026-11-22T02:00")) == .run(untilMs: ms("2026-11-22T05:00"), dueSinceMs: nil))
        #expect(
            table.decide(row, nowMs: ms("2026-11-22T06:00")) == .wait(untilMs: ms("2026-11-23T01:00"), dueSinceMs: nil))
        #expect(
            table.nextRuns(row, nowMs: ms("2026-11-22T06:00"), count: 2)
                == [ms("2026-11-23T01:00"), ms("2026-11-24T01:00")])
    }

    @Test(arguments: [
        (#"{"every":"5m","zone":"Mars/Base"}"#, "unknown_time_zone"), (#"{"every":"5m","zone":7}"#, "bad_schedule"),
        (#"{"every":"5m","window":"5"}"#, "bad_window"), (#"{"every":"5m","concurrency":0}"#, "bad_schedule"),
        (#"{"every":"5m","bytes-per-hour":"ten"}"#, "bad_byte_size"),
        (#"{"every":"5m","bytes-per-hour":"9999999TiB"}"#, "bad_byte_size"),
        (#"{"every":"5m","cpu-share":"0%"}"#, "bad_schedule"), (#"{"every":"5m","cpu-share":"50"}"#, "bad_schedule"),
        (#"{"every":"5m","cpu-share":"101%"}"#, "bad_schedule"), (#"{"on":"tuesday"}"#, "bad_schedule"),
        (#"{"on":"commit","action":"expire"}"#, "bad_schedule"),
        (#"{"every":"5m","options":{"owner":"me"}}"#, "bad_schedule"),
        (#"{"every":"5m","action":"expire","options":{"write.x":"1"}}"#, "bad_schedule"),
    ])
    func refuses(_ bad: (json: String, code: String)) {
        let error = #expect(throws: FirnError.self) { try timetable(bad.json) }
        #expect(error?.code == bad.code)
    }

    @Test func jsonRoundTrips() throws {
        let text =
            #"{"cron":"0 1 * * *","action":"compact","zone":"Europe/Berlin","window":"01:00-05:00","concurrency":2,"#
            + #""bytes-per-hour":"20GiB","cpu-share":"50%","options":{"write.target-file-size-bytes":"1"}}"#
        #expect(try ScheduleSpec(row: text).json.text == text)
        #expect(try ScheduleSpec(row: #"{"on":"commit","action":"compact"}"#).json.text.contains("commit"))
    }

    @Test(arguments: [("10GiB", 10 << 30), ("500MB", 500_000_000), ("7B", 7), ("1 kib", 1024)] as [(String, Int64)])
    func readsByteSizes(_ pair: (text: String, bytes: Int64)) throws {
        #expect(try ByteSizeText.bytes(pair.text) == pair.bytes)
        #expect(try ByteSizeText.bytes(ByteSizeText.format(pair.bytes)) == pair.bytes)
    }
}

@Suite struct BudgetTests {
    /// However the work is cut, any span of time sees the rate, one minute's worth and one step.
    @Test func bytesAnHourAreKept() throws {
        var spec = ScheduleSpec(timing: .commit)
        spec.bytesPerHour = 3_600_000
        let budget = try #require(JobBudget(spec, processors: 1))
        var now: Int64 = 0
        var used: Int64 = 0
        var steps: [(at: Int64, used: Int64)] = []
        var random: UInt64 = 7
        while now < 3 * 3_600_000_000_000 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let step = Int64(random >> 33) % 200_000
            used += step
            now += budget.take(bytes: step, processorNanos: 0, nowNanos: now)
            steps.append((now, used))
        }
        #expect(used >= 3 * 3_600_000 && used <= 3 * 3_600_000 + 60_000 + 200_000)
        for (index, step) in steps.enumerated() {
            let later = steps[index...].last { $0.at <= step.at + 3_600_000_000_000 }!
            #expect(later.used - step.used <= 3_600_000 + 60_000 + 200_000)
        }
        #expect(JobBudget(ScheduleSpec(timing: .commit), processors: 4) == nil)
    }

    @Test func aShareOfTheProcessors() throws {
        var spec = ScheduleSpec(timing: .commit)
        spec.cpuPercent = 25
        let budget = try #require(JobBudget(spec, processors: 4))
        var now: Int64 = 0
        // Two threads at full speed, in steps of 100 ms.
        for _ in 0..<1000 {
            now += 50_000_000
            now += budget.take(bytes: 0, processorNanos: 100_000_000, nowNanos: now)
        }
        // 100 s of work at one processor, less the first second's worth.
        #expect((98_000_000_000...100_000_000_000).contains(now))
    }

    @Test func pressureSlowsDownToAQuarter() {
        #expect(IngestYield.restNanos(workNanos: 50_000_000, processorNanos: 0, pressure: 0.2) == 0)
        #expect(IngestYield.restNanos(workNanos: 50_000_000, processorNanos: 0, pressure: 1) == 150_000_000)
        #expect(IngestYield.restNanos(workNanos: 50_000_000, processorNanos: 0, pressure: 0.625) == 75_000_000)
        #expect(IngestYield.restNanos(workNanos: .max, processorNanos: 0, pressure: 1) == 250_000_000)
    }

    /// Where a processor is free, nobody gains by a rest.
    @Test func restsGoByTheTimeWithoutAProcessor() {
        func rest(_ processorNanos: Int64) -> Int64 {
            IngestYield.restNanos(workNanos: 40_000_000, processorNanos: processorNanos, pressure: 1)
        }
        #expect(rest(40_000_000) == 0 && rest(50_000_000) == 0)
        #expect(rest(30_000_000) == 60_000_000 && rest(20_000_000) == 120_000_000 && rest(0) == 120_000_000)
    }
}
