import Base
import Testing

@testable import Parquet

/// The footer's parts come back as they were written.
@Suite struct FooterTests {
    @Test func optionalPartsSurvive() throws {
        var column = ParquetFooter.ColumnChunk()
        column.physicalType = .double
        column.path = ["a", "list", "element"]
        column.encodings = [.deltaBinaryPacked, .deltaLengthByteArray, .deltaByteArray, .byteStreamSplit, .bitPacked]
        column.keyValueMetadata = ["k": "v", "empty": ""]
        var statistics = ParquetFooter.Statistics()
        statistics.nullCount = 3
        statistics.distinctCount = 4
        statistics.nanCount = 5
        statistics.minValue = [1]
        statistics.maxValue = []
        statistics.isMinExact = false
        column.statistics = statistics
        var sizes = ParquetFooter.SizeStatistics()
        sizes.unencodedByteArrayBytes = 1 << 40
        sizes.repetitionHistogram = [7, 0, 9]
        sizes.definitionHistogram = (0..<20).map { $0 }
        column.sizeStatistics = sizes
        (column.bloomFilterOffset, column.bloomFilterBytes) = (77, 88)
        var group = ParquetFooter.RowGroup()
        group.columns = [column]
        group.sortingColumns = [
            .init(column: 0, isDescending: true, nullsFirst: false),
            .init(column: 300, isDescending: false, nullsFirst: true),
        ]
        var leaf = ParquetFooter.SchemaElement(name: "a")
        leaf.physicalType = .double
        var footer = ParquetFooter()
        var root = ParquetFooter.SchemaElement(name: "table")
        root.childCount = 1
        footer.schema = [root, leaf]
        footer.rowGroups = [group, group]
        footer.keyValueMetadata = ["writer": "é"]

        let bytes = footer.serialize()
        var reader = CompactReader(bytes, range: 0..<bytes.count, source: "memory", base: 0)
        let read = try ParquetFooter(thrift: &reader)
        #expect(read.keyValueMetadata == footer.keyValueMetadata)
        #expect(read.hasColumnOrders && read.columnOrders == [1])
        #expect(read.rowGroups.map(\.ordinal) == [0, 1])
        #expect(read.rowGroups[1].sortingColumns == group.sortingColumns)
        let again = read.rowGroups[1].columns[0]
        #expect(again.encodings == column.encodings)
        #expect(again.keyValueMetadata == column.keyValueMetadata)
        #expect(again.statistics == statistics)
        #expect(again.sizeStatistics == sizes)
        #expect(again.bloomFilterOffset == 77 && again.bloomFilterBytes == 88)
    }

    @Test func pageHeadersSurvive() throws {
        var page = PageHeader.DataV2()
        page.valueCount = 10
        page.nullCount = 3
        page.rowCount = 6
        page.encoding = .deltaByteArray
        page.definitionBytes = 5
        page.repetitionBytes = 4
        page.isCompressed = false
        let bytes = PageHeader(uncompressedBytes: 9, compressedBytes: 8, checksum: 0xffff_fff0, kind: .dataV2(page))
            .serialize()
        var reader = CompactReader(bytes, range: 0..<bytes.count, source: "memory", base: 0)
        let read = try PageHeader(thrift: &reader)
        guard case .dataV2(let again) = read.kind else {
            Issue.record("another kind of page")
            return
        }
        #expect(read.checksum == 0xffff_fff0 && read.uncompressedBytes == 9 && read.compressedBytes == 8)
        #expect(again.valueCount == 10 && again.nullCount == 3 && again.rowCount == 6)
        #expect(again.encoding == .deltaByteArray && !again.isCompressed)
        #expect(again.definitionBytes == 5 && again.repetitionBytes == 4)
    }
}
