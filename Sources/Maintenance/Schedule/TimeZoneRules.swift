import Base

/// The offsets of a time zone from UTC, over all time: what a file of /usr/share/zoneinfo says.
///
/// All times are seconds: UTC times since 1970, local ones as if the local calendar were UTC's.
///
/// A local time is turned into a moment by one rule. A time that the clock skips becomes the moment of the jump; one
/// that comes twice becomes its first occurrence. So later local times never become earlier moments.
public struct TimeZoneRules: Hashable, Sendable {
    /// A moment at which the offset changes.
    struct Transition: Hashable, Sendable {
        let at: Int64
        let before: Int64
        let after: Int64
    }

    /// As in `Europe/Berlin`.
    public let name: String
    /// Oldest first.
    let transitions: [Transition]
    /// Before the first transition.
    let firstOffset: Int64
    /// After the last one; nil when the last offset stays.
    let rule: PosixZoneRule?

    public static let utc = TimeZoneRules(name: "UTC", transitions: [], firstOffset: 0, rule: nil)

    init(name: String, transitions: [Transition], firstOffset: Int64, rule: PosixZoneRule?) {
        self.name = name
        self.transitions = transitions
        self.firstOffset = firstOffset
        self.rule = rule
    }

    /// Seconds east of UTC.
    public func offset(at seconds: Int64) -> Int64 {
        guard let last = transitions.last else { return rule?.offset(at: seconds) ?? firstOffset }
        if seconds >= last.at { return rule?.offset(at: seconds) ?? last.after }
        let next = firstIndex(after: seconds)
        return next == 0 ? firstOffset : transitions[next - 1].after
    }

    /// The changes of the offset in `range`, its ends included, oldest first.
    func changes(in range: ClosedRange<Int64>) -> [Transition] {
        var found: [Transition] = []
        var index = firstIndex(after: range.lowerBound - 1)
        while index < transitions.count, transitions[index].at <= range.upperBound {
            found.append(transitions[index])
            index += 1
        }
        if let rule {
            let known = transitions.last?.at ?? .min
            found += rule.changes(in: range).filter { $0.at > known }
        }
        return found.filter { $0.before != $0.after }
    }

    /// The moment that a local time means, by the rule above.
    public func moment(ofLocal local: Int64) -> Int64 {
        // No offset is further than 26 hours from UTC.
        let near = changes(in: local - 93_600...local + 93_600)
        for change in near where change.at + change.before <= local && local < change.at + change.after {
            return change.at
        }
        var offsets = [offset(at: local - 93_600)]
        for change in near { offsets += [change.before, change.after] }
        return offsets.map { local - $0 }.filter { $0 + offset(at: $0) == local }.min() ?? local - offset(at: local)
    }

    /// `2026-11-22T03:00:00+01:00`, of milliseconds since 1970.
    public func format(ms: Int64) -> String {
        let offset = offset(at: CivilTime.floorDivide(ms, 1000).quotient)
        let text = CivilTime.formatTimestamp(micros: (ms + offset * 1000) * 1000, utc: false)
        guard offset != 0 || name != Self.utc.name else { return text + "Z" }
        let minutes = abs(offset) / 60
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return text + (offset < 0 ? "-" : "+") + two(minutes / 60) + ":" + two(minutes % 60)
    }

    /// The index of the first transition later than a time.
    private func firstIndex(after seconds: Int64) -> Int {
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle].at > seconds { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
