import Base
import Catalog
import Columnar
import Iceberg

/// Lists, shows, discards dead letters, and moves them back into their table.
///
/// Works on committed dead letters, from any process, beside a running server.
public struct DeadLetterOffice {
    /// How many dead letters a table has, and why.
    public struct Count: Sendable {
        public let table: TableIdentifier
        public let total: Int
        public let byCode: [String: Int]
    }

    let warehouse: Warehouse

    public init(warehouse: Warehouse) { self.warehouse = warehouse }

    /// One entry for each table that has dead letters, or for the one table asked for.
    public func count(_ only: TableIdentifier? = nil) throws -> [Count] {
        let tables = try warehouse.listTables().filter { $0.isDeadLetters && (only == nil || $0 == only?.deadLetters) }
        return try tables.compactMap { identifier in
            var byCode: [String: Int] = [:]
            try forEachRow(of: warehouse.loadTable(identifier)) { byCode[$0.code, default: 0] += 1 }
            let total = byCode.values.reduce(0, +)
            return total == 0 ? nil : Count(table: identifier, total: total, byCode: byCode)
        }
    }

    /// Some dead letters of a table, in no particular order.
    public func show(_ table: TableIdentifier, _ selection: DeadLetterSelection, limit: Int) throws -> [DeadLetterRow] {
        var rows: [DeadLetterRow] = []
        try forEachRow(of: try letters(of: table)) { row in
            if rows.count < limit, selection.includes(row) { rows.append(row) }
        }
        return rows
    }

    /// Moves the selected dead letters that now fit into their table: in one commit they are rows of the table and dead
    /// letters no more. What still does not fit stays.
    ///
    /// Throws `.notFound` (`no_dead_letters`), `.conflict` (`dead_letters_busy`) when other commits interfere too
    /// often.
    public func redrive(_ table: TableIdentifier, _ selection: DeadLetterSelection) throws -> RedriveReport {
        try repeating(table) { main, letters in
            try Redrive(warehouse: warehouse, main: main, letters: letters, selection: selection).run()
        }
    }

    /// Removes the selected dead letters for good.
    public func discard(_ table: TableIdentifier, _ selection: DeadLetterSelection) throws -> RedriveReport {
        try repeating(table) { main, letters in
            try Redrive(warehouse: warehouse, main: nil, letters: letters, selection: selection).run()
        }
    }

    /// Compaction may replace the files that were read; then all of it starts again.
    private func repeating(
        _ table: TableIdentifier, _ body: (Table, Table) throws -> RedriveReport
    ) throws -> RedriveReport {
        for _ in 0..<5 {
            do {
                return try body(try warehouse.loadTable(table), try letters(of: table))
            } catch let error as FirnError where ["file_not_live", "history_changed"].contains(error.code) {
                continue
            }
        }
        throw FirnError(
            .conflict, "dead_letters_busy", "other commits replaced the dead letters' files five times; try again")
    }

    private func letters(of table: TableIdentifier) throws -> Table {
        guard !table.isDeadLetters else {
            throw FirnError(.invalidInput, "bad_identifier", "name the table itself, without $dead_letters")
        }
        do {
            return try warehouse.loadTable(table.deadLetters)
        } catch let error as FirnError where error.code == "table_not_found" {
            throw FirnError(
                .notFound, "no_dead_letters",
                "\(table) has no dead letters; set \(IngestPolicy.deadLettersProperty)=true to keep refused records")
        }
    }

    private func forEachRow(of letters: Table, _ body: (DeadLetterRow) throws -> Void) throws {
        guard let snapshot = letters.metadata.currentSnapshot else { return }
        let plan = try ScanPlanner.plan(
            metadata: letters.metadata, snapshot: snapshot, filter: .alwaysTrue, store: warehouse.store)
        for task in plan.tasks {
            let reader = try DataFileReader(task, schema: letters.metadata.currentSchema, store: warehouse.store)
            while let batch = try reader.next() {
                let rows = try DeadLetterRows(batch)
                for row in 0..<rows.count { try body(rows[row]) }
            }
        }
    }
}
