import Base
import Catalog

/// The schedules of the catalog as the scheduler follows them, read again when the catalog has changed.
struct ScheduleBook: Sendable {
    struct Entry: Sendable {
        let row: ScheduleRow
        let table: Timetable
        let pattern: TablePattern

        var key: ScheduleKey { ScheduleKey(table: row.table, name: row.name) }
        /// What somebody set, without what runs leave behind.
        var rule: Rule { Rule(key: key, spec: row.spec, paused: row.paused) }
    }

    struct Rule: Hashable {
        let key: ScheduleKey
        let spec: String
        let paused: Bool
    }

    /// What can be read, in the order of the catalog.
    private(set) var entries: [Entry] = []
    /// By their text; nil for one that cannot be read.
    private var known: [String: Timetable?] = [:]
    private var budgets: [ScheduleKey: (spec: ScheduleSpec, budget: JobBudget?)] = [:]

    /// Takes new rows over. `report` hears once of each text that cannot be read.
    ///
    /// - Returns: the patterns of schedules that came, went, changed or were paused or resumed.
    mutating func update(
        _ rows: [ScheduleRow], files: any FileSystem, processors: Int, report: (ScheduleRow, FirnError) -> Void
    ) -> [TablePattern] {
        let before = Set(entries.map(\.rule))
        let texts = Set(rows.map(\.spec))
        known = known.filter { texts.contains($0.key) }
        entries = []
        for row in rows {
            if known[row.spec] == nil {
                do throws(FirnError) {
                    known[row.spec] = try Timetable(ScheduleSpec(row: row.spec), files: files)
                } catch {
                    known[row.spec] = .some(nil)
                    report(row, error)
                }
            }
            guard let table = known[row.spec] ?? nil else { continue }
            entries.append(Entry(row: row, table: table, pattern: TablePattern(row.table)))
        }
        // A budget goes on with what it has when its schedule is only paused or has run.
        budgets = Dictionary(
            entries.map { entry in
                if let kept = budgets[entry.key], kept.spec == entry.table.spec { return (entry.key, kept) }
                return (entry.key, (entry.table.spec, JobBudget(entry.table.spec, processors: processors)))
            }, uniquingKeysWith: { first, _ in first })
        return before.symmetricDifference(entries.map(\.rule)).map { TablePattern($0.key.table) }
    }

    /// The schedules that decide about an action at a table: of all that match it, those of the highest rank. A paused
    /// one counts too, so that it keeps a table out of a wider pattern.
    func governing(_ table: TableIdentifier, _ action: ScheduleSpec.Action) -> [Entry] {
        let matching = entries.filter { $0.table.spec.action == action && $0.pattern.matches(table) }
        let rank = matching.map(\.pattern.rank).max()
        return matching.filter { $0.pattern.rank == rank }
    }

    func limits(_ entry: Entry, untilMs: Int64?) -> RunLimits {
        RunLimits(budget: budgets[entry.key]?.budget, untilMs: untilMs, options: entry.table.spec.options)
    }
}
