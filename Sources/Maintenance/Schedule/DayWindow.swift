import Base

/// The part of the day in which a schedule may run: `01:00-05:00`, or across midnight `22:00-04:00`.
///
/// Its ends are local times, turned into moments by the rule of `TimeZoneRules`; the end is not part of it. On a day on
/// which the clock skips the whole window there is none.
public struct DayWindow: Hashable, Sendable, CustomStringConvertible {
    /// Minutes after midnight, 0 to 1439.
    public let start: Int
    public let end: Int

    /// Throws `.invalidInput` (`bad_window`).
    public init(_ text: String) throws(FirnError) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let start = Self.minute(parts[0]), let end = Self.minute(parts[1]) else {
            throw Self.bad("'\(String(text.prefix(40)))' is not a window: write two times of day, as in 01:00-05:00")
        }
        guard start != 1440, start != end % 1440 else {
            throw Self.bad("the window '\(text)' is empty or the whole day: leave it out to run at any time")
        }
        self.start = start
        self.end = end % 1440
    }

    public var description: String { Self.text(start) + "-" + Self.text(end) }

    /// When the window that `ms` (milliseconds since 1970) lies in ends; nil outside of it.
    public func end(at ms: Int64, in zone: TimeZoneRules) -> Int64? {
        windows(around: ms, zone, days: -1...1).last { $0.contains(ms) }?.upperBound
    }

    /// When the next window begins, or `ms` itself inside of one.
    public func opening(from ms: Int64, in zone: TimeZoneRules) -> Int64 {
        if end(at: ms, in: zone) != nil { return ms }
        // A zone that skips a day, as Samoa did, has none on it; no zone skips two in a row.
        return windows(around: ms, zone, days: -1...4).map(\.lowerBound).first { $0 >= ms } ?? ms
    }

    /// The windows that begin on the local days around a time, those that are empty left out.
    private func windows(around ms: Int64, _ zone: TimeZoneRules, days: ClosedRange<Int64>) -> [Range<Int64>] {
        let seconds = CivilTime.floorDivide(ms, 1000).quotient
        let today = CivilTime.floorDivide(seconds + zone.offset(at: seconds), 86_400).quotient
        return days.compactMap { day in
            let midnight = (today + day) * 86_400
            let from = zone.moment(ofLocal: midnight + Int64(start) * 60)
            let to = zone.moment(ofLocal: midnight + Int64(end) * 60 + (end < start ? 86_400 : 0))
            return from < to ? from * 1000..<to * 1000 : nil
        }
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...2).contains(parts[0].utf8.count), parts[1].utf8.count == 2,
            parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }), let hour = Int(parts[0]),
            let minute = Int(parts[1]), minute < 60, hour < 24 || hour == 24 && minute == 0
        else { return nil }
        return hour * 60 + minute
    }

    private static func text(_ minute: Int) -> String {
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return two(minute / 60) + ":" + two(minute % 60)
    }

    private static func bad(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_window", message) }
}
