// When a schedule runs. Pure: a schedule's row and a time in, a decision out.
//
// 1. A schedule has a next start: the first time after its last start, or after its creation, that its timing names.
//    An interval counts from the last start; a cron expression goes by the clock of the zone.
// 2. Before that start it waits. From then on it is due, however long ago that was: of all starts that were missed,
//    because no process was up or because the window was closed, exactly one is made up for.
// 3. A due schedule runs at once inside its window, or without one; else when the window opens next.
// 4. A run that reaches the end of the window stops after the group at hand. What is left waits for the next start.

import Base
import Catalog

/// What a schedule does at a moment, and why.
public enum ScheduleDecision: Hashable, Sendable {
    case paused
    /// `dueSinceMs` is set when the start has passed and only the window is waited for.
    case wait(untilMs: Int64, dueSinceMs: Int64?)
    /// Run now, and stop at `untilMs`, the end of the window. `dueSinceMs` is the start that is carried out; nil for a
    /// schedule that follows commits.
    case run(untilMs: Int64?, dueSinceMs: Int64?)
}

/// A schedule with the rules of its time zone.
public struct Timetable: Hashable, Sendable {
    /// A start this late was missed rather than reached a little late.
    static let lateMs: Int64 = 60_000

    public let spec: ScheduleSpec
    public let zone: TimeZoneRules

    /// Throws `.invalidInput` (`unknown_time_zone`), `.corrupted` (`bad_zone_file`).
    public init(_ spec: ScheduleSpec, files: any FileSystem) throws(FirnError) {
        self.spec = spec
        zone = try TimeZoneFile.load(spec.zone, files: files)
    }

    /// The start that follows one at `ms` (milliseconds since 1970), whatever the window; nil for a schedule that
    /// follows commits.
    public func next(after ms: Int64) -> Int64? {
        switch spec.timing {
        case .interval(let milliseconds): ms + milliseconds
        case .cron(let cron): cron.next(after: ms, in: zone)
        case .commit: nil
        }
    }

    public func decide(_ row: ScheduleRow, nowMs: Int64) -> ScheduleDecision {
        guard !row.paused else { return .paused }
        let due = due(row)
        if let due, due > nowMs { return .wait(untilMs: opening(from: due), dueSinceMs: nil) }
        guard let window = spec.window else { return .run(untilMs: nil, dueSinceMs: due) }
        if let end = window.end(at: nowMs, in: zone) { return .run(untilMs: end, dueSinceMs: due) }
        return .wait(untilMs: opening(from: nowMs), dueSinceMs: due)
    }

    /// The next `count` times at which the schedule runs, oldest first; the first one is now when it is due. Of a
    /// schedule that follows commits, when its window opens.
    public func nextRuns(_ row: ScheduleRow, nowMs: Int64, count: Int) -> [Int64] {
        guard !row.paused, count > 0 else { return [] }
        guard let due = due(row) else { return openings(from: nowMs, count: count) }
        return runs(from: opening(from: max(due, nowMs)), count: count)
    }

    /// The first `count` times after `ms` at which a schedule made then would run.
    public func nextRuns(after ms: Int64, count: Int) -> [Int64] {
        guard count > 0 else { return [] }
        return next(after: ms).map { runs(from: opening(from: $0), count: count) } ?? openings(from: ms, count: count)
    }

    /// In words what `decide` says.
    public func explain(_ decision: ScheduleDecision, nowMs: Int64) -> String {
        func at(_ ms: Int64) -> String { zone.format(ms: ms / 1000 * 1000) }
        switch decision {
        case .paused: return "paused: nothing runs until it is resumed"
        case .wait(let until, nil):
            return "waits for its next start, at \(at(until))"
        case .wait(let until, let due?):
            return "the start of \(at(due)) was missed; outside of the window \(window), so one run is made up when it "
                + "opens, at \(at(until))"
        case .run(let until, let due):
            let end = until.map { ", until the window \(window) closes at \(at($0))" } ?? ""
            guard let due else { return "runs as soon as a commit gives the policy something to do\(end)" }
            guard nowMs - due > Self.lateMs else { return "due since \(at(due)): runs now\(end)" }
            return "the start of \(at(due)) was missed: one run is made up for at once\(end)"
        }
    }

    private var window: String { spec.window?.description ?? "" }

    private func due(_ row: ScheduleRow) -> Int64? {
        spec.timing == .commit ? nil : row.nextRunMs ?? next(after: row.lastRunMs ?? row.createdMs)
    }

    private func opening(from ms: Int64) -> Int64 { spec.window?.opening(from: ms, in: zone) ?? ms }

    private func runs(from first: Int64, count: Int) -> [Int64] {
        var runs = [first]
        while runs.count < count, let next = next(after: runs[runs.count - 1]) { runs.append(opening(from: next)) }
        return runs
    }

    private func openings(from ms: Int64, count: Int) -> [Int64] {
        guard let window = spec.window else { return [] }
        var found: [Int64] = []
        var from = ms
        while found.count < count {
            found.append(window.opening(from: from, in: zone))
            guard let end = window.end(at: found[found.count - 1], in: zone) else { break }
            from = end
        }
        return found
    }
}
