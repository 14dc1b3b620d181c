// What to do next, from what the scheduler knows. It does no maintenance itself, and what it reads of the catalog is
// cheap: nothing while the catalog's version stays the same.
//
// In this order, one table's turn at a time and never two for one table:
//
// 1. Jobs that another process left.
// 2. Tables of schedules that are due. A schedule that becomes due takes all its tables, least recently maintained
//    first; when the last one is done, or its window has ended, its next start is set. A kill before that makes it due
//    again.
// 3. Tables that were committed to, or whose schedules were changed, since the policy last looked, when no schedule is
//    for them or one that follows commits. 2 and 3 take turns.
// 4. Expiry by the properties of tables that no schedule is for.

import Base
import Catalog

struct MaintenanceAgenda: Sendable {
    /// Something done at a fixed rate, for the first time at once.
    struct Periodic: Sendable {
        private var nextNanos: Int64?

        /// True when it is time; then the next time is one interval away.
        mutating func isDue(_ nowNanos: Int64, every intervalMs: Int64) -> Bool {
            guard nowNanos >= nextNanos ?? nowNanos else { return false }
            nextNanos = nowNanos + intervalMs * 1_000_000
            return true
        }
    }

    /// A schedule under way.
    private struct Fire: Sendable {
        let startMs: Int64
        let untilMs: Int64?
        var tables: [TableIdentifier]
    }

    /// A schedule all of whose tables are done.
    struct Ended: Sendable {
        let key: ScheduleKey
        let startMs: Int64
        let table: Timetable
    }

    var refreshDue = Periodic()
    var resumeDue = Periodic()
    var garbageDue = Periodic()
    var expiryDue = Periodic()
    var relookDue = Periodic()
    var version: Int64?
    private(set) var book = ScheduleBook()
    private var locations: [TableIdentifier: String] = [:]
    /// Tables for the policy to look at, in the order in which they were changed.
    private var changed: [TableIdentifier] = []
    private var watches: [TableIdentifier: TableWatch] = [:]
    private var running: [TableIdentifier: ScheduleKey?] = [:]
    private var fires: [ScheduleKey: Fire] = [:]
    private var expiring: [TableIdentifier] = []
    private var left: [JobRow] = []
    private var isPolicyFirst = false

    // MARK: what the catalog says

    mutating func update(
        tables: [TableIdentifier: String], schedules: [ScheduleRow], files: any FileSystem, processors: Int,
        report: (ScheduleRow, FirnError) -> Void
    ) {
        lookLater(tables.filter { locations[$0.key] != $0.value }.keys.sorted())
        changed = changed.filter { tables[$0] != nil }
        locations = tables
        watches = watches.filter { tables[$0.key] != nil }
        let patterns = book.update(schedules, files: files, processors: processors, report: report)
        lookLater(tables.keys.filter { table in patterns.contains { $0.matches(table) } }.sorted())
    }

    /// Jobs that no process is at.
    mutating func take(left jobs: [JobRow]) { left = jobs }

    /// All tables, when it is time to expire by properties.
    mutating func expireAll() { expiring = locations.keys.sorted() }

    /// Has the policy look again at tables for which time alone may have changed its answer.
    mutating func lookAgain(nowMs: Int64) {
        let due = watches.filter { $0.value.quietUntilMs.map { $0 <= nowMs } ?? false }
        lookLater(due.keys.sorted())
    }

    // MARK: what to do

    var runningCount: Int { running.count }

    /// Takes the next turn, for the caller to carry out and then to `end`.
    mutating func next(nowMs: Int64, nowNanos: Int64, lastJobs: (String) -> [String: Int64]) -> MaintenanceTask? {
        beginFires(nowMs, lastJobs)
        if let task = nextLeft() { return task }
        isPolicyFirst.toggle()
        if isPolicyFirst, let task = nextOfPolicy(nowMs, nowNanos) { return task }
        if let task = nextOfSchedules(nowMs, nowNanos) { return task }
        if !isPolicyFirst, let task = nextOfPolicy(nowMs, nowNanos) { return task }
        return nextOfProperties(nowNanos)
    }

    /// Schedules whose last table is done; each is answered once.
    mutating func endedFires(nowMs: Int64) -> [Ended] {
        var ended: [Ended] = []
        for (key, fire) in fires {
            guard let entry = book.entries.first(where: { $0.key == key }), !entry.row.paused else {
                fires[key] = nil
                continue
            }
            if fire.untilMs.map({ nowMs >= $0 }) ?? false { fires[key]?.tables = [] }
            guard fires[key]?.tables.isEmpty ?? true, !running.values.contains(key) else { continue }
            fires[key] = nil
            ended.append(Ended(key: key, startMs: fire.startMs, table: entry.table))
        }
        return ended
    }

