import Base
import CSQLite

extension Database {
    public enum TransactionKind: String, Sendable {
        /// Takes the write lock at once: no reader's snapshot can be overtaken before the first write.
        case immediate = "BEGIN IMMEDIATE"
        /// A consistent view for several reads.
        case deferred = "BEGIN DEFERRED"
    }

    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws and rethrows.
    ///
    /// - Throws: what `body` throws; `.overloaded` (`catalog_busy`) when the lock could not be had in time;
    ///   `.outcomeUnknown` (`commit_outcome_unknown`) when the operating system failed in the middle of the commit.
    ///   Transactions do not nest.
    @discardableResult
    public func transaction<Result>(
        _ kind: TransactionKind = .immediate, _ body: () throws -> Result
    ) throws -> Result {
        precondition(!isInTransaction, "transactions do not nest")
        try run(kind.rawValue)
        let result: Result
        do {
            result = try body()
        } catch {
            rollback()
            throw error
        }
        do {
            try run("COMMIT")
        } catch {
            rollback()
            // An I/O error may come after the commit record reached the disk.
            guard error.kind == .io else { throw error }
            throw FirnError(
                .outcomeUnknown, "commit_outcome_unknown", "the commit failed and may or may not be durable",
                context: error.context, cause: error)
        }
        return result
    }

    /// Some errors make SQLite roll back by itself.
    private func rollback() {
        if isInTransaction { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }
}
