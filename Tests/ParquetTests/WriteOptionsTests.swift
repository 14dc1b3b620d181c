import Base
import Columnar
import Testing

@testable import Parquet

/// What the options promise is in the file, and the values survive it.
@Suite struct WriteOptionsTests {
    private typealias Options = ParquetWriteOptions

    private static func schema(_ type: DataType) -> Schema {
        Schema(fields: [Field(id: 7, name: "c", required: false, type: type)])
    }

    private static func values(_ type: DataType, count: Int, nullPercent: Int = 20) -> [[Value]] {
        var generator = Generator(seed: 11, nullPercent: nullPercent, isRepetitive: false)
        return generator.rows(schema(type), count: count)
    }

    private static func written(
        _ type: DataType, _ rows: [[Value]], _ options: ParquetWriteOptions
    ) throws -> ParquetFooter.ColumnChunk {
        let (bytes, _) = try write(schema(type), rows, options)
        #expect(try readAll(bytes, schema(type)) == rows)
        return try open(bytes).footer.rowGroups[0].columns[0]
    }

    @Test(arguments: [ParquetCodec.zstd, .snappy, .gzip, .lz4Raw, .uncompressed], [Options.PageVersion.v1, .v2])
    func codecsAndPageVersions(codec: ParquetCodec, version: ParquetWriteOptions.PageVersion) throws {
        var options = ParquetWriteOptions()
        options.codec = codec
        options.pageVersion = version
        options.pageRowsMax = 13
        for shape in Shape.allCases {
            for type: DataType in [.long, .string, .boolean] {
                var generator = Generator(seed: 3, nullPercent: 30, isRepetitive: type == .long)
                let schema = shape.schema(type)
                let rows = generator.rows(schema, count: 60)
                let (bytes, _) = try write(schema, rows, options)
                #expect(try readAll(bytes, schema) == rows)
                let chunk = try open(bytes).footer.rowGroups[0].columns[0]
                #expect(chunk.codec == codec)
                let data = chunk.encodingStatistics.filter { $0.pageType != .dictionary }
                #expect(data.allSatisfy { $0.pageType == (version == .v1 ? .data : .dataV2) })
                #expect(data.reduce(0) { $0 + $1.pageCount } >= 5)
            }
        }
    }

    @Test func unknownCodecsAreRefused() {
        var options = ParquetWriteOptions()
        options.codec = .brotli
        #expect(throws: FirnError.self) { try write(Self.schema(.long), [[.long(1)]], options) }
    }

    /// Each encoding with each type it fits; with each it does not fit, an error.
    @Test(arguments: [Options.PageVersion.v1, .v2])
    func forcedEncodings(version: ParquetWriteOptions.PageVersion) throws {
        let integers: [DataType] = [.int, .long, .date, .timestamp, .decimal(precision: 9, scale: 2)]
        let fixed: [DataType] = [.uuid, .fixed(3), .decimal(precision: 30, scale: 3)]
        let strings: [DataType] = [.string, .binary]
        let reals: [DataType] = [.float, .double]
        let all = integers + fixed + strings + reals + [.boolean]
        let fitting: [(ParquetWriteOptions.Encoding, [DataType])] = [
            (.plain, all), (.dictionary, all.filter { $0 != .boolean }), (.deltaBinaryPacked, integers),
            (.deltaLengthByteArray, strings), (.deltaByteArray, strings + fixed),
            (.byteStreamSplit, integers + fixed + reals), (.rle, version == .v2 ? [.boolean] : []),
        ]
        for (encoding, types) in fitting {
            var options = ParquetWriteOptions()
            options.encodings = [7: encoding]
            options.pageVersion = version
            options.pageRowsMax = 50
            for type in all {
                let rows = Self.values(type, count: 120) + Array(repeating: [.null], count: 60)
                guard types.contains(type) else {
                    let error = #expect(throws: FirnError.self) { try write(Self.schema(type), rows, options) }
                    #expect(error?.code == "encoding_type")
                    continue
                }
                let chunk = try Self.written(type, rows, options)
                #expect(chunk.encodings.contains(ParquetEncoding(encoding)))
            }
        }
    }

