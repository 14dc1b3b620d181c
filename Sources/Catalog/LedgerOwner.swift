import Base
import Glibc
import SQLiteKit
import Synchronization

/// This process as the owner of ledger rows, and the judge of other owners.
///
/// An owner holds a lock on `DIR/wal/owners/<id>.lock` from before its row exists until its process ends, whatever
/// ends it. So an owner whose lock can be taken is dead, and an id is never used again. Rows and locks of owners change
/// only inside a catalog write transaction, which keeps a process that starts apart from one that buries.
final class LedgerOwner: Sendable {
    struct Dead: Sendable {
        let id: String
        /// Held until the owner is buried, so that only one process recovers it.
        let lock: any FileLock
    }

    private struct Registered {
        let id: String
        let lock: any FileLock
    }

    private let directory: String
    private let environment: Environment
    private let registered = Mutex<Registered?>(nil)

    init(directory: String, environment: Environment) {
        self.directory = directory
        self.environment = environment
    }

    /// This process's id; registers it on first use, so that processes that only read leave no trace.
    func id(in database: CatalogDatabase) throws -> String {
        try registered.withLock { registered in
            if let registered { return registered.id }
            try environment.files.createDirectories(directory)
            let id = environment.uuid().description
            let lock = try database.write { database in
                guard let lock = try environment.files.lock(lockPath(id)) else {
                    throw FirnError(.conflict, "owner_locked", "the lock of a new owner is taken", context: ["id": id])
                }
                try database.run(
                    "INSERT INTO firn_owners (id, pid, started_ms) VALUES (?, ?, ?)",
                    [.text(id), SQLValue(Int(getpid())), .integer(environment.clock.nowMs())])
                return lock
            }
            registered = Registered(id: id, lock: lock)
            return id
        }
    }

    /// Takes the locks of all dead owners. Marking them is a committed write, after which no half-done commit of
    /// theirs can come back to life.
    func takeDead(in database: CatalogDatabase) throws -> [Dead] {
        // Read before the transaction: `id(in:)` locks in the other order.
        let own = ownId
        guard try !candidates(database, own: own).isEmpty || hasStrayLocks(own: own) else { return [] }
        try environment.files.createDirectories(directory)
        return try database.write { database in
            let ids = try database.query("SELECT id FROM firn_owners").compactMap { $0[0].textValue }
            var dead: [Dead] = []
            for id in ids where id != own {
                guard let lock = try environment.files.lock(lockPath(id)) else { continue }
                try database.run(
                    "UPDATE firn_owners SET recovered_ms = ? WHERE id = ?",
                    [.integer(environment.clock.nowMs()), .text(id)])
                dead.append(Dead(id: id, lock: lock))
            }
            try removeStrayLocks(knownIds: Set(ids))
            return dead
        }
    }

    /// The ids of owners that are dead right now.
    func deadIds(in database: CatalogDatabase) throws -> Set<String> {
        let ids = try candidates(database, own: ownId)
        guard !ids.isEmpty else { return [] }
        try environment.files.createDirectories(directory)
        return Set(try ids.filter { try environment.files.lock(lockPath($0)) != nil })
    }

    /// Forgets a dead owner whose rows are gone.
    func bury(_ dead: Dead, in database: CatalogDatabase) throws {
        try database.write { database in
            try database.run("DELETE FROM firn_owners WHERE id = ?", [.text(dead.id)])
            // What it held exclusively is free at once, not only when the lease runs out.
            try database.run(
                "UPDATE firn_leases SET owner = NULL, expires_ms = 0 WHERE substr(owner, 1, ?) = ?",
                [SQLValue(dead.id.utf8.count + 1), .text(dead.id + "/")])
            try environment.files.remove(lockPath(dead.id))
        }
    }

    private var ownId: String? { registered.withLock { $0?.id } }

    private func candidates(_ database: CatalogDatabase, own: String?) throws -> [String] {
        try database.read { database in
            try database.query("SELECT id FROM firn_owners").compactMap { $0[0].textValue }.filter { $0 != own }
        }
    }

    /// A crash between a new owner's lock and its row leaves a lock file without a row.
    private func hasStrayLocks(own: String?) throws -> Bool {
        try environment.files.list(directory).contains { $0.name != (own ?? "") + ".lock" }
    }

    private func removeStrayLocks(knownIds: Set<String>) throws {
        for entry in try environment.files.list(directory) where entry.name.hasSuffix(".lock") {
            let id = String(entry.name.dropLast(5))
            guard !knownIds.contains(id), try environment.files.lock(lockPath(id)) != nil else { continue }
            try environment.files.remove(lockPath(id))
        }
    }

    private func lockPath(_ id: String) -> String { directory + "/" + id + ".lock" }
}
