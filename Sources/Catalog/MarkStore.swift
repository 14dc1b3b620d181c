import Base
import SQLiteKit

/// The rows behind `IngestMark`. Writes happen inside the transaction that the caller opened.
enum MarkStore {
    static func position(_ table: UUID, in database: Database) throws -> UInt64 {
        let stored = try database.integer(
            "SELECT position FROM firn_log_positions WHERE table_uuid = ?", [.text(table.description)])
        return UInt64(clamping: stored ?? 0)
    }

    /// The guard of G2: throws `.fenced` unless the committed position is the one the caller built on.
    static func check(_ mark: IngestMark, table: UUID, in database: Database) throws {
        let committed = try position(table, in: database)
        guard committed == mark.expectedPosition else {
            throw FirnError(
                .fenced, "log_position_mismatch",
                "the table is committed through log position \(committed), not \(mark.expectedPosition)",
                context: ["table-uuid": table.description])
        }
    }

    static func apply(_ mark: IngestMark, table: UUID, in database: Database) throws {
        precondition(mark.position >= mark.expectedPosition, "a log position moved backwards")
        let uuid = SQLValue.text(table.description)
        try database.run(
            """
            INSERT INTO firn_log_positions (table_uuid, position) VALUES (?, ?)
            ON CONFLICT (table_uuid) DO UPDATE SET position = excluded.position
            """, [uuid, try SQLValue(position: mark.position)])
        for producer in mark.producers { try apply(producer, table: uuid, in: database) }
        for key in mark.keys {
            try database.run(
                """
                INSERT INTO firn_idempotency_keys (table_uuid, key, position, created_ms, answer)
                VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (table_uuid, key) DO UPDATE
                SET position = excluded.position, created_ms = excluded.created_ms, answer = excluded.answer
                """,
                [
                    uuid, .text(key.key), try SQLValue(position: key.position), .integer(key.createdMs),
                    .blob(key.answer),
                ])
        }
        for watermark in mark.watermarks { try apply(watermark, table: uuid, in: database) }
    }

    /// A watermark only moves forward.
    private static func apply(_ mark: WatermarkMark, table: SQLValue, in database: Database) throws {
        try database.run(
            """
            INSERT INTO firn_watermarks (table_uuid, producer, event_micros, seen_ms) VALUES (?, ?, ?, ?)
            ON CONFLICT (table_uuid, producer) DO UPDATE
            SET event_micros = max(event_micros, excluded.event_micros), seen_ms = max(seen_ms, excluded.seen_ms)
            """, [table, .text(mark.producer), .integer(mark.eventMicros), .integer(mark.seenMs)])
    }

    /// A producer's mark only moves forward: a higher epoch, or the same epoch and no lower sequence.
    private static func apply(_ mark: ProducerMark, table: SQLValue, in database: Database) throws {
        let changed = try database.run(
            """
            INSERT INTO firn_producers (table_uuid, producer, epoch, sequence, position, accepted, answer)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (table_uuid, producer) DO UPDATE
            SET epoch = excluded.epoch, sequence = excluded.sequence, position = excluded.position,
                accepted = excluded.accepted, answer = excluded.answer
            WHERE (excluded.epoch, excluded.sequence) >= (epoch, sequence)
            """,
            [
                table, .text(mark.producer), .integer(mark.epoch), .integer(mark.sequence),
                try SQLValue(position: mark.position), SQLValue(mark.accepted), .blob(mark.answer),
            ])
        guard changed == 1 else {
            throw FirnError(
                .fenced, "producer_rewound",
                "producer '\(mark.producer)' is committed beyond epoch \(mark.epoch), sequence \(mark.sequence)",
                context: table.textValue.map { ["table-uuid": $0] } ?? [:])
        }
    }

    static func producers(_ table: UUID, in database: Database) throws -> [ProducerMark] {
        try database.query(
            """
            SELECT producer, epoch, sequence, position, accepted, answer FROM firn_producers
            WHERE table_uuid = ? ORDER BY producer
            """, [.text(table.description)]
        ).map { row in
            guard let producer = row[0].textValue, let epoch = row[1].integerValue,
                let sequence = row[2].integerValue, let position = row[3].integerValue,
                let accepted = row[4].integerValue, case .blob(let answer) = row[5]
            else { throw malformed("firn_producers") }
            return ProducerMark(
                producer: producer, epoch: epoch, sequence: sequence, position: UInt64(clamping: position),
                accepted: Int(accepted), answer: answer)
        }
    }

    static func keys(_ table: UUID, in database: Database) throws -> [IdempotencyMark] {
        try database.query(
            """
            SELECT key, position, answer, created_ms FROM firn_idempotency_keys
            WHERE table_uuid = ? ORDER BY created_ms, key
            """, [.text(table.description)]
        ).map { row in
            guard let key = row[0].textValue, let position = row[1].integerValue, case .blob(let answer) = row[2],
                let created = row[3].integerValue
            else { throw malformed("firn_idempotency_keys") }
            return IdempotencyMark(key: key, position: UInt64(clamping: position), answer: answer, createdMs: created)
        }
    }

    /// Drops all marks of a table that is gone for good.
    static func forget(_ table: UUID, in database: Database) throws {
        for name in [
            "firn_log_positions", "firn_producers", "firn_idempotency_keys", "firn_watermarks",
            "firn_schema_proposals", "firn_metrics_reports",
        ] {
            try database.run("DELETE FROM \(name) WHERE table_uuid = ?", [.text(table.description)])
        }
    }

    static func malformed(_ table: String) -> FirnError {
        FirnError(.corrupted, "bad_catalog_row", "a row of \(table) is malformed")
    }
}
