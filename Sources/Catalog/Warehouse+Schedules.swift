import Base
import SQLiteKit

extension Warehouse {
    /// Adds a schedule or replaces the one with the same table and name.
    public func putSchedule(_ schedule: ScheduleRow) throws {
        try core.database.write { database in
            try database.run(
                """
                INSERT OR REPLACE INTO firn_schedules
                    (table_name, name, spec, paused, created_ms, last_run_ms, next_run_ms)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(schedule.table), .text(schedule.name), .text(schedule.spec), SQLValue(schedule.paused),
                    .integer(schedule.createdMs), SQLValue(schedule.lastRunMs), SQLValue(schedule.nextRunMs),
                ])
        }
    }

    /// All schedules, or those stored under one table name or pattern, by table and name.
    public func listSchedules(table: String? = nil) throws -> [ScheduleRow] {
        try core.database.read { database in
            try database.query(
                Self.scheduleColumns + " WHERE ?1 IS NULL OR table_name = ?1 ORDER BY table_name, name",
                [SQLValue(table)]
            ).map(ScheduleRow.init(row:))
        }
    }

    /// The schedules whose table or pattern matches a table, the most specific names first.
    public func schedules(for table: TableIdentifier) throws -> [ScheduleRow] {
        try listSchedules().filter { TablePattern($0.table).matches(table) }
            .sorted {
                (TablePattern($1.table).rank, $0.table, $0.name) < (TablePattern($0.table).rank, $1.table, $1.name)
            }
    }

    public func schedule(table: String, name: String) throws -> ScheduleRow? {
        try core.database.read { database in
            try database.queryRow(
                Self.scheduleColumns + " WHERE table_name = ? AND name = ?", [.text(table), .text(name)]
            ).map(ScheduleRow.init(row:))
        }
    }

    /// Changes one schedule in a transaction and answers it. Throws `.notFound` (`schedule_not_found`).
    @discardableResult
    public func updateSchedule(
        table: String, name: String, _ change: (inout ScheduleRow) -> Void
    ) throws -> ScheduleRow {
        try core.database.write { database in
            guard
                let row = try database.queryRow(
                    Self.scheduleColumns + " WHERE table_name = ? AND name = ?", [.text(table), .text(name)])
            else {
                throw FirnError(.notFound, "schedule_not_found", "there is no schedule '\(name)' for \(table)")
            }
            var schedule = try ScheduleRow(row: row)
            change(&schedule)
            try database.run(
                """
                UPDATE firn_schedules SET spec = ?, paused = ?, last_run_ms = ?, next_run_ms = ?
                WHERE table_name = ? AND name = ?
                """,
                [
                    .text(schedule.spec), SQLValue(schedule.paused), SQLValue(schedule.lastRunMs),
                    SQLValue(schedule.nextRunMs), .text(table), .text(name),
                ])
            return schedule
        }
    }

    /// False when there was none.
    @discardableResult
    public func removeSchedule(table: String, name: String) throws -> Bool {
        try core.database.write {
            try $0.run("DELETE FROM firn_schedules WHERE table_name = ? AND name = ?", [.text(table), .text(name)]) == 1
        }
    }

    private static let scheduleColumns =
        "SELECT table_name, name, spec, paused, created_ms, last_run_ms, next_run_ms FROM firn_schedules"
}

extension ScheduleRow {
    init(row: [SQLValue]) throws {
        guard let table = row[0].textValue, let name = row[1].textValue, let spec = row[2].textValue,
            let paused = row[3].integerValue, let created = row[4].integerValue
        else { throw MarkStore.malformed("firn_schedules") }
        self.init(
            table: table, name: name, spec: spec, paused: paused != 0, createdMs: created,
            lastRunMs: row[5].integerValue, nextRunMs: row[6].integerValue)
    }
}
