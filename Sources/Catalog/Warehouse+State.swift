import Base
import Iceberg
import SQLiteKit
import Storage

extension Warehouse {
    /// The log position that a table holds everything through; 0 for a table that was never ingested into.
    public func logPosition(_ table: UUID) throws -> UInt64 {
        try core.database.read { try MarkStore.position(table, in: $0) }
    }

    /// The committed marks of all producers of a table, by producer id.
    public func producers(_ table: UUID) throws -> [ProducerMark] {
        try core.database.read { try MarkStore.producers(table, in: $0) }
    }

    /// The remembered idempotency keys of a table, oldest first.
    public func idempotencyKeys(_ table: UUID) throws -> [IdempotencyMark] {
        try core.database.read { try MarkStore.keys(table, in: $0) }
    }

    /// Forgets idempotency keys of all tables created before a time; answers how many.
    @discardableResult
    public func forgetKeys(olderThanMs: Int64) throws -> Int {
        try core.database.write {
            try $0.run("DELETE FROM firn_idempotency_keys WHERE created_ms < ?", [.integer(olderThanMs)])
        }
    }

    /// Files in the warehouse folder that nothing accounts for: not reachable from any table, not in the ledger, not
    /// the catalog's or the log's. A self-check of G9, which promises there are none; it deletes nothing, since files
    /// that another engine is writing look the same.
    public func findOrphans() throws -> [String] {
        // The listing comes first: a file in it that was pending then is, by now, pending, reachable or gone.
        let listed = try store.list(directory)
        var accounted = Set(try ledger.entries().map(\.path))
        for id in try listTables() {
            let table = try loadTable(id)
            accounted.insert(table.metadataLocation)
            accounted.formUnion(try reachableFiles(table.metadata, store: store))
        }
        let known = Set(accounted.compactMap { try? ObjectLocation.normalized($0) })
        let own = ObjectLocation.file(directory)
        return try listed.filter { location in
            guard !known.contains(location), !location.hasPrefix(own + "/wal/"),
                !location.hasPrefix(own + "/catalog.db")
            else { return false }
            // Committed and expired again, or deleted, since it was listed.
            return try store.size(location) != nil
        }
    }
}
