import Base
import Columnar
import Testing

@testable import Parquet

/// What `ParquetFileWriter+Merge` and the hashes of pages make, compared with rows: the way that shares no code.
@Suite struct MergeTests {
    /// All row groups of `inputs` in one file, and the fingerprint summed on the way; fields whose pages cannot be
    /// taken come as columns.
    static func merge(
        _ inputs: [ParquetFileReader], _ schema: Schema, _ options: ParquetWriteOptions, fault: MergeFault? = nil
    ) throws -> (bytes: [UInt8], summary: ParquetFileSummary, hash: RowHash, taken: Int) {
        var out: [UInt8] = []
        let writer = ParquetFileWriter(schema: schema, options: options) { out += $0 }
        writer.mergeFault = fault
        var hash = RowHash()
        var taken = 0
        for input in inputs {
            for group in 0..<input.rowGroupCount {
                let count = input.rowCount(rowGroup: group)
                let sums = RowSums(rowCount: count)
                try writer.begin(rows: count)
                for field in schema.fields where field.type != .unknown {
                    if writer.takesPages(of: field.id, from: input), try input.statesRows(of: field) {
                        taken += 1
                        try writer.appendPages(of: field, from: input, rowGroup: group, sums: sums)
                    } else {
                        let one = Schema(fields: [field])
                        let column = try input.readRowGroup(group, projection: one).columns[0]
                        sums.add(column, field.id, field.type, rows: 0..<count, at: 0)
                        try writer.appendColumn(column, of: field.id)
                    }
                }
                try writer.end(rows: count)
                hash.add(sums, count: count)
            }
        }
        let summary = try writer.close()
        return (out, summary, hash, taken)
    }

    /// The options of an input, by its number: every page version, codec and encoding in turn.
    private static func options(_ number: Int) -> ParquetWriteOptions {
        var options = ParquetWriteOptions()
        options.pageVersion = number % 2 == 0 ? .v1 : .v2
        options.codec = [.zstd, .uncompressed, .snappy, .zstd][number % 4]
        options.encodingProfile = number % 3 == 0 ? .modern : .compatible
        options.pageRowsMax = [7, 40, 1000][number % 3]
        options.rowGroupRowsMax = number % 5 == 4 ? 60 : 1 << 20
        if number % 4 == 3 { options.dictionaryBytesMax = 0 }
        return options
    }

    private static func inputs(
        _ schema: Schema, _ generator: inout Generator, count: Int = 6
    ) throws -> (readers: [ParquetFileReader], rows: [[Value]]) {
        var readers: [ParquetFileReader] = []
        var all: [[Value]] = []
        for number in 0..<count {
            let rows = generator.rows(schema, count: 50 + 23 * number)
            readers.append(try open(try write(schema, rows, options(number)).bytes))
            all += rows
        }
        return (readers, all)
    }

    /// Rows, fingerprints, page indexes, statistics and metrics of a merged file.
    private static func check(
        _ merged: (bytes: [UInt8], summary: ParquetFileSummary, hash: RowHash, taken: Int), _ schema: Schema,
        _ rows: [[Value]], _ options: ParquetWriteOptions
    ) throws {
        let reader = try open(merged.bytes)
        let expected = RowHash(batch(schema, rows))
        #expect(merged.hash == expected)
        var read: [[Value]] = []
        var hash = RowHash()
        for group in 0..<reader.rowGroupCount {
            read += ParquetTests.rows(try reader.readRowGroup(group, projection: schema))
            hash = hash + (try reader.rowHash(group, projection: schema))
            for column in reader.footer.rowGroups[group].columns.indices {
                let index = try #require(try reader.pageIndex(rowGroup: group, column: column))
                #expect(index.pages.reduce(0) { $0 + $1.rowCount } == reader.rowCount(rowGroup: group))
            }
        }
        #expect(read == rows)
        #expect(hash == expected)
        // What the writer says of the same rows when it has them as rows.
        let plain = try write(schema, rows, options)
        #expect(merged.summary.rowCount == plain.summary.rowCount)
        for (id, metrics) in plain.summary.columns {
            var found = try #require(merged.summary.columns[id])
            found.columnBytes = metrics.columnBytes
            #expect(found == metrics, "field \(id)")
        }
        #expect(merged.summary.splitOffsets == reader.footer.rowGroups.map { $0.fileOffset! })
    }

