import Base

/// A durable batch and the table it goes to.
struct Delivery: Sendable {
    let ingestor: TableIngestor
    let chunk: TableIngestor.Chunk

    /// What one request brings: rows and dead letters of each of its tables, tied to each other when there are several.
    static func make(
        _ decoded: [Intake.Decoded], _ answers: [StoredAnswer], position: UInt64, arrivedNanos: Int64
    ) -> [Delivery] {
        var targets:
            [(TableIngestor, TableIngestor.Chunk.Rows, Int, ProducerStamp, StoredAnswer, TableIngestor.EventMark?)] = []
        for (one, answer) in zip(decoded, answers) {
            let stamp = one.record.stamp
            let event = one.eventTime.map {
                TableIngestor.EventMark(
                    policy: $0, maxMicros: one.landing.maxEventMicros, seenMs: one.record.arrivalMicros / 1000)
            }
            targets.append((one.ingestor, .batch(one.landing.batch), one.landing.batch.byteCount, stamp, answer, event))
            guard let table = one.deadLetters, !one.landing.deadLetters.isEmpty else { continue }
            let letters = DeadLetters(
                records: one.landing.deadLetters, stamp: stamp, receivedMicros: one.record.arrivalMicros,
                format: one.record.format, schemaId: Int(one.record.schemaId))
            targets.append((table, .deadLetters(letters), letters.byteCount, .none, answer, nil))
        }
        let tables = targets.map(\.0.tableUUID)
        return targets.map { ingestor, rows, bytes, stamp, answer, event in
            Delivery(
                ingestor: ingestor,
                chunk: TableIngestor.Chunk(
                    position: position, rows: rows, bytes: bytes, stamp: stamp, answer: answer,
                    arrivedNanos: arrivedNanos, event: event,
                    partners: tables.filter { $0 != ingestor.tableUUID }))
        }
    }
}
