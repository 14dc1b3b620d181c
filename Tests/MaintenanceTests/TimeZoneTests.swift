import Base
import Testing

@testable import Maintenance

@Suite struct TimeZoneTests {
    private let files = PosixFileSystem()

    static func ms(_ text: Substring) -> Int64 {
        let parts = text.split(whereSeparator: { "-T:".contains($0) }).map { Int($0)! }
        let days = CivilTime.days(year: parts[0], month: parts[1], day: parts[2])
        return (Int64(days) * 1440 + Int64(parts[3] * 60 + parts[4])) * 60_000
    }

    @Test func cronFollowsTheClockOfItsZone() throws {
        for line in ZonedCronReference.table.split(separator: "\n") {
            let parts = line.split(separator: " | ").map { $0.drop { $0 == " " } }
            let cron = try CronExpression(String(parts[0]))
            let zone = try TimeZoneFile.load(String(parts[1]), files: files)
            let start = Self.ms(parts[2])
            var found: [String] = []
            var last = start
            for _ in parts[3].split(separator: " ") {
                last = cron.next(after: last, in: zone)
                let text = CivilTime.formatTimestamp(micros: last * 1000, utc: false)
                found.append(String(text.dropFirst(8).prefix(8)))
                #expect(text.hasSuffix(":00"))
            }
            #expect(found.map { String($0) } == parts[3].split(separator: " ").map(String.init), "\(line)")
        }
    }

    /// The rule for days on which the clock jumps holds for the end of the data in the file and past it.
    @Test func rulesGoOnPastTheFile() throws {
        let berlin = try TimeZoneFile.load("Europe/Berlin", files: files)
        for year in [2026, 2038, 2060, 2200] {
            let summer = Int64(CivilTime.days(year: year, month: 7, day: 1)) * 86_400
            let winter = Int64(CivilTime.days(year: year, month: 12, day: 1)) * 86_400
            #expect(berlin.offset(at: summer) == 7200 && berlin.offset(at: winter) == 3600)
        }
        let auckland = try TimeZoneFile.load("Pacific/Auckland", files: files)
        let january = Int64(CivilTime.days(year: 2100, month: 1, day: 1)) * 86_400
        #expect(auckland.offset(at: january) == 46_800 && auckland.offset(at: january + 200 * 86_400) == 43_200)
    }

    @Test(arguments: [
        "Europe/Nowhere", "", "..", "../zoneinfo/UTC", "/etc/passwd", "Europe", "posixrules/../UTC", "zone.tab", "a b",
        "tzdata.zi",
    ])
    func unknownZonesAreRefused(_ name: String) {
        let error = #expect(throws: FirnError.self) { try TimeZoneFile.load(name, files: files) }
        #expect(error?.code == "unknown_time_zone" && error?.message.contains("Europe/Berlin") == true)
    }

    @Test func damagedFilesAreRefused() throws {
        let bytes = try files.readAll("/usr/share/zoneinfo/Europe/Berlin")
        _ = try TimeZoneFile.parse(bytes, name: "Berlin")
        for length in 0..<bytes.count {
            #expect(throws: FirnError.self, "\(length)") {
                try TimeZoneFile.parse(Array(bytes.prefix(length)), name: "Berlin")
            }
        }
        // Whatever a flipped byte makes of it, it is an error or other rules, never a crash.
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0xff
            guard let zone = try? TimeZoneFile.parse(damaged, name: "Berlin") else { continue }
            _ = zone.moment(ofLocal: zone.offset(at: 1_800_000_000))
        }
    }

    @Test(arguments: ["CET", "CET-1CEST", "CET-1CEST,M3.5.0", "-1", "CET-1CEST,M13.5.0,M10.5.0", "C-1", "CET-1x"])
    func rulesAreChecked(_ text: String) { #expect(PosixZoneRule(Array(text.utf8)) == nil) }

    @Test func rulesOfEveryForm() throws {
        // Greenland's clocks change on the evening before the last Sunday.
        let nuuk = try #require(PosixZoneRule(Array("<-02>2<-01>,M3.5.0/-1,M10.5.0/0".utf8)))
        let change = Int64(CivilTime.days(year: 2026, month: 3, day: 29)) * 86_400 - 3600 + 7200
        #expect(nuuk.offset(at: change - 1) == -7200 && nuuk.offset(at: change) == -3600)
        let julian = try #require(PosixZoneRule(Array("AAA3BBB,J60/0,299/0".utf8)))
        let march = Int64(CivilTime.days(year: 2028, month: 3, day: 1)) * 86_400 + 3 * 3600
        #expect(julian.offset(at: march - 1) == -10_800 && julian.offset(at: march) == -7200)
        let fixed = try #require(PosixZoneRule(Array("<+0545>-5:45".utf8)))
        #expect(fixed.offset(at: 0) == 20_700)
    }
}

