import Base
import CSQLite

/// One connection to a SQLite database.
///
/// ```swift
/// let database = try Database(path: "/warehouse/catalog.db", mode: .readWriteCreate)
/// try database.transaction {
///     try database.run("UPDATE counter SET value = value + ? WHERE name = ?", [1, "commits"])
/// }
/// ```
///
/// Durability: file databases run in WAL mode with `synchronous=FULL`, so a transaction that `transaction` returned
/// from survives power loss. Foreign keys are enforced.
///
/// Threads: SQLite itself is opened in its serialised mode, so a misuse cannot corrupt memory, but a connection has one
/// transaction and one last error. Callers hold a lock for as long as they use it; only `interrupt()` may be called
/// from another thread at any time. A `Statement` belongs to the thread that uses its database.
public final class Database: @unchecked Sendable {
    public enum Mode: Sendable {
        /// Creates the file when it is missing.
        case readWriteCreate
        case readWrite
        case readOnly
        /// A private database in memory; the path is ignored.
        case memory
    }

    public let path: String
    let handle: OpaquePointer
    let callbacks = CallbackState()
    /// Idle compiled statements by their SQL text.
    private var idle: [String: [OpaquePointer]] = [:]
    private var idleCount = 0
    private static let idleMax = 128
    /// Once in a process: no piece of SQLite's memory is larger than 256 MiB, twice what a query's sort takes at once.
    private static let boundsMemory = firn_sqlite_bound_pieces() == SQLITE_OK
    /// What callbacks of this connection point to; released after the connection closed.
    var retained: [String: AnyObject] = [:]

