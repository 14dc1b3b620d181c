import Base

/// The column and offset index of one chunk: bounds and places of its data pages.
///
/// Format: https://github.com/apache/parquet-format/blob/master/PageIndex.md
struct PageIndex {
    struct Page {
        /// From the start of the chunk's data pages.
        var offset: Int
        /// Header included.
        var storedBytes: Int
        var firstRow: Int
        var nullCount: Int
        var nanCount: Int
        var valueCount: Int
        /// Cut to `ParquetLimits.statisticsBytesMax`.
        var bounds: ColumnBounds
        /// Bytes of BYTE_ARRAY values without their lengths; nil for other types.
        var unencodedBytes: Int?
        /// Entries by level; empty when the greatest level is 0.
        var repetitionHistogram: [Int]
        var definitionHistogram: [Int]
    }

    let pages: [Page]
    let element: ParquetFooter.SchemaElement

    /// Nil when some page has values but no bounds (only NaNs): such a chunk cannot be indexed.
    func columnIndex() -> [UInt8]? {
        guard pages.allSatisfy({ $0.bounds != .empty || $0.valueCount == 0 }) else { return nil }
        let bounds = pages.map { $0.bounds.encoded(element) ?? (low: [], high: []) }
        var writer = CompactWriter()
        writer.list(1, of: .booleanTrue, count: pages.count)
        for page in pages { writer.element(page.valueCount == 0) }
        writer.list(2, of: .binary, count: pages.count)
        for page in bounds { writer.element(page.low) }
        writer.list(3, of: .binary, count: pages.count)
        for page in bounds { writer.element(page.high) }
        writer.int32(4, boundaryOrder)
        writer.list(5, pages.map(\.nullCount))
        let repetition = pages.flatMap(\.repetitionHistogram)
        if !repetition.isEmpty { writer.list(6, repetition) }
        let definition = pages.flatMap(\.definitionHistogram)
        if !definition.isEmpty { writer.list(7, definition) }
        if element.physicalType == .float || element.physicalType == .double {
            writer.list(8, pages.map(\.nanCount))
        }
        writer.stop()
        return writer.bytes
    }

    /// 1 ascending, 2 descending, 0 neither; null pages do not count.
    private var boundaryOrder: Int32 {
        let bounds = pages.lazy.filter { $0.valueCount > 0 }.map(\.bounds)
        let pairs = zip(bounds, bounds.dropFirst())
        if pairs.allSatisfy({ $0.precedes($1) }) { return 1 }
        if pairs.allSatisfy({ $1.precedes($0) }) { return 2 }
        return 0
    }

    /// `dataStart` is the file offset of the first data page.
    func offsetIndex(dataStart: Int) -> [UInt8] {
        var writer = CompactWriter()
        writer.list(1, of: .structure, count: pages.count)
        for page in pages {
            writer.element {
                $0.int64(1, dataStart + page.offset)
                $0.int32(2, Int32(page.storedBytes))
                $0.int64(3, page.firstRow)
            }
        }
        let unencoded = pages.compactMap(\.unencodedBytes)
        if !unencoded.isEmpty, unencoded.count == pages.count { writer.list(2, unencoded) }
        writer.stop()
        return writer.bytes
    }
}
