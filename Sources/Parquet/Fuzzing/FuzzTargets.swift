import Base
import Columnar

/// Everything in this module that meets bytes nobody vouches for, each as a function of those bytes.
///
/// A target returns for every input; a trap, a sanitizer's report, a hang or an allocation out of proportion is a bug.
/// The unit tests run each target on its kept inputs and on mutations of them; `make fuzz` runs it under libFuzzer.
package enum FuzzTargets {
    package struct Target: Sendable {
        package let name: String
        package let run: @Sendable (UnsafeRawBufferPointer) -> Void
    }

    /// The one list.
    package static let all: [Target] =
        [
            Target(name: "footer") { input in tolerate { try footer(input) } },
            Target(name: "page-header") { input in tolerate { try pageHeader(input) } },
            Target(name: "file") { input in tolerate { try file(input) } },
            Target(name: "chunk") { input in tolerate { try chunk(input) } },
            Target(name: "bloom-filter") { input in tolerate { try bloomFilter(input) } },
            Target(name: "codec") { input in tolerate { try codec(input) } },
            Target(name: "write-read") { input in tolerate { try writeRead(input) } },
        ] + encodings

    package static func target(_ name: String) -> Target? { all.first { $0.name == name } }

    /// Typed errors are the expected answer to damage; `.internal` would be our own fault.
    static func tolerate(_ body: () throws -> Void) {
        do { try body() } catch let error as FirnError {
            precondition(error.kind != .internal, "an internal error: \(error)")
        } catch { preconditionFailure("an untyped error: \(error)") }
    }

    /// What we wrote ourselves must be readable.
    static func must<T>(_ body: () throws(FirnError) -> T) -> T {
        do throws(FirnError) { return try body() } catch { preconditionFailure("our own bytes are refused: \(error)") }
    }

    // MARK: Metadata

    /// A footer that parses is written and parsed again to the same bytes.
    private static func footer(_ input: UnsafeRawBufferPointer) throws {
        var reader = CompactReader(Array(input), range: 0..<input.count, source: "fuzz", base: 0)
        let footer = try ParquetFooter(thrift: &reader)
        _ = try? SchemaTree.build(footer.schema, source: "fuzz")
        let once = footer.serialize()
        var again = CompactReader(once, range: 0..<once.count, source: "fuzz", base: 0)
        let twice = must { () throws(FirnError) in try ParquetFooter(thrift: &again).serialize() }
        precondition(twice == once, "a footer changes when it is written twice")
    }

    private static func pageHeader(_ input: UnsafeRawBufferPointer) throws {
        var reader = CompactReader(Array(input), range: 0..<input.count, source: "fuzz", base: 0)
        _ = try PageHeader(thrift: &reader)
    }

    private static func bloomFilter(_ input: UnsafeRawBufferPointer) throws {
        let filter = try BloomFilter.parse(Array(input), source: "fuzz")
        var copy = filter
        copy.insert(hash: UInt64(input.count) &* 0x9e37_79b9_7f4a_7c15)
        precondition(copy.mayContain(hash: UInt64(input.count) &* 0x9e37_79b9_7f4a_7c15), "a Bloom filter forgets")
        let bytes = must { () throws(FirnError) in try BloomFilter.parse(filter.serialize(), source: "fuzz") }
            .serialize()
        precondition(bytes == filter.serialize(), "a Bloom filter changes when it is written")
    }

    // MARK: Files

    private static func file(_ input: UnsafeRawBufferPointer) throws {
        try readAll(
            ParquetFileReader(fileBytes: input.count, source: "fuzz") {
                Array(UnsafeRawBufferPointer(rebasing: input[$0]))
            }
        )
    }

    private static func readAll(_ reader: ParquetFileReader) throws {
        let schema = try reader.fileSchema()
        for group in 0..<min(reader.rowGroupCount, 4) {
            for field in schema.allFields { _ = reader.statistics(rowGroup: group, fieldId: field.field.id) }
            for column in reader.leaves.indices {
                _ = try? reader.pages(rowGroup: group, column: column)
                _ = try? reader.pageIndex(rowGroup: group, column: column)
                _ = try? reader.bloomFilter(rowGroup: group, column: column)
            }
            let whole = Result { try text(reader.readRowGroup(group, projection: schema)) }
            let parts = Result { () throws -> [UInt8] in
                let rows = try reader.rows(group, projection: schema)
                var all: [UInt8] = []
                var left = textRowsMax
                while let batch = try rows.next(rowsMax: 7) {
                    all += text(batch, rowsMax: left)
                    left = max(0, left - batch.rowCount)
                }
                return all
            }
            if let whole = try? whole.get(), let parts = try? parts.get() {
                precondition(whole == parts, "a row group has other rows when it is read in batches")
            }
            for field in schema.fields where field.type.isPrimitive {
                for filter in [Expression.isNull(fieldId: field.id), .compare(fieldId: field.id, .equal, .long(7))] {
                    _ = try? reader.readRows(group, projection: schema, filter: filter)
                }
            }
            _ = try whole.get()
            _ = try parts.get()
        }
    }

    private static let textRowsMax = 2000

    private static func text(_ batch: RecordBatch, rowsMax: Int = textRowsMax) -> [UInt8] {
        var text: [UInt8] = []
        for row in 0..<min(batch.rowCount, rowsMax) { batch.appendJSON(row: row, into: &text) }
        return text
    }

    /// The pages of one column whose type, codec and counts come from the first bytes.
    private static func chunk(_ input: UnsafeRawBufferPointer) throws {
        guard input.count > 4 else { return }
        var element = ParquetFooter.SchemaElement(name: "c")
        element.physicalType = ParquetPhysicalType(rawValue: Int32(input[0] & 7))
        element.typeLength = Int(input[0] >> 3)
        element.repetition = ParquetFooter.Repetition(rawValue: Int32(input[1] % 3))
        var root = ParquetFooter.SchemaElement(name: "root")
        root.childCount = 1
        var column = ParquetFooter.ColumnChunk()
        column.physicalType = element.physicalType ?? .boolean
        column.codec = ParquetCodec(rawValue: Int32(input[1] >> 2) % 8) ?? .uncompressed
        column.valueCount = Int(input[2])
        column.dataPageOffset = 4
        column.compressedBytes = input.count - 4
        column.uncompressedBytes = column.compressedBytes
        var group = ParquetFooter.RowGroup()
        group.columns = [column]
        group.rowCount = Int(input[3])
        var footer = ParquetFooter()
        footer.schema = [root, element]
        footer.rowGroups = [group]
        footer.rowCount = group.rowCount
        try readAll(
            ParquetFileReader(footer: footer, fileBytes: input.count, source: "fuzz") {
                Array(UnsafeRawBufferPointer(rebasing: input[$0]))
            })
    }

    // MARK: Codecs

    /// The first byte is the codec, the next two the size.
    private static func codec(_ input: UnsafeRawBufferPointer) throws {
        guard let (number, count, region) = parameters(input), let codec = ParquetCodec(rawValue: Int32(number % 8))
        else { return }
        let out = Buffer<UInt8>()
        try PageDecompressor().decompress(codec, region, into: out, count: count)
        precondition(out.count == count, "a page has another size than asked for")
    }

    // MARK: Writing

    /// Rows made from the input are written with options made from the input, and must come back the same.
    private static func writeRead(_ input: UnsafeRawBufferPointer) throws {
        guard input.count > 8 else { return }
        let schema = Schema(fields: [
            Field(id: 1, name: "n", required: true, type: .long),
            Field(id: 2, name: "t", required: false, type: .string),
            Field(
                id: 3, name: "l", required: false,
                type: .list(ListType(elementId: 4, element: .double, elementRequired: false))),
        ])
        var options = ParquetWriteOptions()
        options.codec = [.zstd, .gzip, .uncompressed][Int(input[0]) % 3]
        options.pageRowsMax = 1 + Int(input[1])
        options.rowGroupRowsMax = 1 + Int(input[2])
        options.dictionaryBytesMax = Int(input[3]) * 16
        let builders = schema.fields.map { ColumnBuilder($0.type) }
        let rows = min(2000, input.count - 4)
        for row in 0..<rows {
            let byte = input[4 + row]
            builders[0].append(.long(Int64(byte) << Int64(byte & 63)))
            let text = String(decoding: input[(4 + row)..<min(input.count, 4 + row + Int(byte & 15))], as: UTF8.self)
            builders[1].append(byte & 3 == 0 ? .null : .string(text))
            let item: Value = byte & 4 == 0 ? .null : .double(Double(bitPattern: UInt64(byte) << 55))
            builders[2].append(byte & 24 == 0 ? .null : .list([Value](repeating: item, count: Int(byte & 3))))
        }
        let batch = RecordBatch(schema: schema, columns: builders.map { $0.finish() }, rowCount: rows)
        var bytes: [UInt8] = []
        let writer = ParquetFileWriter(schema: schema, options: options) { bytes += $0 }
        try writer.write(batch)
        let summary = try writer.close()
        precondition(summary.fileBytes == bytes.count, "the writer miscounts its bytes")
        let reader = try ParquetFileReader(fileBytes: bytes.count, source: "fuzz") { Array(bytes[$0]) }
        var row = 0
        for group in 0..<reader.rowGroupCount {
            let back = try reader.readRowGroup(group, projection: schema)
            for index in 0..<back.rowCount {
                for (column, original) in zip(back.columns, batch.columns) {
                    var (a, b): ([UInt8], [UInt8]) = ([], [])
                    column.appendJSON(row: index, into: &a)
                    original.appendJSON(row: row, into: &b)
                    precondition(a == b, "row \(row) changes when it is written and read")
                }
                row += 1
            }
        }
        precondition(row == rows, "\(rows) rows were written, \(row) read")
    }
}