    @Test func theModernProfileTakesWhatIsSmaller() throws {
        var options = ParquetWriteOptions()
        options.encodingProfile = .modern
        let ascending: [[Value]] = (0..<5000).map { [.long(Int64($0) * 1_000_003 + Int64($0 % 7))] }
        let delta = try Self.written(.long, ascending, options)
        #expect(delta.encodings.contains(.deltaBinaryPacked))
        let plain = try Self.written(.long, ascending, ParquetWriteOptions())
        #expect(plain.encodings == [.plain, .rle])
        #expect(delta.compressedBytes < plain.compressedBytes)
        // Lengths between incompressible strings cost more than lengths apart.
        var generator = Generator(seed: 9, nullPercent: 0, isRepetitive: false)
        let random: [[Value]] = (0..<3000).map { _ in
            [.binary((0..<9 + generator.below(3)).map { _ in UInt8(truncatingIfNeeded: generator.next()) })]
        }
        #expect(try Self.written(.binary, random, options).encodings.contains(.deltaLengthByteArray))
        // Few distinct values stay in a dictionary.
        let few: [[Value]] = (0..<5000).map { [.long(Int64($0 &* 2_654_435_761) % 13)] }
        #expect(try Self.written(.long, few, options).encodings.contains(.rleDictionary))
    }

    /// A sorted column whose values repeat a few times is smaller without a dictionary once it is compressed.
    @Test func dictionariesAreMeasured() throws {
        let rows: [[Value]] = (0..<20_000).map { [.long(1_767_225_600_000 + Int64($0 / 2) * 3)] }
        let free = try Self.written(.long, rows, ParquetWriteOptions())
        var options = ParquetWriteOptions()
        options.encodings = [7: .dictionary]
        let forced = try Self.written(.long, rows, options)
        #expect(forced.encodings.contains(.rleDictionary))
        #expect(free.compressedBytes < forced.compressedBytes)
        #expect(!free.encodings.contains(.rleDictionary))
        options = ParquetWriteOptions()
        options.columnsWithoutDictionary = [7]
        let few: [[Value]] = (0..<100).map { [.long(Int64($0 % 3))] }
        #expect(try !Self.written(.long, few, options).encodings.contains(.rleDictionary))
    }

    /// Pages of nulls have no values at all, in either version.
    @Test(arguments: [Options.PageVersion.v1, .v2])
    func pagesOfNulls(version: ParquetWriteOptions.PageVersion) throws {
        var options = ParquetWriteOptions()
        options.pageVersion = version
        options.pageRowsMax = 10
        let some: [[Value]] = (0..<20).map { [.string("v\($0 % 2)")] }
        let none = [[Value]](repeating: [.null], count: 20)
        for rows in [none, some + none, none + some] { _ = try Self.written(.string, rows, options) }
    }

    @Test func checksumsCanBeLeftOut() throws {
        for writes in [true, false] {
            var options = ParquetWriteOptions()
            options.writesPageChecksums = writes
            let (bytes, _) = try write(Self.schema(.long), [[.long(1)]], options)
            var reader = CompactReader(bytes, range: 4..<bytes.count, source: "memory", base: 0)
            #expect((try PageHeader(thrift: &reader).checksum != nil) == writes)
        }
    }

