import Base
import Columnar
import Testing

@testable import Parquet

/// A row group read a batch at a time gives the rows that reading it whole gives.
@Suite struct RowReaderTests {
    private func inBatches(
        _ reader: ParquetFileReader, _ schema: Schema, rowsMax: () -> Int
    ) throws -> [[Value]] {
        var all: [[Value]] = []
        for group in 0..<reader.rowGroupCount {
            let batches = try reader.rows(group, projection: schema)
            var count = 0
            while let batch = try batches.next(rowsMax: rowsMax()) {
                #expect(batch.rowCount > 0)
                count += batch.rowCount
                all += rows(batch)
            }
            #expect(count == reader.rowCount(rowGroup: group))
            #expect(try batches.next() == nil)
        }
        return all
    }

    @Test(arguments: Shape.allCases)
    func everyShapeInEveryBatchSize(_ shape: Shape) throws {
        var generator = Generator(seed: 41, nullPercent: 25, isRepetitive: true)
        for type in [DataType.string, .int, .boolean, .decimal(precision: 25, scale: 3), .fixed(5)] {
            let schema = shape.schema(type)
            let written = generator.rows(schema, count: 300)
            var options = ParquetWriteOptions()
            options.pageRowsMax = 1 + generator.below(40)
            options.rowGroupRowsMax = 120
            options.pageVersion = generator.below(2) == 0 ? .v1 : .v2
            options.codec = generator.below(2) == 0 ? .zstd : .uncompressed
            let reader = try open(try write(schema, written, options).bytes)
            for size in [1, 7, 64, 1000] { #expect(try inBatches(reader, schema) { size } == written) }
            #expect(try inBatches(reader, schema) { 1 + generator.below(90) } == written)
        }
    }

    /// Chunks larger than what is fetched at once, with pages that are larger still.
    @Test func fetchesInPieces() throws {
        let schema = Schema(fields: [
            Field(id: 1, name: "n", required: true, type: .long),
            Field(id: 2, name: "t", required: false, type: .string),
        ])
        var options = ParquetWriteOptions()
        options.codec = .uncompressed
        options.dictionaryBytesMax = 0
        options.pageRowsMax = 900
        options.pageBytesTarget = 8 << 20
        let written = (0..<6000).map { row -> [Value] in
            [.long(Int64(row)), row % 7 == 0 ? .null : .string(String(repeating: "\(row)·", count: 400))]
        }
        let bytes = try write(schema, written, options).bytes
        #expect(bytes.count > ParquetLimits.requestBytesTarget)
        var largest = 0
        let reader = try ParquetFileReader(fileBytes: bytes.count, source: "f") {
            largest = max(largest, $0.count)
            return Array(bytes[$0])
        }
        #expect(try inBatches(reader, schema) { 1000 } == written)
        #expect(largest < 3 << 20)
    }

    /// Old writers end version 1 pages in the middle of a row: a row is whole only when the next one begins.
    @Test func rowsMayGoOnInTheNextPage() throws {
        // Rows [1, 2, 3] and [4], two entries a page; repetition levels 0 1 | 1 0.
        func page(_ repetition: UInt8, _ values: [UInt8]) -> [UInt8] {
            let levels: [UInt8] = [2, 0, 0, 0, 3, repetition, 2, 0, 0, 0, 4, 1]
            let body = levels + values.flatMap { [$0, 0, 0, 0] }
            let header = PageHeader(
                uncompressedBytes: body.count, compressedBytes: body.count, checksum: nil,
                kind: .data(valueCount: 2, encoding: .plain, definition: .rle, repetition: .rle))
            return header.serialize() + body
        }
        let bytes = Array("PAR1".utf8) + page(0b10, [1, 2]) + page(0b01, [3, 4])
        var root = ParquetFooter.SchemaElement(name: "root")
        root.childCount = 1
        var element = ParquetFooter.SchemaElement(name: "c")
        element.physicalType = .int32
        element.repetition = .repeated
        var column = ParquetFooter.ColumnChunk()
        column.physicalType = .int32
        column.valueCount = 4
        column.dataPageOffset = 4
        column.compressedBytes = bytes.count - 4
        var group = ParquetFooter.RowGroup()
        group.columns = [column]
        group.rowCount = 2
        var footer = ParquetFooter()
        footer.schema = [root, element]
        footer.rowGroups = [group]
        footer.rowCount = 2
        let reader = try ParquetFileReader(footer: footer, fileBytes: bytes.count, source: "f") { Array(bytes[$0]) }
        let expected: [[Value]] = [[.list([.int(1), .int(2), .int(3)])], [.list([.int(4)])]]
        #expect(rows(try reader.readRowGroup(0, projection: reader.fileSchema())) == expected)
        for size in [1, 2] { #expect(try inBatches(reader, reader.fileSchema()) { size } == expected) }
    }

    @Test func damageIsNamed() throws {
        let schema = Schema(fields: [Field(id: 1, name: "n", required: true, type: .long)])
        var options = ParquetWriteOptions()
        options.pageRowsMax = 10
        let bytes = try write(schema, (0..<100).map { [.long(Int64($0))] }, options).bytes
        let footer = try open(bytes).footer
        for change in [-1, 1, 40] {
            var wrong = footer
            wrong.rowGroups[0].rowCount += change
            wrong.rowCount += change
            let reader = try ParquetFileReader(footer: wrong, fileBytes: bytes.count, source: "f") { Array(bytes[$0]) }
            let error = #expect(throws: FirnError.self) {
                let batches = try reader.rows(0, projection: schema)
                while try batches.next(rowsMax: 30) != nil {}
            }
            #expect(error?.kind == .corrupted && error?.context["column"] == "n", "\(change)")
        }
        var damaged = bytes
        damaged[footer.rowGroups[0].columns[0].dataPageOffset + footer.rowGroups[0].columns[0].compressedBytes - 30] ^=
            1
        let batches = try open(damaged).rows(0, projection: schema)
        let error = #expect(throws: FirnError.self) { while try batches.next(rowsMax: 30) != nil {} }
        #expect(error?.kind == .corrupted && error?.context["offset"] != nil)
    }
}
