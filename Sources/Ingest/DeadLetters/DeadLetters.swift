import Base
import Columnar

/// Records that a table could not take, as rows of `<table>$dead_letters`.
///
/// `position` and `line` together name a dead letter: where its request stands in the log, and where the record stood
/// in the request.
struct DeadLetters: Sendable {
    static let definition = """
        position long required, line int required, received timestamptz required, code string required,
        column_path string, message string required, payload string, payload_bytes binary, format string required,
        schema_id int required, producer string, epoch long, sequence long, idempotency_key string
        """

    let records: [RejectedRecord]
    let stamp: ProducerStamp
    let receivedMicros: Int64
    /// Of the body; the payload itself is a line of text, or JSON where the body was binary.
    let format: RecordFormat
    /// The schema that the records did not fit.
    let schemaId: Int

    var byteCount: Int { records.reduce(0) { $0 + $1.payload.count + $1.rejection.message.utf8.count + 160 } }

    /// The rows, for a table that has the columns of `definition` under any ids.
    ///
    /// Throws `.conflict` (`dead_letter_schema`) when it has not.
    func batch(schema: Schema, position: UInt64) throws(FirnError) -> RecordBatch {
        let builder = BatchBuilder(schema, rowCapacity: records.count)
        var columns: [String: ColumnBuilder] = [:]
        for (field, column) in zip(schema.fields, builder.columns) { columns[field.name] = column }
        let expected = try ShortSchema.parse(Self.definition)
        for field in expected.fields where columns[field.name]?.type != field.type {
            throw FirnError(
                .conflict, "dead_letter_schema",
                "the dead-letter table has no column \(field.name) of type \(field.type); rename or drop that table",
                context: ["column": field.name])
        }
        if let extra = schema.fields.first(where: { $0.required && expected.field(named: $0.name) == nil }) {
            throw FirnError(
                .conflict, "dead_letter_schema", "the dead-letter table has a required column \(extra.name) of its own",
                context: ["column": extra.name])
        }
        for record in records {
            for (field, column) in zip(schema.fields, builder.columns) {
                column.append(value(field.name, of: record, position: position) ?? .null)
            }
        }
        return builder.finish()
    }

    private func value(_ column: String, of record: RejectedRecord, position: UInt64) -> Value? {
        let text = String(validating: record.payload, as: UTF8.self)
        switch column {
        case "position": return .long(Int64(clamping: position))
        case "line": return .int(Int32(clamping: record.rejection.line))
        case "received": return .timestamptz(receivedMicros)
        case "code": return .string(record.rejection.code)
        case "column_path": return record.rejection.column.map { .string($0) }
        case "message": return .string(record.rejection.message)
        case "payload": return text.map { .string($0) }
        case "payload_bytes": return text == nil ? .binary(record.payload) : nil
        case "format": return .string(format.rawValue)
        case "schema_id": return .int(Int32(clamping: schemaId))
        default: return stampValue(column)
        }
    }

    private func stampValue(_ column: String) -> Value? {
        switch (stamp, column) {
        case (.key(let key), "idempotency_key"): .string(key)
        case (.sequence(let id, _, _), "producer"): .string(id)
        case (.sequence(_, let epoch, _), "epoch"): .long(epoch)
        case (.sequence(_, _, let sequence), "sequence"): .long(sequence)
        default: nil
        }
    }
}
