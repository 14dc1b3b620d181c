import Base

/// Reads the page index of one column chunk.
///
/// 1. The offset index gives the places of the data pages and their first rows.
/// 2. The column index, if there is one, gives bounds and nulls, one entry a page.
///
/// Both are compared with the chunk and with each other: pages lie inside the chunk one after the other, rows ascend
/// from 0, and the lists are equally long. An index that contradicts any of this is `.corrupted`. Scans do without such
/// an index and read the chunk as a whole, since the pages themselves may well be sound.
///
/// Format: https://github.com/apache/parquet-format/blob/master/PageIndex.md
struct PageIndexReader {
    /// Where the chunk's pages lie, a dictionary page included.
    let chunk: Range<Int>
    let rowCount: Int
    let source: String

    /// `columnIndex` and `offsetIndex` are the stored bytes with their places in the file.
    func read(
        offsetIndex: (bytes: [UInt8], offset: Int), columnIndex: (bytes: [UInt8], offset: Int)?
    ) throws(FirnError) -> ParquetPageIndex {
        var reader = CompactReader(
            offsetIndex.bytes, range: 0..<offsetIndex.bytes.count, source: source, base: offsetIndex.offset)
        var index = ParquetPageIndex(pages: try pages(&reader), boundaryOrder: nil)
        try check(index.pages, reader)
        for page in index.pages.indices {
            let end = page + 1 < index.pages.count ? index.pages[page + 1].firstRow : rowCount
            index.pages[page].rowCount = end - index.pages[page].firstRow
        }
        if let columnIndex {
            var reader = CompactReader(
                columnIndex.bytes, range: 0..<columnIndex.bytes.count, source: source, base: columnIndex.offset)
            try addBounds(&reader, to: &index)
        }
        return index
    }

    private func check(_ pages: [ParquetPageIndex.Page], _ reader: CompactReader) throws(FirnError) {
        var end = chunk.lowerBound
        var row = 0
        for (number, page) in pages.enumerated() {
            guard page.offset >= end, page.storedBytes > 0, page.storedBytes <= chunk.upperBound - page.offset else {
                throw reader.corrupted("the offset index puts page \(number) outside the column chunk")
            }
            guard number == 0 ? page.firstRow == 0 : page.firstRow >= row, page.firstRow <= rowCount else {
                throw reader.corrupted("the offset index says page \(number) starts at row \(page.firstRow)")
            }
            end = page.offset + page.storedBytes
            row = page.firstRow
        }
        guard !pages.isEmpty || rowCount == 0 else { throw reader.corrupted("the offset index has no pages") }
    }

    private func pages(_ reader: inout CompactReader) throws(FirnError) -> [ParquetPageIndex.Page] {
        var pages: [ParquetPageIndex.Page] = []
        var last = 0
        while let field = try reader.nextField(&last) {
            guard field.id == 1 else {
                try reader.skip(field)
                continue
            }
            for _ in 0..<(try reader.listCount(field, of: .structure)) { pages.append(try page(&reader)) }
        }
        return pages
    }

    private func page(_ reader: inout CompactReader) throws(FirnError) -> ParquetPageIndex.Page {
        var page = ParquetPageIndex.Page(offset: 0, storedBytes: 0, firstRow: 0, rowCount: 0)
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: page.offset = try reader.size(field)
            case 2: page.storedBytes = try reader.size32(field)
            case 3: page.firstRow = try reader.size(field)
            default: try reader.skip(field)
            }
        }
        return page
    }

    private func addBounds(_ reader: inout CompactReader, to index: inout ParquetPageIndex) throws(FirnError) {
        var nullPages: [Bool] = []
        var bounds: [[[UInt8]]] = [[], []]
        var order: Int32 = 0
        var nullCounts: [Int]?
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: nullPages = try reader.booleans(field)
            case 2, 3:
                for _ in 0..<(try reader.listCount(field, of: .binary)) {
                    bounds[field.id - 2].append(Array(try reader.binary()))
                }
            case 4: order = try reader.int32(field)
            case 5: nullCounts = try reader.int64s(field)
            default: try reader.skip(field)
            }
        }
        let count = index.pages.count
        guard nullPages.count == count, bounds[0].count == count, bounds[1].count == count,
            nullCounts.map({ $0.count == count && $0.allSatisfy { $0 >= 0 } }) ?? true
        else { throw reader.corrupted("the column index does not fit the \(count) pages of the offset index") }
        guard let order = ParquetPageIndex.BoundaryOrder(rawValue: order) else {
            throw reader.corrupted("the column index has the unknown order \(order)")
        }
        index.boundaryOrder = order
        for page in 0..<count {
            index.pages[page].isNullPage = nullPages[page]
            index.pages[page].nullCount = nullCounts?[page]
            if nullPages[page] { continue }
            index.pages[page].minValue = bounds[0][page]
            index.pages[page].maxValue = bounds[1][page]
        }
    }
}

extension CompactReader {
    /// A list of booleans, which take a byte each; their type goes by either of its two numbers.
    mutating func booleans(_ field: FieldHeader) throws(FirnError) -> [Bool] {
        try expect(field, .list)
        let (count, type) = try listHeader()
        guard count == 0 || type == .booleanTrue || type == .booleanFalse else {
            throw corrupted("a metadata list has the wrong element type")
        }
        var values: [Bool] = []
        for _ in 0..<count { values.append(try byte() == CompactType.booleanTrue.rawValue) }
        return values
    }

    mutating func int64s(_ field: FieldHeader) throws(FirnError) -> [Int] {
        var values: [Int] = []
        for _ in 0..<(try listCount(field, of: .int64)) { values.append(Int(try zigzag())) }
        return values
    }
}
