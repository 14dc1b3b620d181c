import Base
import Columnar
import SQLiteKit

/// Bounds on one query.
public struct QueryOptions: Sendable, Hashable {
    /// Wall-clock time until the query fails with `.limitExceeded` (`query_time_limit`); nil for none.
    public var timeLimitMs: Int?
    /// Rows after which the result ends and says that it was cut; nil for none.
    public var rowLimit: Int?
    /// Memory for sorting and joining; sorts beyond it spill to temporary files, joins beyond it read again.
    public var memoryBytes: Int

    public init(timeLimitMs: Int? = nil, rowLimit: Int? = nil, memoryBytes: Int = 256 << 20) {
        self.timeLimitMs = timeLimitMs
        self.rowLimit = rowLimit
        self.memoryBytes = memoryBytes
    }
}

/// Runs SQL over the snapshots of a warehouse's tables.
///
/// ```sql
/// SELECT country, count(*) FROM web.clicks FOR TIMESTAMP AS OF '2026-01-31T10:00:00Z'
/// WHERE ts >= '2026-01-01' GROUP BY country;
/// SELECT * FROM "web.clicks$snapshots";
/// ```
///
/// The language is SQLite's. Each statement gets a connection of its own in memory, in which each table at each
/// snapshot it names is a virtual table; the snapshots are fixed before the first row, so a statement sees one state of
/// each table whatever is committed meanwhile. Comparisons of columns with values skip manifests, files and row groups;
/// only the columns used are decoded. `SQLType` lists how types appear. LIKE tells case apart, as in the SQL standard.
///
/// Nothing but reading is possible: no other statement, no file, no setting.
public final class QueryEngine: Sendable {
    private let source: any SnapshotSource
    private let clock: any Clock
    private let pushesDown: Bool

    public convenience init(source: any SnapshotSource, clock: any Clock) {
        self.init(source: source, clock: clock, pushesDown: true)
    }

    /// - Parameter pushesDown: false leaves every comparison to SQLite, which must give the same results.
    init(source: any SnapshotSource, clock: any Clock, pushesDown: Bool) {
        self.source = source
        self.clock = clock
        self.pushesDown = pushesDown
    }

    /// Compiles a statement and prepares to read; rows are read as they are asked for.
    ///
    /// - Throws: `.invalidInput` (`sql_error`, `not_a_query`, `not_allowed`, `bad_version` …), `.notFound`
    ///   (`table_not_found`, `snapshot_not_found` …), and what reading table metadata throws.
    public func execute(_ sql: String, options: QueryOptions = QueryOptions()) throws -> QueryResult {
        let statistics = QueryStatistics()
        guard let (mode, explained) = try Explanation.split(sql) else {
            return try execute(sql, options, statistics, plansOnly: false)
        }
        let result = try execute(explained, options, statistics, plansOnly: mode == .plan)
        while try result.nextRow() != nil {}
        let relation = Explanation.relation(statistics.scans, mode: mode)
        return try QueryEngine(source: OneRelation(relation: relation), clock: clock).execute(
            "SELECT * FROM firn.explanation", options, QueryStatistics(), plansOnly: false)
    }

    private struct OneRelation: SnapshotSource, @unchecked Sendable {
        let relation: MemoryRelation
        func relations(_ references: [TableReference], statistics: QueryStatistics) -> [any Relation] { [relation] }
    }

    private func execute(
        _ sql: String, _ options: QueryOptions, _ statistics: QueryStatistics, plansOnly: Bool
    ) throws -> QueryResult {
        let rewritten = try StatementRewriter.rewrite(sql)
        let guardian = QueryGuard(clock: clock, timeLimitMs: options.timeLimitMs)
        let types = TypeRegistry()
        let database = try Self.connection(options)
        let relations = try source.relations(rewritten.references, statistics: statistics)
        if plansOnly { for case let relation as IcebergRelation in relations { relation.plansOnly = true } }
        let paths = try NestedPaths.rewrite(rewritten.sql, relations: relations)
        let mayCollate = try Tokenizer.tokens(of: paths.sql).contains { $0.isKeyword("COLLATE") }
        let tables = relations.enumerated().map { index, relation in
            RelationTable(
                relation, members: paths.columns[index] ?? [], types: types, guardian: guardian,
                joinBytesMax: options.memoryBytes, pushesDown: pushesDown, mayCollate: mayCollate)
        }
        for (index, table) in tables.enumerated() {
            try database.addVirtualTable(StatementRewriter.relationName(index), table)
        }
        database.restrictToReads()
        database.setProgressHandler(everyInstructions: 10_000) { guardian.reason != nil }
        do {
            let statement = try database.prepare(paths.sql)
            guard statement.parameterCount == 0 else {
                throw FirnError(.invalidInput, "sql_error", "the statement has parameters, which queries cannot bind")
            }
            let columns = Self.columns(of: statement, sql: paths.sql, types: types)
            let shortcuts = Shortcuts(
                sql: paths.sql, tables: tables, database: database, guardian: guardian, types: types,
                statistics: statistics, bytesMax: options.memoryBytes)
            let aggregating = pushesDown ? shortcuts.take() : nil
            let plain =
                ComparedExpressions.rewrite(paths.sql, tables: tables).flatMap { try? database.prepare($0) }
                ?? statement
            return QueryResult(
                statement: aggregating ?? plain, plain: aggregating == nil ? nil : plain, columns: columns,
                statistics: statistics, guardian: guardian, rowLimit: options.rowLimit)
        } catch let error as FirnError {
            throw Self.explained(guardian.reason ?? error, relations: relations)
        }
    }

