import Base
import Columnar
import Testing

@testable import Parquet

@Suite struct StatisticsTests {
    private func column(
        _ type: DataType, _ values: [Value], _ options: ParquetWriteOptions = .init()
    ) throws -> (metrics: ColumnMetrics, reader: ParquetFileReader) {
        let schema = Schema(fields: [Field(id: 7, name: "c", required: false, type: type)])
        let (bytes, summary) = try write(schema, values.map { [$0] }, options)
        return (summary.columns[7]!, try open(bytes))
    }

    @Test func nanIsNeverABound() throws {
        let (metrics, reader) = try column(.double, [.double(.nan), .null, .double(3), .double(-2), .double(-.nan)])
        #expect(metrics.nanCount == 2)
        #expect(metrics.valueCount == 5)
        #expect(metrics.nullCount == 1)
        #expect(metrics.lowerBound == .double(-2))
        #expect(metrics.upperBound == .double(3))
        let bounds = reader.statistics(rowGroup: 0, fieldId: 7)
        #expect(bounds?.lower == .double(-2))
        #expect(bounds?.nullCount == 1)
        let (none, _) = try column(.float, [.float(.nan), .null])
        #expect(none.nanCount == 1)
        #expect(none.lowerBound == nil)
        #expect(try column(.long, [.null]).metrics.nanCount == nil)
    }

    @Test func zerosAreSigned() throws {
        for zero in [0.0, -0.0] {
            let (metrics, reader) = try column(.double, [.double(zero)])
            let statistics = reader.footer.rowGroups[0].columns[0].statistics!
            #expect(statistics.minValue == [0, 0, 0, 0, 0, 0, 0, 0x80])
            #expect(statistics.maxValue == [0, 0, 0, 0, 0, 0, 0, 0])
            guard case .double(let low) = metrics.lowerBound, case .double(let high) = metrics.upperBound else {
                Issue.record("no bounds")
                return
            }
            #expect(low.sign == .minus)
            #expect(high.sign == .plus)
        }
    }

    /// In dictionary and in PLAIN pages, over several pages and row groups.
    @Test(arguments: [2 << 20, 0])
    func boundsCoverAllPages(dictionaryBytesMax: Int) throws {
        var options = ParquetWriteOptions()
        options.dictionaryBytesMax = dictionaryBytesMax
        options.pageRowsMax = 10
        options.rowGroupRowsMax = 40
        for type in primitiveTypes {
            var generator = Generator(seed: 5, nullPercent: 10, isRepetitive: false)
            let field = Field(id: 1, name: "c", required: false, type: type)
            let values = (0..<100).map { _ in generator.value(field) }
            let (metrics, reader) = try column(type, values, options)
            let present = values.filter { !$0.isNull }
            #expect(present.allSatisfy { !less($0, metrics.lowerBound!) && !less(metrics.upperBound!, $0) })
            #expect(present.contains(metrics.lowerBound!) && present.contains(metrics.upperBound!))
            #expect(metrics.nullCount == 100 - present.count)
            #expect(reader.rowGroupCount == 3)
            for group in 0..<3 {
                let part = values[group * 40..<min(100, group * 40 + 40)].filter { !$0.isNull }
                let bounds = reader.statistics(rowGroup: group, fieldId: 7)!
                #expect(part.allSatisfy { !less($0, bounds.lower!) && !less(bounds.upper!, $0) })
                #expect(part.contains(bounds.lower!) && part.contains(bounds.upper!))
            }
        }
    }

    private func less(_ a: Value, _ b: Value) -> Bool {
        switch (a, b) {
        case (.boolean(let a), .boolean(let b)): !a && b
        case (.int(let a), .int(let b)), (.date(let a), .date(let b)): a < b
        case (.long(let a), .long(let b)), (.time(let a), .time(let b)), (.timestamp(let a), .timestamp(let b)),
            (.timestamptz(let a), .timestamptz(let b)), (.timestampNs(let a), .timestampNs(let b)),
            (.timestamptzNs(let a), .timestamptzNs(let b)):
            a < b
        case (.float(let a), .float(let b)): a < b
        case (.double(let a), .double(let b)): a < b
        case (.decimal(let a, _), .decimal(let b, _)): a < b
        case (.string(let a), .string(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
        case (.uuid(let a), .uuid(let b)): a < b
        case (.binary(let a), .binary(let b)): a.lexicographicallyPrecedes(b)
        default: preconditionFailure("values of different types")
        }
    }

    @Test func longBytesAreCutInTheFooterOnly() throws {
        let long = String(repeating: "z", count: 63) + "é" + "tail"
        let (metrics, reader) = try column(.string, [.string(long)])
        #expect(metrics.lowerBound == .string(long))
        #expect(metrics.upperBound == .string(long))
        let statistics = reader.footer.rowGroups[0].columns[0].statistics!
        // The é spans bytes 63 and 64, so the cut falls before it.
        #expect(statistics.minValue == Array(String(repeating: "z", count: 63).utf8))
        #expect(statistics.maxValue == Array((String(repeating: "z", count: 62) + "{").utf8))
        #expect(statistics.isMinExact == false)
        #expect(statistics.isMaxExact == false)
        let exact = try column(.string, [.string("short")]).reader.footer.rowGroups[0].columns[0].statistics!
        #expect(exact.isMinExact == true && exact.isMaxExact == true)
        // Nothing can be incremented: the bound stays whole.
        let maximal = [UInt8](repeating: 0xff, count: 70)
        let kept = try column(.binary, [.binary(maximal)]).reader.footer.rowGroups[0].columns[0].statistics!
        #expect(kept.maxValue == maximal)
        #expect(kept.isMaxExact == true)
    }

    @Test func upperCutsCarry() {
        #expect(BoundTruncation.upper([1, 0xff, 0xff, 9], limit: 3, isText: false) == [2])
        #expect(BoundTruncation.upper(Array("a\u{10ffff}b".utf8), limit: 5, isText: true) == Array("b".utf8))
        #expect(BoundTruncation.upper(Array("\u{d7ff}xyz".utf8), limit: 3, isText: true) == Array("\u{e000}".utf8))
        #expect(BoundTruncation.upper([0xff, 0xff], limit: 1, isText: false) == nil)
    }

    @Test func modesAndRepeatedLeavesLeaveOutBounds() throws {
        var options = ParquetWriteOptions()
        options.metrics = [7: .counts]
        #expect(try column(.long, [.long(1)], options).metrics.lowerBound == nil)
        let list = Schema(fields: [
            Field(
                id: 1, name: "l", required: false,
                type: .list(ListType(elementId: 2, element: .long, elementRequired: false)))
        ])
        let (bytes, summary) = try write(
            list, [[.list([.long(1), .null])], [.null], [.list([])], [.list([.long(9)])]])
        let metrics = summary.columns[2]!
        #expect(metrics.isRepeated && metrics.lowerBound == nil && metrics.upperBound == nil)
        // Entries: two elements, a null list, an empty list, one element.
        #expect(metrics.valueCount == 5)
        #expect(metrics.nullCount == 3)
        #expect(summary.columns[1] == nil)
        #expect(metrics.columnBytes == (try open(bytes)).footer.rowGroups[0].columns[0].compressedBytes)
    }
}
