import Base
import Catalog

/// A schedule as people and programs see it, and the ways to change one; shared by the CLI and the HTTP API.
public struct ScheduleView: Sendable {
    /// Tables that `explain` tells of.
    static let tablesMax = 20

    /// What the schedule means for one table that it matches.
    public struct Target: Sendable {
        public let table: TableIdentifier
        /// The schedule that is for the table, when this one is not.
        public let shadowedBy: ScheduleRow?
    }

    public let row: ScheduleRow
    public let timetable: Timetable
    public let nowMs: Int64
    /// Milliseconds since 1970, each in its window. Empty for a paused schedule.
    public let nextRuns: [Int64]
    public let decision: ScheduleDecision

    public var spec: ScheduleSpec { timetable.spec }

    public init(_ row: ScheduleRow, in warehouse: Warehouse, count: Int = 5) throws {
        self.row = row
        nowMs = warehouse.environment.clock.nowMs()
        timetable = try Timetable(ScheduleSpec(row: row.spec), files: warehouse.environment.files)
        nextRuns = timetable.nextRuns(row, nowMs: nowMs, count: count)
        decision = timetable.decide(row, nowMs: nowMs)
    }

    /// What the schedule would do now, and why, in words.
    public var explanation: String { timetable.explain(decision, nowMs: nowMs) }

    /// `2026-11-22T03:00:00+01:00`, in the schedule's zone.
    public func zoned(_ ms: Int64) -> String { timetable.zone.format(ms: ms) }

    public static func utc(_ ms: Int64) -> String { CivilTime.formatTimestamp(micros: ms * 1000, utc: true) }

    public var json: JSONValue {
        func time(_ ms: Int64?) -> JSONValue { ms.map { .string(Self.utc($0)) } ?? .null }
        var members: [JSONValue.Member] = [.init("table", .string(row.table)), .init("name", .string(row.name))]
        members += spec.json.objectValue ?? []
        members += [
            .init("paused", .bool(row.paused)), .init("last-run", time(row.lastRunMs)),
            .init("next-runs", .array(nextRuns.map(time))),
            .init("next-runs-zoned", .array(nextRuns.map { .string(zoned($0)) })),
            .init("now", .string(now)), .init("explain", .string(explanation)),
        ]
        return .object(members)
    }

    private var now: String {
        switch decision {
        case .paused: "paused"
        case .wait: "waits"
        case .run: "runs"
        }
    }

    /// The tables that the schedule matches, and for which of them another one is more specific.
    public func targets(in warehouse: Warehouse) throws -> [Target] {
        let pattern = TablePattern(row.table)
        let others = try warehouse.listSchedules().filter { other in
            (other.table, other.name) != (row.table, row.name)
                && (try? ScheduleSpec(row: other.spec))?.action == spec.action
        }
        return try warehouse.listTables().filter { pattern.matches($0) }.map { table in
            Target(
                table: table,
                shadowedBy: others.filter {
                    TablePattern($0.table).rank > pattern.rank && TablePattern($0.table).matches(table)
                }.max { TablePattern($0.table).rank < TablePattern($1.table).rank })
        }
    }

    /// One line about each table that the schedule matches: what it would do there now, and why.
    ///
    /// Reads the metadata of up to `tablesMax` tables.
    public func explainTables(in warehouse: Warehouse) throws -> [(table: String, text: String)] {
        let targets = try targets(in: warehouse)
        var lines: [(table: String, text: String)] = []
        for target in targets.prefix(Self.tablesMax) {
            lines.append((target.table.description, try explain(target, in: warehouse)))
        }
        if targets.count > Self.tablesMax { lines.append(("…", "and \(targets.count - Self.tablesMax) more tables")) }
        return lines
    }

    private func explain(_ target: Target, in warehouse: Warehouse) throws -> String {
        if let other = target.shadowedBy {
            return "left to the schedule \(other.name) of \(other.table), which is more specific"
        }
        switch spec.action {
        case .compact:
            do {
                var run = CompactionRun(warehouse: warehouse, table: target.table)
                run.properties = spec.options
                let plans = try run.plan().count
                return plans == 0 ? "nothing to merge" : "\(plans) group\(plans == 1 ? "" : "s") to merge"
            } catch let error as FirnError where error.kind == .unsupported || error.kind == .notFound {
                return "left alone: \(error.message)"
            }
        case .expire: return "expires snapshots by the table's properties"
        case .manifests: return "rewrites manifests that make planning slow"
        case .clean: return "removes dangling deletes, old metadata files and garbage, and looks for orphans"
        }
    }

    /// Adds or replaces a schedule of an existing table, or of a pattern.
    ///
    /// Throws `.notFound` (`table_not_found`), `.invalidInput` (`bad_table_pattern`, `unknown_time_zone` …).
    public static func set(
        _ spec: ScheduleSpec, paused: Bool, name: String, table: String, in warehouse: Warehouse
    ) throws -> ScheduleView {
        try NameRules.check(name)
        let pattern = try TablePattern(checking: table)
        if pattern.isExact { _ = try warehouse.loadTable(TableIdentifier(parsing: table)) }
        let timetable = try Timetable(spec, files: warehouse.environment.files)
        let now = warehouse.environment.clock.nowMs()
        let row = ScheduleRow(
            table: pattern.description, name: name, spec: spec.json.text, paused: paused, createdMs: now,
            nextRunMs: timetable.next(after: now))
        try warehouse.putSchedule(row)
        return try ScheduleView(row, in: warehouse)
    }

    /// Throws `.notFound` (`schedule_not_found`).
    public static func find(_ name: String, table: String, in warehouse: Warehouse) throws -> ScheduleView {
        guard let row = try warehouse.schedule(table: table, name: name) else {
            throw FirnError(.notFound, "schedule_not_found", "there is no schedule \"\(name)\" for \(table)")
        }
        return try ScheduleView(row, in: warehouse)
    }

    /// Pauses a schedule, or resumes it: then its next start is the first one from now on. Throws `.notFound`
    /// (`schedule_not_found`).
    public static func pause(
        _ isPaused: Bool, _ name: String, table: String, in warehouse: Warehouse
    ) throws -> ScheduleView {
        let now = warehouse.environment.clock.nowMs()
        let files = warehouse.environment.files
        let row = try warehouse.updateSchedule(table: table, name: name) { row in
            let wasPaused = row.paused
            row.paused = isPaused
            guard wasPaused, !isPaused, let spec = try? ScheduleSpec(row: row.spec) else { return }
            row.nextRunMs = (try? Timetable(spec, files: files))?.next(after: now)
        }
        return try ScheduleView(row, in: warehouse)
    }

    /// Throws `.notFound` (`schedule_not_found`).
    public static func remove(_ name: String, table: String, in warehouse: Warehouse) throws {
        guard try warehouse.removeSchedule(table: table, name: name) else {
            throw FirnError(.notFound, "schedule_not_found", "there is no schedule \"\(name)\" for \(table)")
        }
    }
}
