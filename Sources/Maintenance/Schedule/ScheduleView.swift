import Base
import Catalog

/// A schedule as people and programs see it, and the ways to change one; shared by the CLI and the HTTP API.
public struct ScheduleView: Sendable {
    public let row: ScheduleRow
    public let spec: ScheduleSpec
    /// Milliseconds since 1970; the first one may lie in the past when the run is due.
    public let nextRuns: [Int64]

    public init(_ row: ScheduleRow, nowMs: Int64, count: Int = 5) throws {
        self.row = row
        spec = try ScheduleSpec(row: row.spec)
        let first = row.nextRunMs ?? spec.next(after: nowMs)
        nextRuns = row.paused ? [] : [first] + spec.nextRuns(count: max(0, count - 1), after: first)
    }

    public var json: JSONValue {
        func time(_ ms: Int64?) -> JSONValue {
            ms.map { .string(CivilTime.formatTimestamp(micros: $0 * 1000, utc: true)) } ?? .null
        }
        var members: [JSONValue.Member] = [.init("table", .string(row.table)), .init("name", .string(row.name))]
        members += spec.json.objectValue ?? []
        members += [
            .init("paused", .bool(row.paused)), .init("last-run", time(row.lastRunMs)),
            .init("next-runs", .array(nextRuns.map(time))),
        ]
        return .object(members)
    }

    /// Adds or replaces a schedule of an existing table. Throws `.notFound` (`table_not_found`), `.invalidInput`.
    public static func set(
        _ spec: ScheduleSpec, paused: Bool, name: String, table: TableIdentifier, in warehouse: Warehouse
    ) throws -> ScheduleView {
        try NameRules.check(name)
        _ = try warehouse.loadTable(table)
        let now = warehouse.environment.clock.nowMs()
        let row = ScheduleRow(
            table: table.description, name: name, spec: spec.json.text, paused: paused, createdMs: now,
            nextRunMs: spec.next(after: now))
        try warehouse.putSchedule(row)
        return try ScheduleView(row, nowMs: now)
    }

    public static func find(_ name: String, table: TableIdentifier, in warehouse: Warehouse) throws -> ScheduleView {
        guard let row = try warehouse.schedule(table: table.description, name: name) else {
            throw FirnError(.notFound, "schedule_not_found", "there is no schedule \"\(name)\" for \(table)")
        }
        return try ScheduleView(row, nowMs: warehouse.environment.clock.nowMs())
    }
}
