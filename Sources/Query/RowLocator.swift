import Base
import Catalog
import Columnar
import Iceberg

/// Finds the rows of a table that a SQL condition selects, by where they are.
///
/// The condition may be anything that may follow WHERE, subqueries on other tables included. It sees one snapshot of
/// the table; `wants` decides file by file whether it is read, so that a search can go on where an earlier one on an
/// older snapshot ended.
public struct RowLocator {
    private let warehouse: Warehouse
    private let table: Table
    private let snapshot: Snapshot

    public init(warehouse: Warehouse, table: Table, snapshot: Snapshot) {
        self.warehouse = warehouse
        self.table = table
        self.snapshot = snapshot
    }

    /// Calls `found` with the data file and the position in it of every selected row, each once, in no given order.
    ///
    /// - Parameter wants: asked once for every data file that may hold such rows; false leaves it unread.
    ///
    /// Throws as `QueryEngine.execute` and `QueryResult.nextRow`, and `.invalidInput` (`bad_condition`) for text that
    /// is no single condition.
    public func locate(
        _ condition: String, wants: @escaping (FileScanTask) -> Bool,
        found: (_ file: String, _ position: Int64) throws -> Void
    ) throws {
        try Self.check(condition)
        let name = (table.identifier.namespace + [table.identifier.name]).map(StatementRewriter.quoted)
            .joined(separator: ".")
        let source = Source(
            warehouse: WarehouseSource(warehouse), table: table, snapshot: snapshot, wants: wants)
        let engine = QueryEngine(source: source, clock: warehouse.environment.clock)
        let result = try engine.execute(
            "SELECT _file, _pos FROM \(name) FOR VERSION AS OF \(snapshot.snapshotId) WHERE (\n\(condition)\n)")
        while let row = try result.nextRow() {
            guard let file = row[0].textValue, let position = row[1].integerValue else {
                throw FirnError(.internal, "row_without_place", "a row does not know where it is")
            }
            try found(file, position)
        }
    }

    /// True when a condition asks more than the row itself. Text that cannot be read has none.
    public static func hasSubquery(_ condition: String) -> Bool {
        (try? Tokenizer.tokens(of: condition))?.contains { $0.isKeyword(in: ["SELECT", "VALUES", "EXISTS"]) } ?? false
    }

    /// Parentheses must pair up, and no statement may end: the text stays inside the WHERE clause.
    private static func check(_ condition: String) throws(FirnError) {
        func bad(_ reason: String) -> FirnError {
            FirnError(.invalidInput, "bad_condition", "the condition cannot be read: \(reason)")
        }
        let tokens = try Tokenizer.tokens(of: condition)
        guard !tokens.isEmpty else { throw bad("it is empty") }
        var depth = 0
        for token in tokens {
            if token.isSymbol("(") { depth += 1 }
            if token.isSymbol(")") { depth -= 1 }
            guard depth >= 0 else { throw bad("a parenthesis closes that was not opened") }
            guard !token.isSymbol(";") else { throw bad("it holds a semicolon") }
        }
        guard depth == 0 else { throw bad("a parenthesis is left open") }
    }

    /// The table with its files filtered, every other table as it is.
    private struct Source: SnapshotSource, @unchecked Sendable {
        let warehouse: WarehouseSource
        let table: Table
        let snapshot: Snapshot
        let wants: (FileScanTask) -> Bool

        func relations(_ references: [TableReference], statistics: QueryStatistics) throws -> [any Relation] {
            let relations = try warehouse.relations(references, statistics: statistics)
            return zip(references, relations).map { reference, relation in
                let isTarget =
                    reference.namespace == table.identifier.namespace && reference.name == table.identifier.name
                    && reference.metadata == nil && reference.version == .snapshot(snapshot.snapshotId)
                guard isTarget, let relation = relation as? IcebergRelation else { return relation }
                // A condition means the columns of now, whatever they were called when the snapshot was made.
                let now = relation.reading(as: table.metadata.currentSchema)
                now.wants = wants
                return now
            }
        }
    }
}