    private static func connection(_ options: QueryOptions) throws -> Database {
        let database = try Database(path: "", mode: .memory)
        try SQLType.addCollations(to: database)
        try database.addLinearTextSearch()
        try database.execute(
            """
            PRAGMA case_sensitive_like=ON;
            PRAGMA cache_size=-\(max(1024, options.memoryBytes >> 11));
            SELECT 1 FROM json_each('[]'), json_tree('[]')
            """)
        database.setLimit(.statementBytes, 1 << 20)
        database.setLimit(.expressionDepth, 500)
        database.setLimit(.compoundSelectTerms, 100)
        database.setLimit(.likePatternBytes, 10_000)
        database.setLimit(.attachedDatabases, 0)
        database.setLimit(.valueBytes, max(1 << 20, min(options.memoryBytes >> 3, 1 << 29)))
        return database
    }

    // MARK: Types of results

    /// Result columns that are table columns have their type; so has `min` or `max` of one, and `sum` of a decimal,
    /// which SQLite does not say: it is found by compiling the statement once more without these functions.
    private static func columns(of statement: Statement, sql: String, types: TypeRegistry) -> [QueryColumn] {
        var found = (0..<statement.columnCount).map { types.type(declared: statement.columnDeclaredType($0)) }
        if let parts = SelectCore.compoundParts(of: sql) {
            // SQLite tells the types of the first SELECT; the others may differ.
            for part in parts {
                let typing = try? statement.database.prepare(part)
                for index in found.indices where found[index] != nil {
                    let other = typing.flatMap { types.type(declared: $0.columnDeclaredType(index)) }
                    if other != found[index] { found[index] = nil }
                }
            }
            return found.enumerated().map { QueryColumn(name: statement.columnName($0.offset), type: $0.element) }
        }
        for functions: Set<String> in [["MIN", "MAX"], ["SUM"]] where found.contains(nil) {
            guard let bare = self.sql(sql, without: functions), let typing = try? statement.database.prepare(bare),
                typing.columnCount == found.count
            else { continue }
            for index in found.indices where found[index] == nil {
                let type = types.type(declared: typing.columnDeclaredType(index))
                found[index] = functions.contains("SUM") ? type.flatMap(AggregateCall.sumType) : type
            }
        }
        return found.enumerated().map { QueryColumn(name: statement.columnName($0.offset), type: $0.element) }
    }

    private static func sql(_ sql: String, without functions: Set<String>) -> String? {
        guard let tokens = try? Tokenizer.tokens(of: sql) else { return nil }
        var bytes = Array(sql.utf8)
        var isChanged = false
        for (token, next) in zip(tokens, tokens.dropFirst()) where token.isKeyword(in: functions) {
            guard next.isSymbol("(") else { continue }
            for index in token.range { bytes[index] = UInt8(ascii: " ") }
            isChanged = true
        }
        return isChanged ? String(decoding: bytes, as: UTF8.self) : nil
    }

    // MARK: Errors

    /// Adds the column that was probably meant, and drops positions in the rewritten text.
    private static func explained(_ error: FirnError, relations: [any Relation]) -> FirnError {
        let context = error.context.filter { $0.key != "offset" }
        var message = error.message
        let marker = "no such column: "
        if error.code == "sql_error", message.hasPrefix(marker) {
            let wanted = message.dropFirst(marker.count).split(separator: ".").last.map(String.init) ?? ""
            let names = relations.flatMap { $0.schema.fields.map(\.name) }
            if let close = NameSuggestion.closest(to: wanted, among: names) { message += "; did you mean '\(close)'?" }
        }
        return FirnError(error.kind, error.code, message, context: context, cause: error.cause)
    }
}
