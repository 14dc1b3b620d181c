import Base
import SQLiteKit

extension Warehouse {
    /// The committed watermarks of all producers of a table, by producer id.
    public func watermarks(_ table: UUID) throws -> [WatermarkMark] {
        try core.database.read { try MarkStore.watermarks(table, in: $0) }
    }
}

extension MarkStore {
    static func watermarks(_ table: UUID, in database: Database) throws -> [WatermarkMark] {
        try database.query(
            """
            SELECT producer, event_micros, seen_ms FROM firn_watermarks WHERE table_uuid = ? ORDER BY producer
            """, [.text(table.description)]
        ).map { row in
            guard let producer = row[0].textValue, let micros = row[1].integerValue,
                let seen = row[2].integerValue
            else { throw MarkStore.malformed("firn_watermarks") }
            return WatermarkMark(producer: producer, eventMicros: micros, seenMs: seen)
        }
    }
}
