import Base
import Columnar

/// Which dead letters are meant. Everything that is set must match.
public struct DeadLetterSelection: Sendable {
    /// Rejection codes; empty for any.
    public var codes: Set<String> = []
    /// Dotted path of the column at fault.
    public var column: String?
    /// Log positions of their requests.
    public var positions: ClosedRange<UInt64>?
    /// When their requests came, in microseconds since 1970-01-01T00:00:00Z; the end is not included.
    public var receivedMicros: Range<Int64>?

    public init() {}

    func includes(_ letter: DeadLetterRow) -> Bool {
        (codes.isEmpty || codes.contains(letter.code)) && (column == nil || column == letter.column)
            && (positions?.contains(letter.position) ?? true)
            && (receivedMicros?.contains(letter.receivedMicros) ?? true)
    }
}

/// One row of a dead-letter table.
public struct DeadLetterRow: Sendable {
    public let position: UInt64
    public let line: Int
    public let receivedMicros: Int64
    public let code: String
    public let column: String?
    public let message: String
    public let payload: [UInt8]
    public let producer: String?

    public var json: JSONValue {
        .object([
            .init("position", .integer(Int64(clamping: position))), .init("line", .integer(Int64(line))),
            .init("received", .string(CivilTime.formatTimestamp(micros: receivedMicros, utc: true))),
            .init("code", .string(code)), .init("column", column.map { .string($0) } ?? .null),
            .init("message", .string(message)), .init("producer", producer.map { .string($0) } ?? .null),
            .init("payload", .string(String(decoding: payload, as: UTF8.self))),
        ])
    }
}

/// The rows of a batch of a dead-letter table.
struct DeadLetterRows {
    private let columns: [String: Column]
    let count: Int

    /// Throws `.conflict` (`dead_letter_schema`) when a column is missing or of another type.
    init(_ batch: RecordBatch) throws(FirnError) {
        var columns: [String: Column] = [:]
        for (field, column) in zip(batch.schema.fields, batch.columns) { columns[field.name] = column }
        for field in try ShortSchema.parse(DeadLetters.definition).fields where columns[field.name]?.type != field.type
        {
            throw FirnError(
                .conflict, "dead_letter_schema",
                "the dead-letter table has no column \(field.name) of type \(field.type)",
                context: ["column": field.name])
        }
        self.columns = columns
        count = batch.rowCount
    }

    subscript(_ row: Int) -> DeadLetterRow {
        DeadLetterRow(
            position: UInt64(clamping: long("position", row) ?? 0), line: Int(long("line", row) ?? 0),
            receivedMicros: long("received", row) ?? 0, code: text("code", row) ?? "",
            column: text("column_path", row), message: text("message", row) ?? "", payload: payload(row),
            producer: text("producer", row))
    }

    private func long(_ name: String, _ row: Int) -> Int64? {
        switch columns[name]!.value(at: row) {
        case .long(let value), .timestamptz(let value): value
        case .int(let value): Int64(value)
        default: nil
        }
    }

    private func text(_ name: String, _ row: Int) -> String? {
        guard case .string(let text) = columns[name]!.value(at: row) else { return nil }
        return text
    }

    private func payload(_ row: Int) -> [UInt8] {
        if let text = text("payload", row) { return Array(text.utf8) }
        guard case .binary(let bytes) = columns["payload_bytes"]!.value(at: row) else { return [] }
        return bytes
    }
}
