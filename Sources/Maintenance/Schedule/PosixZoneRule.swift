import Base

/// A yearly rule of daylight saving time, as POSIX writes it: `CET-1CEST,M3.5.0,M10.5.0/3`.
///
/// Source: POSIX.1, Base Definitions 8.3 (TZ), with the extension of RFC 8536: hours of a change from -167 to 167.
struct PosixZoneRule: Hashable, Sendable {
    private enum Day: Hashable, Sendable {
        /// 1 to 365, never counting 29 February.
        case ordinalWithoutLeap(Int)
        /// 0 to 365.
        case ordinal(Int)
        /// Week 5 is the last; Sunday is 0.
        case weekday(month: Int, week: Int, day: Int)
    }

    private struct Change: Hashable, Sendable {
        let day: Day
        /// Seconds after local midnight.
        let time: Int64
    }

    private struct Saving: Hashable, Sendable {
        let offset: Int64
        let start: Change
        let end: Change
    }

    private let standard: Int64
    private let saving: Saving?

    init?(_ text: [UInt8]) {
        var parser = Parser(rest: text[...])
        guard parser.name(), let standard = parser.duration() else { return nil }
        self.standard = -standard
        if parser.rest.isEmpty {
            saving = nil
            return
        }
        guard parser.name() else { return nil }
        var offset = self.standard + 3600
        if parser.rest.first != UInt8(ascii: ",") {
            guard let given = parser.duration() else { return nil }
            offset = -given
        }
        guard let start = parser.change(), let end = parser.change(), parser.rest.isEmpty else { return nil }
        saving = Saving(offset: offset, start: start, end: end)
    }

    func offset(at seconds: Int64) -> Int64 {
        guard let saving else { return standard }
        let year = Self.year(of: seconds + standard)
        let start = Self.local(saving.start, year) - standard
        let end = Self.local(saving.end, year) - saving.offset
        let isSaving = start < end ? start <= seconds && seconds < end : !(end <= seconds && seconds < start)
        return isSaving ? saving.offset : standard
    }

    /// The changes in a range of times, in order.
    func changes(in range: ClosedRange<Int64>) -> [TimeZoneRules.Transition] {
        guard let saving else { return [] }
        var found: [TimeZoneRules.Transition] = []
        for year in Self.year(of: range.lowerBound - 86_400)...Self.year(of: range.upperBound + 86_400) {
            for at in [
                Self.local(saving.start, year) - standard, Self.local(saving.end, year) - saving.offset,
            ] where range.contains(at) {
                // What the offset really does: two changes at one moment cancel out.
                found.append(.init(at: at, before: offset(at: at - 1), after: offset(at: at)))
            }
        }
        return found.sorted { $0.at < $1.at }
    }

    private static func year(of seconds: Int64) -> Int {
        CivilTime.date(days: Int(CivilTime.floorDivide(seconds, 86_400).quotient)).year
    }

    /// The local time of a change in a year.
    private static func local(_ change: Change, _ year: Int) -> Int64 {
        let days: Int
        switch change.day {
        case .ordinal(let day): days = CivilTime.days(year: year, month: 1, day: 1) + day
        case .ordinalWithoutLeap(let day):
            let isAfterLeapDay = CivilTime.isLeap(year) && day >= 60
            days = CivilTime.days(year: year, month: 1, day: 1) + day - 1 + (isAfterLeapDay ? 1 : 0)
        case .weekday(let month, let week, let weekday):
            let first = CivilTime.days(year: year, month: month, day: 1)
            // 1970-01-01 was a Thursday.
            let firstWeekday = ((first + 4) % 7 + 7) % 7
            var day = (weekday - firstWeekday + 7) % 7 + (week - 1) * 7
            if day >= CivilTime.daysInMonth(year: year, month: month) { day -= 7 }
            days = first + day
        }
        return Int64(days) * 86_400 + change.time
    }

    private struct Parser {
        var rest: ArraySlice<UInt8>

        mutating func take(_ character: Character) -> Bool {
            guard rest.first == character.asciiValue else { return false }
            rest.removeFirst()
            return true
        }

        /// `CET` or `<+03>`.
        mutating func name() -> Bool {
            if take("<") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                rest = rest[(end + 1)...]
                return true
            }
            let letters = rest.prefix { (UInt8(ascii: "A")...UInt8(ascii: "z")).contains($0) }
            rest = rest.dropFirst(letters.count)
            return letters.count >= 3
        }

        mutating func number(max: Int) -> Int? {
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard (1...3).contains(digits.count) else { return nil }
            rest = rest.dropFirst(digits.count)
            let value = digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
            return value <= max ? value : nil
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func duration() -> Int64? {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            guard let hours = number(max: 167) else { return nil }
            var seconds = hours * 3600
            if take(":") {
                guard let minutes = number(max: 59) else { return nil }
                seconds += minutes * 60
                if take(":") {
                    guard let more = number(max: 59) else { return nil }
                    seconds += more
                }
            }
            return Int64(isNegative ? -seconds : seconds)
        }

        /// `,M3.5.0/2`
        mutating func change() -> Change? {
            guard take(","), let day = day() else { return nil }
            guard take("/") else { return Change(day: day, time: 7200) }
            return duration().map { Change(day: day, time: $0) }
        }

        private mutating func day() -> Day? {
            if take("M") {
                guard let month = number(max: 12), month >= 1, take("."), let week = number(max: 5), week >= 1,
                    take("."), let day = number(max: 6)
                else { return nil }
                return .weekday(month: month, week: week, day: day)
            }
            if take("J") { return number(max: 365).flatMap { $0 >= 1 ? .ordinalWithoutLeap($0) : nil } }
            return number(max: 365).map { .ordinal($0) }
        }
    }
}