    @Test(arguments: Shape.allCases)
    func everyTypeInEveryShape(_ shape: Shape) throws {
        var generator = Generator(seed: 77, nullPercent: 20, isRepetitive: false)
        var repetitive = Generator(seed: 78, nullPercent: 0, isRepetitive: true)
        for (number, type) in primitiveTypes.enumerated() {
            let schema = shape.schema(type)
            var output = Self.options(number)
            output.pageRowsMax = 100
            if number % 2 == 0 { output.rowGroupRowsMax = 300 }
            for isRepetitive in [false, true] {
                let (readers, rows) =
                    isRepetitive
                    ? try Self.inputs(schema, &repetitive) : try Self.inputs(schema, &generator)
                let merged = try Self.merge(readers, schema, output)
                try Self.check(merged, schema, rows, output)
                #expect(merged.taken == readers.reduce(0) { $0 + $1.rowGroupCount } * 3, "\(type)")
            }
        }
    }

    /// A dictionary that is its column becomes data pages as it is stored, behind a frame of its own.
    @Test(arguments: [ParquetWriteOptions.PageVersion.v1, .v2], [ParquetCodec.zstd, .uncompressed])
    func dictionariesBecomePages(_ version: ParquetWriteOptions.PageVersion, _ codec: ParquetCodec) throws {
        let schema = Schema(fields: [
            Field(id: 1, name: "n", required: false, type: .long),
            Field(id: 2, name: "t", required: false, type: .string),
        ])
        var input = ParquetWriteOptions()
        input.codec = codec
        input.encodings = [1: .dictionary, 2: .dictionary]
        input.pageRowsMax = 90
        let all = (0..<400).map { [Value.long(Int64($0 * 7919 % 1000)), .string("text \($0)")] }
        let readers = try [0..<100, 100..<250, 250..<400].map {
            try open(try write(schema, Array(all[$0]), input).bytes)
        }
        var output = ParquetWriteOptions()
        output.codec = codec
        output.pageVersion = version
        let merged = try Self.merge(readers, schema, output)
        try Self.check(merged, schema, all, output)
        let reader = try open(merged.bytes)
        for column in reader.footer.rowGroups[0].columns {
            #expect(column.dictionaryPageOffset == nil)
            #expect(column.encodingStatistics.map(\.pageCount) == [3])
        }
    }

    @Test func pagesOfValuesAreCopied() throws {
        let schema = Schema(fields: [Field(id: 1, name: "t", required: false, type: .string)])
        var options = ParquetWriteOptions()
        options.dictionaryBytesMax = 0
        options.pageRowsMax = 50
        let all = (0..<200).map { [$0 % 9 == 0 ? Value.null : .string("text \($0)")] }
        let inputs = try [0..<100, 100..<200].map { try write(schema, Array(all[$0]), options).bytes }
        let merged = try Self.merge(try inputs.map { try open($0) }, schema, options)
        try Self.check(merged, schema, all, options)
        // Four pages each with its header come again byte by byte.
        for bytes in inputs {
            let column = try open(bytes).footer.rowGroups[0].columns[0]
            let body = bytes[column.dataPageOffset..<column.dataPageOffset + column.compressedBytes]
            #expect(merged.bytes.contains(Array(body)))
        }
    }

    /// Equal entries of several dictionaries stand once in the one that they become.
    @Test func dictionariesAreJoined() throws {
        let schema = Schema(fields: [Field(id: 1, name: "t", required: false, type: .string)])
        let all = (0..<3000).map { [$0 % 11 == 0 ? Value.null : .string("text \($0 % 37)")] }
        let readers = try stride(from: 0, to: 3000, by: 500).map {
            try open(try write(schema, Array(all[$0..<$0 + 500]), ParquetWriteOptions()).bytes)
        }
        let merged = try Self.merge(readers, schema, ParquetWriteOptions())
        try Self.check(merged, schema, all, ParquetWriteOptions())
        let pages = try open(merged.bytes).pages(rowGroup: 0, column: 0)
        #expect(pages.filter { $0.type == .dictionary }.map(\.valueCount) == [37])
    }

