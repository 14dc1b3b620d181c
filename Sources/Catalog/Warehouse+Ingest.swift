import Base
import Columnar
import SQLiteKit

extension Warehouse {
    /// The first answer to a committed batch with this idempotency key; nil when the key is unknown.
    public func idempotencyAnswer(_ table: UUID, key: String) throws -> [UInt8]? {
        try core.database.read { database in
            let row = try database.queryRow(
                "SELECT answer FROM firn_idempotency_keys WHERE table_uuid = ? AND key = ?",
                [.text(table.description), .text(key)])
            guard let row else { return nil }
            guard case .blob(let answer) = row[0] else { throw MarkStore.malformed("firn_idempotency_keys") }
            return answer
        }
    }

    /// A number that changes with every transaction that anybody commits to the catalog: while it stays, all that was
    /// read from the catalog is still so.
    public func catalogVersion() throws -> Int64 { try core.database.version() }

    /// What the catalog knows of a table's ingestion, all of one moment.
    public func ingestState(_ table: UUID) throws -> IngestState {
        try core.database.readConsistently { database in
            IngestState(
                position: try MarkStore.position(table, in: database),
                producers: try MarkStore.producers(table, in: database),
                watermarks: try MarkStore.watermarks(table, in: database))
        }
    }

    /// The highest log position that any table is committed through; 0 for a new warehouse.
    public func highestLogPosition() throws -> UInt64 {
        try core.database.read { database in
            UInt64(clamping: try database.integer("SELECT max(position) FROM firn_log_positions", []) ?? 0)
        }
    }

    /// Sets and removes properties of a table; throws as `TableCommitter.setProperties`.
    ///
    /// - Parameter check: what else must hold of all properties together, with the current schema.
    public func updateProperties(
        _ id: TableIdentifier, set: [String: String], remove: [String],
        check: ([String: String], Schema) throws -> Void
    ) throws {
        _ = try committer(for: id).setProperties(set, remove: Set(remove), check: check)
    }
}

/// How far a table's ingestion is committed.
public struct IngestState: Sendable {
    /// Everything in the log up to here is in the table; 0 before the first commit.
    public let position: UInt64
    public let producers: [ProducerMark]
    public let watermarks: [WatermarkMark]
}