    @Test func sortingColumnsNameLeaves() throws {
        let schema = Schema(fields: [
            Field(id: 1, name: "a", required: true, type: .long), Field(id: 2, name: "b", required: true, type: .long),
        ])
        var options = ParquetWriteOptions()
        options.sortingColumns = [.init(fieldId: 2, isDescending: true, nullsFirst: true), .init(fieldId: 1)]
        let (bytes, _) = try write(schema, [[.long(1), .long(2)]], options)
        #expect(
            try open(bytes).footer.rowGroups[0].sortingColumns == [
                .init(column: 1, isDescending: true, nullsFirst: true),
                .init(column: 0, isDescending: false, nullsFirst: false),
            ])
    }

    @Test func sizeStatisticsCountBytesAndLevels() throws {
        let list = DataType.list(ListType(elementId: 8, element: .string, elementRequired: false))
        let schema = Schema(fields: [Field(id: 7, name: "c", required: false, type: list)])
        let rows: [[Value]] = [
            [.list([.string("ab"), .null, .string("cde")])], [.null], [.list([])], [.list([.string("f")])],
        ]
        let (bytes, _) = try write(schema, rows)
        let sizes = try open(bytes).footer.rowGroups[0].columns[0].sizeStatistics
        #expect(sizes?.unencodedByteArrayBytes == 6)
        // Levels: null list 0, empty list 1, null element 2, element 3.
        #expect(sizes?.definitionHistogram == [1, 1, 1, 3])
        #expect(sizes?.repetitionHistogram == [4, 2])
        let flat = try Self.written(.long, [[.long(5)], [.null], [.long(6)]], ParquetWriteOptions())
        #expect(flat.sizeStatistics?.unencodedByteArrayBytes == nil)
        #expect(flat.sizeStatistics?.definitionHistogram == [1, 2])
        #expect(flat.sizeStatistics?.repetitionHistogram == [])
    }

    @Test func columnsWithoutStatistics() throws {
        var options = ParquetWriteOptions()
        options.columnsWithoutStatistics = [7]
        let chunk = try Self.written(.long, [[.long(5)], [.null]], options)
        #expect(chunk.statistics?.minValue == nil && chunk.statistics?.nullCount == 1)
        #expect(chunk.columnIndexOffset == nil && chunk.offsetIndexOffset != nil)
    }

    /// Every value is found; of as many others about the promised share.
    @Test(arguments: [2 << 20, 0])
    func bloomFilters(dictionaryBytesMax: Int) throws {
        var options = ParquetWriteOptions()
        options.dictionaryBytesMax = dictionaryBytesMax
        options.pageRowsMax = 100
        options.rowGroupRowsMax = 600
        options.bloomFilters = [7: .init(falsePositiveRate: 0.01)]
        let rows: [[Value]] = (0..<1000).map { $0 % 11 == 0 ? [.null] : [.string("value \($0 / 2)")] }
        let (bytes, _) = try write(Self.schema(.string), rows, options)
        let footer = try open(bytes).footer
        for (group, range) in [0..<600, 600..<1000].enumerated() {
            let chunk = footer.rowGroups[group].columns[0]
            let start = try #require(chunk.bloomFilterOffset)
            let filter = try BloomFilter.parse(
                Array(bytes[start..<start + chunk.bloomFilterBytes!]), source: "memory", offset: start)
            for row in rows[range] {
                guard case .string(let text) = row[0] else { continue }
                #expect(filter.mayContain(hash: BloomFilter.hash(Array(text.utf8))))
            }
            let wrong = (0..<1000).count { filter.mayContain(hash: BloomFilter.hash(Array("other \($0)".utf8))) }
            #expect(wrong < 50)
            // 300 distinct values take 10.5 bits each, rounded up to a power of two.
            #expect(filter.byteCount == (group == 0 ? 512 : 256))
        }
        options.bloomFilterBytesMax = 64
        let (small, _) = try write(Self.schema(.string), rows, options)
        let chunk = try open(small).footer.rowGroups[0].columns[0]
        #expect(try #require(chunk.bloomFilterBytes) < 64 + 32)
        options.bloomFilters = [7: .init(distinctCount: 5000)]
        options.bloomFilterBytesMax = 1 << 20
        let (named, _) = try write(Self.schema(.string), rows, options)
        #expect(try #require(open(named).footer.rowGroups[0].columns[0].bloomFilterBytes) > 8192)
    }
}
