import Base
import Columnar
import Testing

@testable import Parquet

/// What is fetched and what is not.
@Suite struct PruningTests {
    private static let rowCount = 4000
    private static let groupRows = 2000
    private static let pageRows = 200
    private static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "body", required: false, type: .string),
        Field(
            id: 3, name: "parts", required: true,
            type: .list(ListType(elementId: 4, element: .fixed(200), elementRequired: true))),
    ])

    /// 500 bytes of text a row: pages of 100 kB, further apart than what is read along.
    private static let content: [[Value]] = (0..<rowCount).map { row in
        let text = (0..<50).map { "\(1_000_000_000 + (row &* 7919 &+ $0 &* 104_729) % 1_000_000_000)" }.joined()
        return [
            .long(Int64(row)), .string(text),
            .list((0..<(row % 5)).map { .binary([UInt8](repeating: UInt8(row % 251) ^ UInt8($0), count: 200)) }),
        ]
    }

    private static func file(_ change: (inout ParquetWriteOptions) -> Void = { _ in }) throws -> [UInt8] {
        var options = ParquetWriteOptions()
        options.codec = .uncompressed
        options.rowGroupRowsMax = groupRows
        options.pageRowsMax = pageRows
        options.dictionaryBytesMax = 0
        change(&options)
        return try write(schema, content, options, batchRows: 400).bytes
    }

    private static let window = Predicate.and(
        .compare(fieldId: 1, .greaterOrEqual, .long(2390)), .compare(fieldId: 1, .less, .long(2410)))

    @Test func pagesWithoutRowsAreNotFetched() throws {
        let file = RecordedFile(try Self.file())
        let reader = try file.open()
        let batch = try reader.readRowGroup(1, projection: Self.schema, filter: Self.window)
        #expect(rows(batch) == Array(Self.content[2390..<2410]))
        #expect(file.ranges.count <= 12)
        for column in [1, 2] {
            let pages = try #require(try reader.pageIndex(rowGroup: 1, column: column)).pages
            #expect(pages.count == 10)
            for (number, page) in pages.enumerated() {
                // Rows 2390 to 2409 are in the second and third page. Neighbours may be read along in part.
                let whole = page.offset..<page.offset + page.storedBytes
                let isFetched = file.ranges.contains {
                    $0.lowerBound <= whole.lowerBound && $0.upperBound >= whole.upperBound
                }
                #expect(isFetched == (number == 1 || number == 2), "page \(number) of column \(column)")
            }
        }
    }

    @Test func groupsThatStatisticsExcludeAreNotRead() throws {
        let file = RecordedFile(try Self.file())
        let reader = try file.open()
        #expect(try !reader.mayMatch(rowGroup: 0, filter: Self.window))
        #expect(try reader.readRowGroup(0, projection: Self.schema, filter: Self.window).rowCount == 0)
        #expect(file.ranges.isEmpty)
    }

    /// The filter's column is all that is read when no row is left.
    @Test func otherColumnsWaitForTheFilter() throws {
        let file = RecordedFile(try changing(try Self.file(), Self.schema, FooterChanges(dropsPageIndex: true)))
        let reader = try file.open()
        let text = Predicate.and(Self.window, .compare(fieldId: 1, .equal, .long(-1)))
        let never = Predicate.or(text, .and(Self.window, .not(Self.window)))
        #expect(try reader.readRowGroup(1, projection: Self.schema, filter: never).rowCount == 0)
        let body = reader.footer.rowGroups[1].columns[1]
        #expect(!file.touched(body.dataPageOffset..<body.dataPageOffset + body.compressedBytes))
        #expect(file.ranges.count == 1)
    }

    @Test func bloomFiltersExcludeGroups() throws {
        let bytes = try changing(
            try Self.file(), Self.schema,
            FooterChanges(dropsPageIndex: true, addsBloomFilters: true, dropsStatistics: true))
        let reader = try open(bytes)
        let present = Self.content[17][1]
        #expect(try reader.mayMatch(rowGroup: 0, filter: .compare(fieldId: 2, .equal, present)))
        #expect(try !reader.mayMatch(rowGroup: 1, filter: .compare(fieldId: 2, .equal, present)))
        #expect(try !reader.mayMatch(rowGroup: 1, filter: .isIn(fieldId: 2, [present, .string("x")])))
        #expect(try reader.mayMatch(rowGroup: 1, filter: .compare(fieldId: 2, .greater, present)))
        #expect(try reader.mayMatch(rowGroup: 1, filter: .not(.compare(fieldId: 2, .equal, present))))
        let summary = try #require(try reader.bloomFilter(rowGroup: 0, column: 1))
        #expect(summary.mayContain(present) == true)
        #expect(summary.mayContain(.string("absent")) == false)
        #expect(summary.mayContain(.long(1)) == nil)
        // Without statistics and index, a damaged filter must not lose rows.
        var damaged = bytes
        for index in 0..<4 { damaged[summary.offset + index] = 0xff }
        #expect(throws: FirnError.self) { try open(damaged).bloomFilter(rowGroup: 0, column: 1) }
        #expect(
            try open(damaged).readRowGroup(0, projection: Self.schema, filter: .compare(fieldId: 2, .equal, present))
                .rowCount == 1)
    }

    /// Every byte of the indexes changed in turn: the error is typed, and a scan gives the same rows or an error.
    @Test func damagedIndexesLoseNoRows() throws {
        let small = Schema(fields: Array(Self.schema.fields.prefix(1)))
        var options = ParquetWriteOptions()
        options.pageRowsMax = 50
        options.codec = .uncompressed
        let bytes = try write(small, (0..<300).map { [.long(Int64($0))] }, options).bytes
        let chunk = try open(bytes).footer.rowGroups[0].columns[0]
        let filter = Predicate.compare(fieldId: 1, .equal, .long(120))
        var refused = 0
        for index in chunk.offsetIndexOffset!..<chunk.offsetIndexOffset! + chunk.offsetIndexBytes! {
            for value: UInt8 in [0, 0x7f, 0xff, bytes[index] ^ 1] {
                var damaged = bytes
                damaged[index] = value
                let reader = try open(damaged)
                do {
                    let found = try reader.readRows(0, projection: small, filter: filter)
                    #expect(found.rows == [120])
                } catch let error as FirnError {
                    #expect(error.kind == .corrupted)
                    #expect(error.context["column"] == "id" && error.context["offset"] != nil)
                }
                do { _ = try reader.pageIndex(rowGroup: 0, column: 0) } catch let error as FirnError {
                    #expect(error.kind == .corrupted && error.context["file"] == "test.parquet")
                    refused += 1
                }
            }
        }
        #expect(refused > 50)
        for index in chunk.columnIndexOffset!..<chunk.columnIndexOffset! + chunk.columnIndexBytes! {
            var damaged = bytes
            damaged[index] ^= 0xff
            // A bound that was changed may lie about its page; only traps are excluded.
            _ = try? open(damaged).readRows(0, projection: small, filter: filter)
            _ = try? open(damaged).pageIndex(rowGroup: 0, column: 0)
        }
    }

    @Test func pagesAreListedByTheirHeaders() throws {
        let reader = try open(try Self.file { $0.dictionaryBytesMax = 1 << 20 })
        let index = try #require(try reader.pageIndex(rowGroup: 0, column: 2))
        let pages = try reader.pages(rowGroup: 0, column: 2).filter { $0.type != .dictionary }
        #expect(pages.map(\.offset) == index.pages.map(\.offset))
        #expect(pages.map { $0.headerBytes + $0.compressedBytes } == index.pages.map(\.storedBytes))
        #expect(index.pages.map(\.rowCount).reduce(0, +) == Self.groupRows)
        let chunk = reader.footer.rowGroups[0].columns[2]
        #expect(pages.reduce(0) { $0 + $1.valueCount! } == chunk.valueCount)
        let error = #expect(throws: FirnError.self) { try reader.pages(rowGroup: 0, column: 9) }
        #expect(error?.kind == .invalidInput)
    }

    @Test func nearbyRangesAreOneRequest() {
        let gap = ParquetLimits.requestGapBytesMax
        #expect(FileBytes.requests([100..<200, 0..<50, 200..<210]) == [0..<210])
        #expect(FileBytes.requests([0..<10, 10 + gap..<20 + gap]) == [0..<20 + gap])
        #expect(FileBytes.requests([0..<10, 11 + gap..<20 + gap]) == [0..<10, 11 + gap..<20 + gap])
        let large = ParquetLimits.requestBytesTarget
        #expect(FileBytes.requests([0..<10, 10..<large + 10, 5..<20]) == [0..<20, 10..<large + 10])
    }

    /// Files of parquet-java and parquet-rs with filters and indexes.
    @Test(
        arguments: [
            "data/data_index_bloom_encoding_stats.parquet", "data/data_index_bloom_encoding_with_length.parquet",
        ])
    func readsForeignFilters(_ path: String) throws {
        guard let bytes = try PublicCorpus.read(path) else { return }
        let reader = try open(bytes)
        let schema = try reader.fileSchema()
        let id = schema.fields[0].id
        let words = [
            "Hello", "This is", "a", "test", "How", "are you", "doing ", "today", "the quick", "brown fox", "jumps",
            "over", "the lazy", "dog",
        ]
        let filter = try #require(try reader.bloomFilter(rowGroup: 0, column: 0))
        for word in words {
            #expect(filter.mayContain(.string(word)) == true)
            let found = try reader.readRows(
                0, projection: schema, filter: .compare(fieldId: id, .equal, .string(word)))
            #expect(found.rows == [Int32(words.firstIndex(of: word)!)] && rows(found.batch) == [[.string(word)]])
        }
        #expect(try !reader.mayMatch(rowGroup: 0, filter: .compare(fieldId: id, .equal, .string("Parquet"))))
        let index = try #require(try reader.pageIndex(rowGroup: 0, column: 0))
        #expect(index.pages.map(\.rowCount).reduce(0, +) == 14)
        #expect(index.pages[0].minValue == Array("Hello".utf8) && index.pages[0].nullCount == 0)
    }
}
