// The file ledger: which files exist, or may exist, that no table reaches (Docs/formats/ledger.md).
//
// 1. Before the first byte of a file is written, its path is recorded: state pending, owner this process.
// 2. The commit that makes the file live deletes the row in its own transaction.
// 3. The commit that makes a file unreachable inserts a row, state garbage, in its own transaction.
// 4. A process that failed for certain deletes its files and then their rows.
// 5. Recovery does the same for processes that are gone: it takes their lock first.
// 6. Collection deletes garbage files and then their rows.
//
// At any moment the files on disk are: the reachable ones, those in the ledger, and those of commits that another
// catalog is asked for (`OpenCommit`). No listing is ever needed.

import Base
import SQLiteKit
import Storage
import Synchronization

/// One row of the ledger.
public struct LedgerEntry: Hashable, Sendable {
    public enum State: String, Sendable {
        /// Being written, or written and not yet committed; its owner will commit or delete it.
        case pending
        /// Was live once; to be deleted.
        case garbage
    }

    /// The location exactly as recorded.
    public let path: String
    public let tableUUID: String
    /// The process that wrote it; nil for garbage.
    public let owner: String?
    public let state: State
    public let createdMs: Int64
}

/// What recovery and collection did.
public struct CollectionReport: Hashable, Sendable {
    /// Files that are gone now.
    public var deleted = 0
    /// Files that could not be deleted; they stay in the ledger.
    public var failed = 0
    /// Dead processes whose files were cleared.
    public var recoveredOwners = 0
}

/// Records files from before their first byte until a table reaches them or they are deleted.
///
/// Thread-safe and blocking. Every change is durable when its call returns.
public final class FileLedger: Sendable {
    let database: CatalogDatabase
    let store: any ObjectStore
    let environment: Environment
    let owner: LedgerOwner

    init(database: CatalogDatabase, store: any ObjectStore, environment: Environment, ownersDirectory: String) {
        self.database = database
        self.store = store
        self.environment = environment
        owner = LedgerOwner(directory: ownersDirectory, environment: environment)
    }

    /// Records files about to be written, all or none. Throws `.alreadyExists` (`path_recorded`) when one is known.
    public func record(_ paths: [String], table: UUID) throws {
        guard !paths.isEmpty else { return }
        let owner = try owner.id(in: database)
        let now = environment.clock.nowMs()
        try database.write { database in
            for path in paths {
                do {
                    try database.run(
                        """
                        INSERT INTO firn_ledger (path, table_uuid, owner, state, created_ms)
                        VALUES (?, ?, ?, 'pending', ?)
                        """, [.text(path), .text(table.description), .text(owner), .integer(now)])
                } catch let error as FirnError where error.kind == .alreadyExists {
                    throw FirnError(
                        .alreadyExists, "path_recorded", "the file is in the ledger already", context: ["file": path])
                }
            }
        }
    }

    /// Forgets pending files that were never written or are deleted already.
    public func discard(_ paths: [String]) throws {
        guard !paths.isEmpty else { return }
        let owner = try owner.id(in: database)
        try database.write { database in
            for path in paths {
                try database.run(
                    "DELETE FROM firn_ledger WHERE path = ? AND state = 'pending' AND owner = ?",
                    [.text(path), .text(owner)])
            }
        }
    }

    /// Deletes pending files and forgets them. Only after a definite failure of whatever should have committed them.
    ///
    /// Paths that are not pending files of this process are left alone, so a committed file cannot be lost this way.
    public func abandon(_ paths: [String]) throws {
        let owner = try owner.id(in: database)
        let pending = try database.read { database in
            try paths.filter { path in
                try database.queryRow(
                    "SELECT 1 FROM firn_ledger WHERE path = ? AND state = 'pending' AND owner = ?",
                    [.text(path), .text(owner)]) != nil
            }
        }
        guard !pending.isEmpty else { return }
        try store.deleteAll(pending)
        try discard(pending)
    }

    /// All entries, or those in one state, by path.
    public func entries(_ state: LedgerEntry.State? = nil) throws -> [LedgerEntry] {
        try database.read { database in
            try database.query(
                """
                SELECT path, table_uuid, owner, state, created_ms FROM firn_ledger
                WHERE ?1 IS NULL OR state = ?1 ORDER BY path
                """, [SQLValue(state?.rawValue)]
            ).map(LedgerEntry.init(row:))
        }
    }

    /// True while the path is recorded in either state.
    func contains(_ path: String) throws -> Bool {
        try database.read { try $0.queryRow("SELECT 1 FROM firn_ledger WHERE path = ?", [.text(path)]) != nil }
    }
}

extension LedgerEntry {
    init(row: [SQLValue]) throws {
        guard let path = row[0].textValue, let table = row[1].textValue,
            let state = row[3].textValue.flatMap(State.init(rawValue:)), let created = row[4].integerValue
        else { throw FirnError(.corrupted, "bad_ledger_row", "a row of the file ledger is malformed") }
        self.init(path: path, tableUUID: table, owner: row[2].textValue, state: state, createdMs: created)
    }
}
