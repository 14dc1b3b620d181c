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

    /// Forgets the idempotency keys that are older than their table's window; answers how many. A key of a table that
    /// cannot be loaded stays.
    ///
    /// - Parameters:
    ///   - nowMs: the time by which they are old.
    ///   - windowMs: how long the keys of a table are kept; nil for a table that is gone.
    @discardableResult
    public func forgetKeys(nowMs: Int64, _ windowMs: (Table?) -> Int64) throws -> Int {
        let owners = try core.database.read { database in
            try database.query("SELECT DISTINCT table_uuid FROM firn_idempotency_keys").compactMap { $0[0].textValue }
        }
        guard !owners.isEmpty else { return 0 }
        var tables: [String: Table] = [:]
        for id in try listTables() {
            let table = try core.lastKnownTable(id)
            tables[table.metadata.tableUUID.description] = table
        }
        let oldest = owners.map { (uuid: $0, ms: nowMs - windowMs(tables[$0])) }
        return try core.database.write { database in
            try oldest.reduce(0) { sum, owner in
                sum
                    + (try database.run(
                        "DELETE FROM firn_idempotency_keys WHERE table_uuid = ? AND created_ms < ?",
                        [.text(owner.uuid), .integer(owner.ms)]))
            }
        }
    }

    /// Files in the warehouse folder that nothing accounts for: not reachable from any table or view, not in the
    /// ledger, not the catalog's or the log's. A self-check of G9, which promises there are none; it deletes nothing,
    /// since files that another engine is writing look the same.
    public func findOrphans() throws -> [String] {
        // The listing comes first: a file in it that was pending then is, by now, pending, reachable or gone.
        let listed = try store.list(directory)
        var accounted = Set(try ledger.entries().map(\.path))
        for id in try listTables() where try attachment(of: id) == nil {
            let table = try loadTable(id)
            accounted.insert(table.metadataLocation)
            accounted.formUnion(try reachableFiles(table.metadata, store: store))
        }
        accounted.formUnion(try core.database.read { try ViewPointers.files(in: $0) })
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