    /// Damage to pages on their way is refused or shows in the fingerprint, in every column.
    @Test(arguments: MergeFault.Kind.allCases)
    func damageShows(_ kind: MergeFault.Kind) throws {
        let schema = Schema(fields: [
            Field(id: 1, name: "n", required: false, type: .long),
            Field(id: 2, name: "t", required: false, type: .string),
            Field(
                id: 3, name: "l", required: false,
                type: .list(ListType(elementId: 4, element: .int, elementRequired: false))),
            Field(id: 5, name: "u", required: false, type: .string),
        ])
        let all = (0..<1000).map { row -> [Value] in
            let word = row % 3 == 0 ? Value.null : Value.string("t\(row % 7)")
            let list: [Value] = (0..<row % 4).map { Value.int(Int32($0 + row % 5)) }
            return [.long(Int64(row * 31 % 17)), word, .list(list), .string("unique \(row * 7919 % 1000 + 1000)")]
        }
        var options = ParquetWriteOptions()
        options.encodings = [5: .dictionary]
        options.pageRowsMax = 100
        let inputs = try [0..<500, 500..<1000].map { try write(schema, Array(all[$0]), options).bytes }
        var happened = 0
        for column in 0..<4 {
            var output = options
            output.encodings = [:]
            let readers = try inputs.map { try open($0) }
            do {
                let merged = try Self.merge(readers, schema, output, fault: MergeFault(kind, column: column))
                let reader = try open(merged.bytes)
                var hash = RowHash()
                for group in 0..<reader.rowGroupCount { hash = hash + (try reader.rowHash(group, projection: schema)) }
                if ParquetTests.rows(try reader.readRowGroup(0, projection: schema)) == all {
                    #expect(hash == merged.hash)
                } else {
                    happened += 1
                    #expect(hash != merged.hash, "column \(column)")
                }
            } catch let error as FirnError {
                happened += 1
                #expect(["merge_incomplete", "malformed_parquet"].contains(error.code))
            }
        }
        #expect(happened >= (kind == .repeatCopy ? 1 : 2))
    }

    /// A file of another writer with the same columns is taken over too.
    @Test func foreignFiles() throws {
        for bytes in [ForeignFiles.pyarrowDefault, ForeignFiles.gzipV2] {
            let reader = try open(bytes)
            let schema = try reader.fileSchema()
            let merged = try Self.merge([reader, reader], schema, ParquetWriteOptions())
            let once = try readAll(bytes, schema)
            let back = try open(merged.bytes)
            #expect(rows(try back.readRowGroup(0, projection: schema)) == once + once)
            #expect(try back.rowHash(0, projection: schema) == merged.hash)
            #expect(RowHash(batch(schema, once + once)) == merged.hash)
        }
    }

    /// Any bytes may change: the merge throws a `FirnError` or does not, and never traps.
    @Test func damagedInputsAreErrors() throws {
        var generator = Generator(seed: 5, nullPercent: 20, isRepetitive: true)
        let schema = Shape.listOfStructure.schema(.string)
        let bytes = try write(schema, generator.rows(schema, count: 80), Self.options(0)).bytes
        var refused = 0
        for _ in 0..<600 {
            var damaged = bytes
            let end = bytes.count - 8
            for _ in 0..<1 + generator.below(3) {
                damaged[4 + generator.below(UInt64(end - 4))] ^= UInt8(1 << generator.below(8))
            }
            do {
                _ = try Self.merge([try open(damaged)], schema, ParquetWriteOptions())
            } catch let error as FirnError {
                refused += 1
                #expect(error.kind != .internal, "\(error)")
            }
        }
        #expect(refused > 300)
    }
}

extension [UInt8] {
    fileprivate func contains(_ part: [UInt8]) -> Bool {
        guard let first = part.first, part.count <= count else { return part.isEmpty }
        for start in 0...count - part.count
        where self[start] == first && self[start..<start + part.count].elementsEqual(part) {
            return true
        }
        return false
    }
}
