import Base
import Columnar
import Testing

@testable import Parquet

/// Writes rows in batches of uneven size.
func write(
    _ schema: Schema, _ values: [[Value]], _ options: ParquetWriteOptions = .init(), batchRows: Int = 37
) throws -> (bytes: [UInt8], summary: ParquetFileSummary) {
    var bytes: [UInt8] = []
    let writer = ParquetFileWriter(schema: schema, options: options) { bytes += $0 }
    var row = 0
    while row < values.count {
        let end = min(values.count, row + batchRows)
        // Alternate whole batches and ranges of a larger one.
        if row / batchRows % 2 == 0 {
            try writer.write(batch(schema, values[row..<end]))
        } else {
            try writer.write(batch(schema, values[(row - 1)..<end]), rows: 1..<(end - row + 1))
        }
        row = end
    }
    let summary = try writer.close()
    #expect(summary.fileBytes == bytes.count)
    #expect(summary.rowCount == values.count)
    return (bytes, summary)
}

func open(_ bytes: [UInt8]) throws -> ParquetFileReader {
    try ParquetFileReader(fileBytes: bytes.count, source: "test.parquet") { Array(bytes[$0]) }
}

func readAll(_ bytes: [UInt8], _ projection: Schema) throws -> [[Value]] {
    let reader = try open(bytes)
    var found: [[Value]] = []
    for group in 0..<reader.rowGroupCount { found += rows(try reader.readRowGroup(group, projection: projection)) }
    return found
}

@Suite struct RoundTripTests {
    /// Layouts that reach each path: one page, many pages and groups, no dictionary, a dictionary that overflows.
    static var layouts: [ParquetWriteOptions] {
        let normal = ParquetWriteOptions()
        var small = ParquetWriteOptions()
        small.rowGroupRowsMax = 50
        small.pageRowsMax = 17
        small.codec = .uncompressed
        var plain = ParquetWriteOptions()
        plain.dictionaryBytesMax = 0
        plain.pageBytesTarget = 64
        plain.codec = .gzip
        var overflowing = ParquetWriteOptions()
        overflowing.dictionaryBytesMax = 48
        overflowing.pageRowsMax = 50
        overflowing.rowGroupBytesTarget = 2000
        return [normal, small, plain, overflowing]
    }

    @Test(arguments: Shape.allCases)
    func everyTypeInEveryShape(_ shape: Shape) throws {
        for (number, type) in primitiveTypes.enumerated() {
            let schema = shape.schema(type)
            for (count, nulls) in [(0, 20), (1, 0), (1, 100), (120, 0), (120, 20), (60, 100)] {
                for isRepetitive in [false, true] {
                    var generator = Generator(
                        seed: UInt64(number), nullPercent: nulls, isRepetitive: isRepetitive)
                    let values = generator.rows(schema, count: count)
                    for options in Self.layouts {
                        let (bytes, _) = try write(schema, values, options)
                        #expect(try open(bytes).fileSchema().fields == schema.fields)
                        #expect(try readAll(bytes, schema) == values, "\(type) \(count) rows, \(nulls)% null")
                    }
                }
            }
        }
    }

    /// Enough rows that pages, segments and the dictionary's checks are crossed with the default layout.
    @Test(arguments: [0, 30])
    func manyRows(nullPercent: Int) throws {
        let schema = Schema(fields: [
            Field(id: 1, name: "unique", required: false, type: .long),
            Field(id: 2, name: "text", required: false, type: .string),
            Field(id: 3, name: "few", required: false, type: .int),
            Field(
                id: 4, name: "list", required: false,
                type: .list(ListType(elementId: 5, element: .double, elementRequired: false))),
        ])
        for isRepetitive in [false, true] {
            var generator = Generator(seed: 9, nullPercent: nullPercent, isRepetitive: isRepetitive)
            let values = generator.rows(schema, count: 45_000)
            let (bytes, summary) = try write(schema, values, batchRows: 16_000)
            #expect(try readAll(bytes, schema) == values)
            #expect(summary.splitOffsets == [4])
            let chunk = try open(bytes).footer.rowGroups[0].columns[0]
            #expect(chunk.encodings.contains(.rleDictionary) == isRepetitive)
            #expect(chunk.encodingStatistics.last?.pageCount == 3)
        }
    }

    @Test func rowGroupsEndAtRowsAndBytes() throws {
        let schema = Schema(fields: [Field(id: 1, name: "a", required: true, type: .long)])
        var generator = Generator(seed: 3, nullPercent: 0, isRepetitive: false)
        let values = generator.rows(schema, count: 100_000)
        var options = ParquetWriteOptions()
        options.rowGroupRowsMax = 30_000
        let byRows = try open(try write(schema, values, options, batchRows: 7000).bytes)
        #expect(byRows.footer.rowGroups.map(\.rowCount) == [30_000, 30_000, 30_000, 10_000])
        options = ParquetWriteOptions()
        options.rowGroupBytesTarget = 200_000
        let (bytes, summary) = try write(schema, values, options, batchRows: 7000)
        let byBytes = try open(bytes)
        #expect(byBytes.rowGroupCount > 2)
        #expect(byBytes.footer.rowGroups.dropLast().allSatisfy { $0.compressedBytes! < 400_000 })
        #expect(summary.splitOffsets == byBytes.footer.rowGroups.map { $0.fileOffset! })
        #expect(try readAll(bytes, schema) == values)
    }

    @Test func memoryStaysNearTheTarget() throws {
        let schema = Schema(fields: [Field(id: 1, name: "a", required: true, type: .string)])
        var options = ParquetWriteOptions()
        options.rowGroupBytesTarget = 1 << 20
        options.pageBytesTarget = 1 << 16
        let writer = ParquetFileWriter(schema: schema, options: options) { _ in }
        var generator = Generator(seed: 1, nullPercent: 0, isRepetitive: false)
        for _ in 0..<20 {
            try writer.write(batch(schema, generator.rows(schema, count: 10_000)))
            #expect(writer.bufferedBytes < 3 << 20)
        }
        #expect(try writer.close().rowCount == 200_000)
    }

    @Test func refusesWhatTheSchemaForbids() throws {
        let required = Schema(fields: [Field(id: 1, name: "a", required: true, type: .int)])
        let nested = Schema(fields: [
            Field(
                id: 1, name: "s", required: false,
                type: .structure(StructType(fields: [Field(id: 2, name: "a", required: true, type: .int)])))
        ])
        for (schema, bad) in [(required, Value.null), (nested, .structure([.null]))] {
            let writer = ParquetFileWriter(schema: schema) { _ in }
            let error = #expect(throws: FirnError.self) { try writer.write(batch(schema, [[bad]])) }
            #expect(error?.code == "null_in_required")
        }
        // A null struct is no null in its required member.
        #expect(try readAll(try write(nested, [[.null], [.structure([.int(4)])]]).bytes, nested).count == 2)
        for precision in [5, 12, 25] {
            let decimal = Schema(fields: [
                Field(id: 1, name: "a", required: true, type: .decimal(precision: precision, scale: 0))
            ])
            let writer = ParquetFileWriter(schema: decimal) { _ in }
            let error = #expect(throws: FirnError.self) {
                try writer.write(batch(decimal, [[.decimal(Int128.max, scale: 0)]]))
            }
            #expect(error?.code == "decimal_out_of_range")
        }
        let empty = Schema(fields: [
            Field(id: 1, name: "s", required: false, type: .structure(StructType(fields: [])))
        ])
        let error = #expect(throws: FirnError.self) { try ParquetFileWriter(schema: empty) { _ in }.close() }
        #expect(error?.kind == .unsupported)
    }
}
