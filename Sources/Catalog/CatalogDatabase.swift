import Base
import SQLiteKit
import Synchronization

/// The catalog's SQLite file: one connection that writes and one that reads, each behind a lock.
///
/// Every write is a `BEGIN IMMEDIATE` transaction, so a reader never has to become a writer (the upgrade that SQLite
/// refuses without waiting), and waits up to `busyTimeoutMs` for other processes.
final class CatalogDatabase: Sendable {
    /// Where a test may break a commit.
    enum CommitPoint: Sendable { case before, after }

    static let busyTimeoutMs = 30_000

    let path: String
    private let writer: Mutex<Database>
    private let reader: Mutex<Database>
    private let commitHook = Mutex<(@Sendable (CommitPoint) throws -> Void)?>(nil)

    /// Opens the file, creating it when `create` says so, and brings its schema up to date.
    init(path: String, create: Bool, nowMs: Int64) throws {
        self.path = path
        let writer = try Database(
            path: path, mode: create ? .readWriteCreate : .readWrite, busyTimeoutMs: Self.busyTimeoutMs)
        try CatalogSchema.migrations.apply(to: writer, nowMs: nowMs)
        try Self.upgradeTableOfTables(writer)
        self.writer = Mutex(writer)
        reader = Mutex(try Database(path: path, mode: .readWrite, busyTimeoutMs: Self.busyTimeoutMs))
    }

    /// A file that Java made with its schema version V0 lacks `iceberg_type`; Java's own upgrade adds it like this.
    private static func upgradeTableOfTables(_ database: Database) throws {
        let probe = "SELECT 1 FROM pragma_table_info('iceberg_tables') WHERE name = 'iceberg_type'"
        guard try database.queryRow(probe) == nil else { return }
        try database.transaction {
            guard try database.queryRow(probe) == nil else { return }
            try database.execute("ALTER TABLE iceberg_tables ADD COLUMN iceberg_type VARCHAR(5)")
        }
    }

    /// Runs `body` on the reading connection; every statement sees all transactions committed before it.
    func read<Result: Sendable>(_ body: (Database) throws -> Result) throws -> Result {
        try reader.withLock { try body($0) }
    }

    /// Runs `body` on the reading connection with one view of the database for all its statements.
    func readConsistently<Result: Sendable>(_ body: (Database) throws -> Result) throws -> Result {
        try reader.withLock { database in try database.transaction(.deferred) { try body(database) } }
    }

    /// Changes with every transaction that anybody commits, of this process or another.
    func version() throws -> Int64 {
        try reader.withLock { try $0.integer("PRAGMA data_version") ?? 0 }
    }

    /// Runs `body` in a write transaction. A throw from `body` rolls back and nothing has happened.
    ///
    /// Throws `.outcomeUnknown` (`commit_outcome_unknown`) when the COMMIT itself failed in a way that leaves open
    /// whether it took effect. `settle` then decides it.
    @discardableResult
    func write<Result: Sendable>(_ body: (Database) throws -> Result) throws -> Result {
        try writer.withLock { database in
            var reachedCommit = false
            do {
                let result = try database.transaction(.immediate) {
                    let result = try body(database)
                    reachedCommit = true
                    try commitHook.withLock { $0 }?(.before)
                    return result
                }
                try commitHook.withLock { $0 }?(.after)
                return result
            } catch let error as FirnError {
                // A lock that could not be had is the one commit failure that is certainly a failure.
                guard reachedCommit, error.kind != .overloaded else { throw error }
                // The connection has seen an error it does not explain; go on with a fresh one.
                database = (try? Database(path: path, mode: .readWrite, busyTimeoutMs: Self.busyTimeoutMs)) ?? database
                guard error.kind != .outcomeUnknown else { throw error }
                throw FirnError(
                    .outcomeUnknown, "commit_outcome_unknown", "the commit failed and may or may not have happened",
                    context: error.context, cause: error)
            }
        }
    }

    /// Makes an unknown outcome definite: commits a transaction of its own. Frames of an earlier commit that failed
    /// half-way are either visible to it or overwritten by it, so what `body` reads is final once this returns.
    func settle<Result: Sendable>(_ body: (Database) throws -> Result) throws -> Result {
        try write { database in
            try database.run(
                """
                INSERT INTO firn_settlements (one, settled) VALUES (1, 1)
                ON CONFLICT (one) DO UPDATE SET settled = settled + 1
                """)
            return try body(database)
        }
    }

    /// Installs a hook that runs just before and just after every COMMIT; a throw counts as a failed COMMIT.
    func setCommitHook(_ hook: (@Sendable (CommitPoint) throws -> Void)?) {
        commitHook.withLock { $0 = hook }
    }
}

extension Database {
    /// One optional integer of the first row.
    func integer(_ sql: String, _ arguments: [SQLValue] = []) throws -> Int64? {
        try queryRow(sql, arguments)?[0].integerValue
    }
}
