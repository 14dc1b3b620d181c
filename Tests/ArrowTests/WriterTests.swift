import Base
import Columnar
import Testing

@testable import Arrow

/// What is written is read again by our own reader here, and by PyArrow in `Tests/python/test_query_files.py`.
@Suite struct WriterTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "b", required: false, type: .boolean), Field(id: 2, name: "i", required: false, type: .int),
        Field(id: 3, name: "l", required: true, type: .long), Field(id: 4, name: "f", required: false, type: .float),
        Field(id: 5, name: "d", required: false, type: .double),
        Field(id: 6, name: "dec", required: false, type: .decimal(precision: 38, scale: 2)),
        Field(id: 7, name: "day", required: false, type: .date), Field(id: 8, name: "t", required: false, type: .time),
        Field(id: 9, name: "ts", required: false, type: .timestamp),
        Field(id: 10, name: "tz", required: false, type: .timestamptz),
        Field(id: 11, name: "tn", required: false, type: .timestampNs),
        Field(id: 12, name: "tzn", required: false, type: .timestamptzNs),
        Field(id: 13, name: "s é", required: false, type: .string),
        Field(id: 14, name: "u", required: false, type: .uuid),
        Field(id: 15, name: "fx", required: false, type: .fixed(3)),
        Field(id: 16, name: "bin", required: false, type: .binary),
        Field(
            id: 17, name: "st", required: false,
            type: .structure(
                StructType(fields: [
                    Field(id: 18, name: "x", required: false, type: .int),
                    Field(id: 19, name: "y", required: true, type: .string),
                ]))),
        Field(
            id: 20, name: "li", required: false,
            type: .list(ListType(elementId: 21, element: .string, elementRequired: false))),
        Field(
            id: 22, name: "m", required: false,
            type: .map(MapType(keyId: 23, key: .string, valueId: 24, value: .long, valueRequired: false))),
    ])

    private static let values: [Value] = [
        .boolean(true), .int(-7), .long(1 << 40), .float(0.5), .double(1e300), .decimal(-(1 << 100), scale: 2),
        .date(-1), .time(86_399_999_999), .timestamp(-1), .timestamptz(1_767_225_600_000_000), .timestampNs(1),
        .timestamptzNs(-1), .string("é\u{1F600}"), .uuid(UUID(high: 1, low: 2)), .binary([1, 2, 3]), .binary([]),
        .structure([.null, .string("q")]), .list([.string("a"), .null, .string("")]),
        .map([.init(key: .string("k"), value: .long(1)), .init(key: .string("z"), value: .null)]),
    ]

    private func batch(_ rows: [[Value]]) -> RecordBatch {
        let builder = BatchBuilder(Self.schema)
        for row in rows { for (column, value) in zip(builder.columns, row) { column.append(value) } }
        return builder.finish()
    }

    private func bytes(_ batches: [RecordBatch], _ form: ArrowWriter.Form) -> [UInt8] {
        var writer = ArrowWriter(schema: Self.schema, form: form)
        var bytes = writer.start()
        for batch in batches { bytes += writer.write(batch) }
        return bytes + writer.finish()
    }

    private func read(_ bytes: [UInt8]) throws -> (types: [DataType], rows: [[Value]]) {
        try bytes.withUnsafeBytes { bytes in
            var reader = try ArrowReader(bytes, bytesMax: 1 << 24)
            var rows: [[Value]] = []
            while let batch = try reader.next(columns: Array(reader.schema.fields.indices)) {
                for row in 0..<batch.rowCount { rows.append(batch.columns.map { $0.value(at: row) }) }
            }
            return (reader.schema.fields.map(\.type), rows)
        }
    }

    private static let nulls: [Value] = Self.schema.fields.map { $0.required ? .long(0) : .null }

    @Test(arguments: [ArrowWriter.Form.stream, .file]) func everyTypeComesBack(form: ArrowWriter.Form) throws {
        let rows = [Self.values, Self.nulls, Self.values]
        let found = try read(bytes([batch(rows), batch([]), batch([Self.nulls])], form))
        #expect(found.rows == rows + [Self.nulls])
        for (field, type) in zip(Self.schema.fields, found.types) where field.type.isPrimitive {
            #expect(type == field.type, "\(field.name)")
        }
    }

    @Test(arguments: [ArrowWriter.Form.stream, .file]) func noRowsAtAll(form: ArrowWriter.Form) throws {
        #expect(try read(bytes([], form)).rows.isEmpty)
    }

    /// Readers may map buffers into memory as they lie.
    @Test func everythingLiesAtMultiplesOfEight() {
        var writer = ArrowWriter(schema: Self.schema, form: .file)
        var offset = writer.start().count
        for count in 1...20 {
            #expect(offset % 8 == 0)
            offset += writer.write(batch([[Value]](repeating: Self.values, count: count))).count
        }
        #expect(offset % 8 == 0)
    }

    @Test func aStreamCutAnywhereButBetweenMessagesIsNoStream() throws {
        let whole = bytes([batch([Self.values])], .stream)
        for count in stride(from: whole.count - 9, to: 8, by: -97) {
            #expect(throws: FirnError.self) { _ = try read(Array(whole[..<count])) }
        }
    }
}
