import Base
import Columnar
import SQLiteKit
import Synchronization

public struct QueryColumn: Sendable, Hashable {
    public let name: String
    /// The Iceberg type, when the column is a table's column, or the minimum or maximum of one; nil for other
    /// expressions.
    public let type: DataType?

    public init(name: String, type: DataType?) {
        self.name = name
        self.type = type
    }
}

/// The rows of one query, read as they are asked for.
///
/// Any thread may call, one after the other. Reading stops, and memory is freed, at the end of the rows, on `close` and
/// when the last reference goes.
public final class QueryResult: @unchecked Sendable {
    public let columns: [QueryColumn]
    private let statistics: QueryStatistics
    private let guardian: QueryGuard
    private let rowLimit: Int?
    private let database: Database

    private struct State {
        var rowCount = 0
        var isTruncated = false
    }
    private let state = Mutex(State())
    /// Nil once closed. Touched only inside `state`'s lock.
    private var statement: Statement?
    /// The same question for SQLite alone, should the groups not fit the memory allowed.
    private var plain: Statement?

    init(
        statement: Statement, plain: Statement? = nil, columns: [QueryColumn], statistics: QueryStatistics,
        guardian: QueryGuard,
        rowLimit: Int?
    ) {
        self.statement = statement
        self.plain = plain
        self.columns = columns
        self.statistics = statistics
        self.guardian = guardian
        self.rowLimit = rowLimit
        database = statement.database
    }

    /// The next row, one value a column; nil at the end.
    ///
    /// Values are as `SQLType` says; columns with a type have decimals as exact text (`12.30`) and timestamps without
    /// an empty fraction.
    ///
    /// - Throws: `.limitExceeded` (`query_time_limit`), `.cancelled`, `.invalidInput` for errors of the SQL itself, and
    ///   what reading files throws. The result is closed then.
    public func nextRow() throws -> [SQLValue]? {
        try state.withLock { state -> [SQLValue]? in
            guard try step(isFirst: state.rowCount == 0), let statement else { return nil }
            if let reason = guardian.reason {
                self.statement = nil
                throw reason
            }
            if let rowLimit, state.rowCount == rowLimit {
                state.isTruncated = true
                self.statement = nil
                return nil
            }
            state.rowCount += 1
            return columns.indices.map { index in
                let value = statement.value(index)
                guard let type = columns[index].type else { return value }
                return SQLType.finished(value, as: type)
            }
        }
    }

    /// False at the end.
    private func step(isFirst: Bool) throws -> Bool {
        guard let current = statement else { return false }
        do {
            if try current.step() { return true }
            (statement, plain) = (nil, nil)
            return false
        } catch {
            statement = nil
            guard error.cause is AggregatesTooLarge else { throw guardian.explained(error) }
            // Rows that are out already cannot be taken back.
            guard let plain, isFirst else {
                throw FirnError(
                    .limitExceeded, "query_memory", "the groups of the query do not fit the memory allowed")
            }
            (statement, self.plain) = (plain, nil)
            return try step(isFirst: isFirst)
        }
    }

    /// All remaining rows.
    public func rows() throws -> [[SQLValue]] {
        var rows: [[SQLValue]] = []
        while let row = try nextRow() { rows.append(row) }
        return rows
    }

    /// Rows handed out so far.
    public var rowCount: Int { state.withLock { $0.rowCount } }
    /// True when the row limit ended the result although there was at least one more row.
    public var isTruncated: Bool { state.withLock { $0.isTruncated } }
    /// What was read so far.
    public var counters: QueryStatistics.Counters { statistics.current }

    /// Makes a running or later `nextRow` fail with `.cancelled` (`query_cancelled`). Does not wait.
    public func cancel() {
        guardian.cancel()
        database.interrupt()
    }

    /// Frees what the query holds. Waits for a running `nextRow`.
    public func close() { state.withLock { _ in (statement, plain) = (nil, nil) } }
}