    /// Opens a connection.
    ///
    /// - Parameter busyTimeoutMs: how long a statement waits for another connection's lock before it fails with
    ///   `.overloaded` (`catalog_busy`).
    /// - Throws: `.notFound` when the file must exist and does not, `.corrupted` when it is not a SQLite database.
    public init(path: String, mode: Mode, busyTimeoutMs: Int = 30_000) throws(FirnError) {
        let flags: Int32 =
            switch mode {
            case .readWriteCreate: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .readWrite: SQLITE_OPEN_READWRITE
            case .readOnly: SQLITE_OPEN_READONLY
            case .memory: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY
            }
        _ = Self.boundsMemory
        var opened: OpaquePointer?
        let name = mode == .memory ? ":memory:" : path
        let code = sqlite3_open_v2(name, &opened, flags | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard let opened else {
            throw FirnError(.limitExceeded, "out_of_memory", "no memory for a database connection")
        }
        handle = opened
        self.path = name
        guard code == SQLITE_OK else {
            let message = String(cString: sqlite3_errmsg(opened))
            let missing = code & 0xff == SQLITE_CANTOPEN && mode != .readWriteCreate
            sqlite3_close_v2(opened)
            throw FirnError(
                missing ? .notFound : .io, "cannot_open_database", "cannot open the database: \(message)",
                context: ["file": path])
        }
        sqlite3_busy_timeout(handle, Int32(clamping: busyTimeoutMs))
        try execute("PRAGMA foreign_keys=ON")
        if mode == .readWriteCreate || mode == .readWrite {
            try execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        }
    }

    deinit {
        for handles in idle.values {
            for statement in handles { sqlite3_finalize(statement) }
        }
        // Waits, in SQLite, for statements that are still alive.
        sqlite3_close_v2(handle)
    }

    // MARK: Statements

    /// Runs one or more statements without arguments and drops their rows.
    public func execute(_ sql: String) throws(FirnError) {
        try check(sqlite3_exec(handle, sql, nil, nil, nil), sql: sql)
    }

    /// A compiled statement, from the cache when the same text ran before. It goes back to the cache, reset, when the
    /// last reference to it goes.
    public func prepare(_ sql: String) throws(FirnError) -> Statement {
        if var handles = idle[sql], let cached = handles.popLast() {
            idle[sql] = handles.isEmpty ? nil : handles
            idleCount -= 1
            return Statement(database: self, handle: cached, sql: sql)
        }
        return Statement(database: self, handle: try compile(sql), sql: sql)
    }

    private func compile(_ sql: String) throws(FirnError) -> OpaquePointer {
        var statement: OpaquePointer?
        var code = SQLITE_OK
        var hasTail = false
        var text = sql
        text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { chars in
                var tail: UnsafePointer<CChar>?
                code = sqlite3_prepare_v3(
                    handle, chars.baseAddress, Int32(clamping: chars.count), UInt32(SQLITE_PREPARE_PERSISTENT),
                    &statement, &tail)
                guard let tail, let start = chars.baseAddress else { return }
                hasTail = utf8[(tail - start)...].contains { !Self.isBlank($0) }
            }
        }
        try check(code, sql: sql)
        guard let statement else { throw FirnError(.invalidInput, "empty_statement", "there is no SQL statement") }
        guard !hasTail else {
            sqlite3_finalize(statement)
            throw FirnError(.invalidInput, "several_statements", "only one SQL statement can be run at a time")
        }
        return statement
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0d).contains(byte) || byte == UInt8(ascii: ";")
    }

    /// Called by a statement's deinitializer.
    func recycle(_ statement: OpaquePointer, sql: String) {
        sqlite3_reset(statement)
        guard idleCount < Self.idleMax else {
            sqlite3_finalize(statement)
            return
        }
        sqlite3_clear_bindings(statement)
        idle[sql, default: []].append(statement)
        idleCount += 1
    }

    /// Runs one statement with arguments to its end and answers how many rows it changed.
    @discardableResult
    public func run(_ sql: String, _ arguments: [SQLValue] = []) throws(FirnError) -> Int {
        let statement = try prepare(sql)
        try statement.bind(arguments)
        while try statement.step() {}
        return changes
    }

    /// All rows of one statement.
    public func query(_ sql: String, _ arguments: [SQLValue] = []) throws(FirnError) -> [[SQLValue]] {
        let statement = try prepare(sql)
        try statement.bind(arguments)
        var rows: [[SQLValue]] = []
        while try statement.step() { rows.append(statement.row) }
        return rows
    }

    /// The first row of one statement.
    public func queryRow(_ sql: String, _ arguments: [SQLValue] = []) throws(FirnError) -> [SQLValue]? {
        let statement = try prepare(sql)
        try statement.bind(arguments)
        return try statement.step() ? statement.row : nil
    }

    /// Rows changed by the last INSERT, UPDATE or DELETE.
    public var changes: Int { Int(sqlite3_changes64(handle)) }
    public var lastInsertRowId: Int64 { sqlite3_last_insert_rowid(handle) }
    public var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// Makes the running statement fail with `.cancelled`. May be called from any thread.
    public func interrupt() { sqlite3_interrupt(handle) }

    /// Moves the write-ahead log into the database file as far as readers allow.
    public func checkpoint() throws(FirnError) { try execute("PRAGMA wal_checkpoint(PASSIVE)") }

    // MARK: Errors

    func check(_ code: Int32, sql: String? = nil) throws(FirnError) {
        guard code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE else { return }
        throw failure(code, sql: sql)
    }

    func failure(_ code: Int32, sql: String? = nil) -> FirnError {
        if let error = callbacks.take() { return error }
        // A collation, authorizer or progress handler reports through the primary code only.
        let extended = sqlite3_extended_errcode(handle)
        let (kind, name) = ErrorMapping.kind(extendedCode: extended & 0xff == code & 0xff ? extended : code)
        var context = path == ":memory:" ? [:] : ["file": path]
        let offset = sqlite3_error_offset(handle)
        if sql != nil, offset >= 0 { context["offset"] = String(offset) }
        return FirnError(kind, name, String(cString: sqlite3_errmsg(handle)), context: context)
    }
}