    /// Gives a turn back with what was learnt of the table.
    mutating func end(_ task: MaintenanceTask) {
        running[task.table] = nil
        if locations[task.table] != nil { watches[task.table] = task.watch }
    }

    /// Has the policy look at tables when their turn comes.
    mutating func lookLater(_ tables: [TableIdentifier]) {
        let known = Set(changed)
        changed += tables.filter { !known.contains($0) }
    }

    private mutating func beginFires(_ nowMs: Int64, _ lastJobs: (String) -> [String: Int64]) {
        for entry in book.entries where fires[entry.key] == nil && entry.table.spec.timing != .commit {
            guard case .run(let until, _) = entry.table.decide(entry.row, nowMs: nowMs) else { continue }
            let action = entry.table.spec.action
            let last = lastJobs(action.rawValue)
            let tables = locations.keys.filter { table in
                entry.pattern.matches(table) && book.governing(table, action).contains { $0.key == entry.key }
            }
            fires[entry.key] = Fire(
                startMs: nowMs, untilMs: until,
                tables: tables.sorted { a, b in
                    (last[a.description] ?? 0, a.description) < (last[b.description] ?? 0, b.description)
                })
        }
    }

    private mutating func nextLeft() -> MaintenanceTask? {
        guard
            let index = left.firstIndex(where: { job in
                ScheduleSpec.Action(rawValue: job.kind) != nil && isFree(job.table)
            }), let table = try? TableIdentifier(parsing: left[index].table), locations[table] != nil,
            let action = ScheduleSpec.Action(rawValue: left[index].kind)
        else { return nil }
        let job = left.remove(at: index)
        let isOfPolicy = action == .compact && job.reason == MaintenanceTask.Cause.policy.reason
        return begin(table, action, .resumed(job), isOfPolicy ? RunLimits().sliced : RunLimits())
    }

    private func isFree(_ name: String) -> Bool {
        guard let table = try? TableIdentifier(parsing: name) else { return false }
        return locations[table] != nil && running[table] == nil
    }

    private mutating func nextOfSchedules(_ nowMs: Int64, _ nowNanos: Int64) -> MaintenanceTask? {
        for entry in book.entries where !entry.row.paused {
            guard let fire = fires[entry.key], fire.untilMs.map({ nowMs < $0 }) ?? true,
                running.values.filter({ $0 == entry.key }).count < entry.table.spec.concurrency ?? .max,
                let index = fire.tables.firstIndex(where: { running[$0] == nil })
            else { continue }
            let table = fire.tables[index]
            fires[entry.key]?.tables.remove(at: index)
            guard locations[table] != nil, mayTry(table, nowNanos) else { continue }
            return begin(
                table, entry.table.spec.action, .schedule(entry.key), book.limits(entry, untilMs: fire.untilMs))
        }
        return nil
    }

    private mutating func nextOfPolicy(_ nowMs: Int64, _ nowNanos: Int64) -> MaintenanceTask? {
        var index = 0
        while index < changed.count {
            let table = changed[index]
            guard running[table] == nil, mayTry(table, nowNanos), nowNanos >= watches[table]?.lookNanos ?? nowNanos
            else {
                index += 1
                continue
            }
            let governing = book.governing(table, .compact)
            guard let entry = governing.first(where: { $0.table.spec.timing == .commit }) else {
                changed.remove(at: index)
                guard governing.isEmpty else { continue }
                return begin(table, .compact, .policy, RunLimits().sliced)
            }
            guard case .run(let until, _) = entry.table.decide(entry.row, nowMs: nowMs),
                running.values.filter({ $0 == entry.key }).count < entry.table.spec.concurrency ?? .max
            else {
                index += 1
                continue
            }
            changed.remove(at: index)
            return begin(table, .compact, .schedule(entry.key), book.limits(entry, untilMs: until).sliced)
        }
        return nil
    }

    private mutating func nextOfProperties(_ nowNanos: Int64) -> MaintenanceTask? {
        while let index = expiring.firstIndex(where: { running[$0] == nil }) {
            let table = expiring.remove(at: index)
            guard locations[table] != nil, mayTry(table, nowNanos), book.governing(table, .expire).isEmpty else {
                continue
            }
            return begin(table, .expire, .properties, RunLimits())
        }
        return nil
    }

    private func mayTry(_ table: TableIdentifier, _ nowNanos: Int64) -> Bool {
        nowNanos >= watches[table]?.retryNanos ?? nowNanos
    }

    private mutating func begin(
        _ table: TableIdentifier, _ action: ScheduleSpec.Action, _ cause: MaintenanceTask.Cause, _ limits: RunLimits
    ) -> MaintenanceTask {
        let task = MaintenanceTask(
            table: table, action: action, cause: cause, limits: limits,
            watch: watches.removeValue(forKey: table) ?? TableWatch())
        running[table] = .some(task.key)
        return task
    }
}
