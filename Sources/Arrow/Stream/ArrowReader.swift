import Base
import Columnar

/// Reads an Arrow IPC stream, or a file of that format, batch by batch.
///
/// Types are widened to those of Iceberg: 8, 16 and 32 bits to int, unsigned 32 to long, unsigned 64 to
/// decimal(20, 0), half floats to float; times and timestamps to microseconds, timestamps in nanoseconds stay so.
/// Dictionaries are resolved.
///
/// The bytes must outlive the reader and not change. Malformed ones throw `.corrupted` (`malformed_arrow`), what is
/// not read `.unsupported`, and what unfolds past a bound `.limitExceeded` (`batch_too_large`).
///
/// Format: https://arrow.apache.org/docs/format/Columnar.html
public struct ArrowReader {
    /// The columns. A positive id is one that the stream states as `PARQUET:field_id`; all ids differ.
    public let schema: Schema
    /// Columns, at any depth, of the type null; `schema` calls them string.
    public let nullFieldIds: Set<Int>
    private let fields: [ArrowField]
    private var messages: ArrowMessages
    private var dictionaries: [Int64: Column] = [:]
    private var dictionaryBytes = 0
    private let bytesMax: Int

    /// `bytesMax` bounds the memory of one batch, and of the dictionaries.
    public init(_ bytes: UnsafeRawBufferPointer, bytesMax: Int) throws(FirnError) {
        self.bytesMax = bytesMax
        messages = try ArrowMessages(bytes)
        guard let first = try messages.next(), case .schema(let table) = first.header else {
            throw .malformedArrow("it does not begin with a schema")
        }
        var reader = ArrowSchemaReader()
        fields = try reader.fields(table)
        nullFieldIds = reader.nullFieldIds
        schema = Schema(fields: fields.map(\.field))
    }

    /// The next batch with the top-level columns at these indices; nil at the end.
    public mutating func next(columns: [Int]) throws(FirnError) -> RecordBatch? {
        while let message = try messages.next() {
            switch message.header {
            case .schema: throw .malformedArrow("a second schema")
            case .dictionary(let id, let isDelta, let header):
                try addDictionary(id, isDelta: isDelta, header, message.body)
            case .records(let header): return try batch(header, message.body, columns)
            }
        }
        return nil
    }

    private func batch(
        _ header: ArrowBatchHeader, _ body: UnsafeRawBufferPointer, _ wanted: [Int]
    ) throws(FirnError) -> RecordBatch {
        var decoder = ArrowColumnDecoder(
            header: header, body: body, dictionaries: dictionaries, budget: bytesMax - dictionaryBytes)
        var columns: [Int: Column] = [:]
        for (index, field) in fields.enumerated() {
            if wanted.contains(index) {
                columns[index] = try decoder.column(field, rows: header.rowCount, within: nil)
            } else {
                try decoder.skip(field)
            }
        }
        try decoder.finish()
        return RecordBatch(
            schema: Schema(fields: wanted.map { fields[$0].field }), columns: wanted.map { columns[$0]! },
            rowCount: header.rowCount)
    }

    private mutating func addDictionary(
        _ id: Int64, isDelta: Bool, _ header: ArrowBatchHeader, _ body: UnsafeRawBufferPointer
    ) throws(FirnError) {
        guard let field = Self.field(id, in: fields) else {
            throw .malformedArrow("a dictionary that no column has")
        }
        var decoder = ArrowColumnDecoder(
            header: header, body: body, dictionaries: dictionaries, budget: bytesMax - dictionaryBytes)
        var values = try decoder.column(field.values, rows: header.rowCount, within: nil)
        try decoder.finish()
        if isDelta, let known = dictionaries[id] {
            guard known.byteCount + values.byteCount < min(bytesMax, Int(Int32.max)) else {
                throw ArrowColumnDecoder.tooLarge
            }
            values = Column.joining([known, values])
        }
        dictionaryBytes += values.byteCount - (dictionaries[id]?.byteCount ?? 0)
        guard dictionaryBytes <= bytesMax else { throw ArrowColumnDecoder.tooLarge }
        dictionaries[id] = values
    }

    private static func field(_ id: Int64, in fields: [ArrowField]) -> ArrowField? {
        for field in fields {
            if field.dictionary?.id == id { return field }
            if let found = self.field(id, in: field.children) { return found }
        }
        return nil
    }
}
