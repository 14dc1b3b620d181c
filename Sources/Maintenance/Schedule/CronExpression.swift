import Base

/// A cron schedule of five fields: minute, hour, day of month, month, day of week.
///
/// Fields hold `*`, numbers, names (`jan`, `mon`), ranges `a-b`, steps `*/n`, `a-b/n`, `a/n` (from `a` to the field's
/// end) and comma lists of them; Sunday is 0 or 7. `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`
/// and `@annually` stand for the usual expressions.
///
/// When both day fields are restricted a day matches if either does; a field that begins with `*` is not restricted.
/// This is the rule of crontab(5): https://man7.org/linux/man-pages/man5/crontab.5.html
public struct CronExpression: Hashable, Sendable, CustomStringConvertible {
    /// The expression as written.
    public let description: String
    /// Bit `n` is set when the field matches `n`.
    let minutes: UInt64
    let hours: UInt64
    let daysOfMonth: UInt64
    let months: UInt64
    /// Sunday is bit 0.
    let daysOfWeek: UInt64
    /// True when a day must match both day fields rather than either.
    let needsBothDays: Bool
    /// True when the hour field begins with `*`.
    let hasAnyHour: Bool

    /// Throws `.invalidInput` (`bad_cron`) with the field's name in the message and, as `field`, in the context.
    public init(_ text: String) throws(FirnError) {
        description = text
        let expanded = try Self.expandNickname(text)
        let fields = expanded.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard fields.count == CronField.all.count else {
            throw FirnError(
                .invalidInput, "bad_cron",
                "'\(text)' has \(fields.count) fields, cron needs 5: minute hour day-of-month month day-of-week")
        }
        minutes = try CronField.minute.parse(fields[0])
        hours = try CronField.hour.parse(fields[1])
        daysOfMonth = try CronField.dayOfMonth.parse(fields[2])
        months = try CronField.month.parse(fields[3])
        let week = try CronField.dayOfWeek.parse(fields[4])
        daysOfWeek = (week | week >> 7) & 0x7f
        hasAnyHour = fields[1].hasPrefix("*")
        needsBothDays = fields[2].hasPrefix("*") || fields[4].hasPrefix("*")
        guard hasAnyDay else {
            throw FirnError(
                .invalidInput, "bad_cron", "'\(text)' never fires: no month it names has such a day of month",
                context: ["field": CronField.dayOfMonth.name])
        }
    }

    private static func expandNickname(_ text: String) throws(FirnError) -> String {
        guard text.hasPrefix("@") else { return text }
        switch text.lowercased() {
        case "@hourly": return "0 * * * *"
        case "@daily", "@midnight": return "0 0 * * *"
        case "@weekly": return "0 0 * * 0"
        case "@monthly": return "0 0 1 * *"
        case "@yearly", "@annually": return "0 0 1 1 *"
        default:
            throw FirnError(
                .invalidInput, "bad_cron",
                "'\(text)' is not known: use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually")
        }
    }

    /// False when only the day of month decides and no chosen month is long enough for a chosen day.
    private var hasAnyDay: Bool {
        guard needsBothDays else { return true }
        return (1...12).contains { month in
            // 2000 is a leap year, so February counts with its longest length.
            months & (1 << UInt64(month)) != 0
                && daysOfMonth & ((2 << UInt64(CivilTime.daysInMonth(year: 2000, month: month))) - 1) != 0
        }
    }

    /// The first time after `ms` (milliseconds since 1970, UTC) at which the expression matches, on a full minute.
    ///
    /// Steps over whole months and days, so that even a leap day is found in a few thousand steps.
    public func next(after ms: Int64) -> Int64 {
        let minute = CivilTime.floorDivide(ms, 60_000).quotient + 1
        let (startDay, startMinute) = CivilTime.floorDivide(minute, 1440)
        var day = Int(startDay)
        var minuteOfDay = Int(startMinute)
        while true {
            let date = CivilTime.date(days: day)
            if months & (1 << UInt64(date.month)) == 0 {
                day += CivilTime.daysInMonth(year: date.year, month: date.month) - date.day + 1
                minuteOfDay = 0
                continue
            }
            if matches(day: day, dayOfMonth: date.day), let found = firstMinute(from: minuteOfDay) {
                return (Int64(day) * 1440 + Int64(found)) * 60_000
            }
            day += 1
            minuteOfDay = 0
        }
    }

    private func matches(day: Int, dayOfMonth: Int) -> Bool {
        // 1970-01-01 was a Thursday.
        let dayOfWeek = ((day + 4) % 7 + 7) % 7
        let inMonth = daysOfMonth & (1 << UInt64(dayOfMonth)) != 0
        let inWeek = daysOfWeek & (1 << UInt64(dayOfWeek)) != 0
        return needsBothDays ? inMonth && inWeek : inMonth || inWeek
    }

    private func firstMinute(from start: Int) -> Int? {
        for hour in start / 60..<24 where hours & (1 << UInt64(hour)) != 0 {
            let first = hour == start / 60 ? start % 60 : 0
            let rest = minutes & (~0 << UInt64(first))
            if rest != 0 { return hour * 60 + rest.trailingZeroBitCount }
        }
        return nil
    }
}

/// The name, range and spelled-out values of one field.
struct CronField {
    let name: String
    let range: ClosedRange<Int>
    /// The first stands for the start of the range.
    var names: [String] = []

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let dayOfMonth = CronField(name: "day of month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    static let dayOfWeek = CronField(
        name: "day of week", range: 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])
    static let all = [minute, hour, dayOfMonth, month, dayOfWeek]

    func parse(_ text: Substring) throws(FirnError) -> UInt64 {
        var bits: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            bits |= try parseItem(item)
        }
        return bits
    }

    private func parseItem(_ item: Substring) throws(FirnError) -> UInt64 {
        let parts = item.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { throw bad(item, "has two steps") }
        var step = 1
        if parts.count == 2 {
            guard let given = number(parts[1]), given >= 1 else { throw bad(item, "needs a step of 1 or more") }
            step = given
        }
        let span: ClosedRange<Int>
        if parts[0] == "*" {
            span = range
        } else {
            let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count <= 2 else { throw bad(item, "is not a range") }
            let first = try value(ends[0], of: item)
            let last = ends.count == 2 ? try value(ends[1], of: item) : parts.count == 2 ? range.upperBound : first
            guard first <= last else { throw bad(item, "runs backwards") }
            span = first...last
        }
        var bits: UInt64 = 0
        for value in stride(from: span.lowerBound, through: span.upperBound, by: step) { bits |= 1 << UInt64(value) }
        return bits
    }

    private func value(_ text: Substring, of item: Substring) throws(FirnError) -> Int {
        if let index = names.firstIndex(of: text.lowercased()) { return range.lowerBound + index }
        guard let value = number(text) else { throw bad(item, "is not a number\(names.isEmpty ? "" : " or a name")") }
        guard range.contains(value) else {
            throw bad(item, "is outside \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    private func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 4, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    private func bad(_ item: Substring, _ reason: String) -> FirnError {
        FirnError(
            .invalidInput, "bad_cron", "in the cron field '\(name)' the part '\(item)' \(reason)",
            context: ["field": name])
    }
}