/// Made with zoneinfo of Python, minute by minute in UTC, by the rule that `CronExpression.next(after:in:)` states:
/// expression, zone, start, and the day and time of the runs after it.
enum ZonedCronReference {
    static let table = """
        30 2 * * * | Europe/Berlin | 2026-03-28T12:00 | 29T01:00 30T00:30 31T00:30
        0 3 * * * | Europe/Berlin | 2026-03-28T12:00 | 29T01:00 30T01:00 31T01:00
        */30 1-3 * * * | Europe/Berlin | 2026-03-28T12:00 | 29T00:00 29T00:30 29T01:00 29T01:30
        0 * * * * | Europe/Berlin | 2026-03-28T12:00 | 28T13:00 28T14:00 28T15:00 28T16:00 28T17:00 28T18:00 \
            28T19:00 28T20:00 28T21:00 28T22:00 28T23:00 29T00:00 29T01:00 29T02:00 29T03:00 29T04:00
        15 */2 * * * | Europe/Berlin | 2026-03-28T12:00 | 28T13:15 28T15:15 28T17:15 28T19:15 28T21:15 28T23:15 \
            29T02:15 29T04:15 29T06:15 29T08:15 29T10:15 29T12:15 29T14:15 29T16:15 29T18:15 29T20:15
        30 2 * * * | Europe/Berlin | 2026-10-24T12:00 | 25T00:30 26T01:30 27T01:30
        0 3 * * * | Europe/Berlin | 2026-10-24T12:00 | 25T02:00 26T02:00 27T02:00
        */30 1-3 * * * | Europe/Berlin | 2026-10-24T12:00 | 24T23:00 24T23:30 25T00:00 25T00:30
        0 * * * * | Europe/Berlin | 2026-10-24T12:00 | 24T13:00 24T14:00 24T15:00 24T16:00 24T17:00 24T18:00 \
            24T19:00 24T20:00 24T21:00 24T22:00 24T23:00 25T00:00 25T01:00 25T02:00 25T03:00 25T04:00
        15 */2 * * * | Europe/Berlin | 2026-10-24T12:00 | 24T12:15 24T14:15 24T16:15 24T18:15 24T20:15 24T22:15 \
            25T00:15 25T01:15 25T03:15 25T05:15 25T07:15 25T09:15 25T11:15 25T13:15 25T15:15 25T17:15
        30 2 * * * | America/New_York | 2025-03-08T12:00 | 09T07:00 10T06:30 11T06:30
        0 * * * * | America/New_York | 2025-03-08T12:00 | 08T13:00 08T14:00 08T15:00 08T16:00 08T17:00 08T18:00 \
            08T19:00 08T20:00 08T21:00 08T22:00 08T23:00 09T00:00 09T01:00 09T02:00 09T03:00 09T04:00
        30 1 * * * | America/New_York | 2025-11-01T12:00 | 02T05:30 03T06:30 04T06:30
        0 * * * * | America/New_York | 2025-11-01T12:00 | 01T13:00 01T14:00 01T15:00 01T16:00 01T17:00 01T18:00 \
            01T19:00 01T20:00 01T21:00 01T22:00 01T23:00 02T00:00 02T01:00 02T02:00 02T03:00 02T04:00
        45 1 * * * | Australia/Lord_Howe | 2025-04-05T12:00 | 05T14:45 06T15:15 07T15:15
        */20 * * * * | Australia/Lord_Howe | 2025-04-05T12:00 | 05T12:20 05T12:40 05T13:00 05T13:20 05T13:40 \
            05T14:00 05T14:20 05T14:40 05T15:10 05T15:30 05T15:50 05T16:10 05T16:30 05T16:50 05T17:10 05T17:30
        15 2 * * * | Australia/Lord_Howe | 2025-10-04T12:00 | 04T15:30 05T15:15 06T15:15
        */20 * * * * | Australia/Lord_Howe | 2025-10-04T12:00 | 04T12:10 04T12:30 04T12:50 04T13:10 04T13:30 \
            04T13:50 04T14:10 04T14:30 04T14:50 04T15:10 04T15:40 04T16:00 04T16:20 04T16:40 04T17:00 04T17:20
        0 9 * * * | Pacific/Apia | 2011-12-29T12:00 | 29T19:00 30T10:00 30T19:00 31T19:00
        0 */6 * * * | Pacific/Apia | 2011-12-29T12:00 | 29T16:00 29T22:00 30T04:00 30T10:00 30T16:00 30T22:00 \
            31T04:00 31T10:00 31T16:00 31T22:00 01T04:00 01T10:00
        0 3 * * * | Asia/Kathmandu | 2025-06-01T12:00 | 01T21:15 02T21:15 03T21:15
        0 */6 * * * | Asia/Kathmandu | 2025-06-01T12:00 | 01T12:15 01T18:15 02T00:15 02T06:15 02T12:15 02T18:15 \
            03T00:15 03T06:15 03T12:15 03T18:15 04T00:15 04T06:15
        30 2 * * * | Africa/Casablanca | 2024-03-09T12:00 | 10T01:30 11T02:30 12T02:30
        0 * * * * | Africa/Casablanca | 2024-03-09T12:00 | 09T13:00 09T14:00 09T15:00 09T16:00 09T17:00 09T18:00 \
            09T19:00 09T20:00 09T21:00 09T22:00 09T23:00 10T00:00 10T01:00 10T02:00 10T03:00 10T04:00
        30 2 * * * | Europe/Dublin | 1971-10-30T12:00 | 31T01:30 01T02:30 02T02:30
        0 * * * * | Europe/Dublin | 1971-10-30T12:00 | 30T13:00 30T14:00 30T15:00 30T16:00 30T17:00 30T18:00 \
            30T19:00 30T20:00 30T21:00 30T22:00 30T23:00 31T00:00 31T01:00 31T02:00 31T03:00 31T04:00
        30 0 * * * | America/Santiago | 2024-09-07T12:00 | 08T04:00 09T03:30 10T03:30
        0 */4 * * * | America/Santiago | 2024-09-07T12:00 | 07T16:00 07T20:00 08T00:00 08T07:00 08T11:00 08T15:00 \
            08T19:00 08T23:00 09T03:00 09T07:00 09T11:00 09T15:00 09T19:00 09T23:00 10T03:00 10T07:00
        """
}
