import Base
import Testing

@testable import Maintenance

@Suite struct DurationTextTests {
    @Test(
        arguments: [
            ("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("1w", 604_800_000), ("1m1ms", 60_001), ("90s", 90_000),
        ] as [(String, Int64)])
    func reads(_ pair: (text: String, ms: Int64)) throws {
        #expect(try DurationText.milliseconds(pair.text) == pair.ms)
        #expect(try DurationText.milliseconds(DurationText.format(milliseconds: pair.ms)) == pair.ms)
    }

    @Test(arguments: [
        "", "5", "m", "5 m", "-5m", "+5m", "5.5m", "5x", "0s", "1m1h", "1m1m", "99999999999999999999s", "9999999w",
        "5M", "٥m",
    ])
    func refuses(_ text: String) {
        let error = #expect(throws: FirnError.self) { try DurationText.milliseconds(text) }
        #expect(error?.code == "bad_duration")
    }

    @Test func writesTheLargestUnitsFirst() {
        #expect(DurationText.format(milliseconds: 90_061_001) == "1d1h1m1s1ms")
        #expect(DurationText.format(milliseconds: 90_000) == "1m30s")
        #expect(DurationText.format(milliseconds: 0) == "0ms")
    }
}

@Suite struct ScheduleSpecTests {
    @Test(arguments: [
        #"{"every":"5m","action":"compact"}"#, #"{"cron":"0 3 * * *","action":"expire"}"#,
        #"{"cron":"@hourly","action":"compact"}"#,
    ])
    func jsonRoundTrips(_ text: String) throws {
        let spec = try ScheduleSpec(json: JSONValue(parsing: text, source: "test"))
        #expect(spec.json.text == text)
    }

    @Test(arguments: [
        "[]", "{}", #"{"every":"5m","cron":"@daily"}"#, #"{"every":300}"#, #"{"every":"5m","action":"explode"}"#,
        #"{"every":"5m","paused":true}"#, #"{"every":"5m","tbale":"x"}"#, #"{"every":"10ms"}"#, #"{"cron":"1 2"}"#,
    ])
    func refuses(_ text: String) {
        #expect(throws: FirnError.self) { try ScheduleSpec(json: JSONValue(parsing: text, source: "test")) }
    }

    @Test func readsText() throws {
        #expect(try ScheduleSpec(parsing: "5m").timing == .interval(milliseconds: 300_000))
        #expect(try ScheduleSpec(parsing: "every 1h").timing == .interval(milliseconds: 3_600_000))
        #expect(try ScheduleSpec(parsing: "*/5 * * * *").timing == .cron(CronExpression("*/5 * * * *")))
        #expect(try ScheduleSpec(parsing: "@daily").timing == .cron(CronExpression("@daily")))
        #expect(throws: FirnError.self) { try ScheduleSpec(parsing: "sometimes") }
    }

    @Test func nextRunsFollowEachOther() throws {
        func runs(_ text: String, _ count: Int, after ms: Int64) throws -> [Int64] {
            try Timetable(ScheduleSpec(parsing: text), files: PosixFileSystem()).nextRuns(after: ms, count: count)
        }
        #expect(try runs("5m", 3, after: 1000) == [301_000, 601_000, 901_000])
        #expect(try runs("@hourly", 2, after: 1000) == [3_600_000, 7_200_000])
        #expect(try runs("@hourly", 0, after: 0).isEmpty)
    }
}
