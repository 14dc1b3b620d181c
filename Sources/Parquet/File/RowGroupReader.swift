import Base
import Columnar

/// Reads columns of one row group for selections of its rows that shrink: the filter's columns first, then what is
/// projected for the rows that are left. A column that was decoded is kept and cut down, never decoded again.
struct RowGroupReader {
    let file: FileBytes
    let group: ParquetFooter.RowGroup
    let number: Int
    let decompressor: PageDecompressor
    let page: Buffer<UInt8>
    /// By column, for the rows of the selection last read or more.
    private var chunks: [Int: ChunkData] = [:]

    init(
        file: FileBytes, group: ParquetFooter.RowGroup, number: Int, decompressor: PageDecompressor, page: Buffer<UInt8>
    ) {
        self.file = file
        self.group = group
        self.number = number
        self.decompressor = decompressor
        self.page = page
    }

    /// The rows `selection`. Precondition: a later selection is part of an earlier one.
    mutating func batch(_ schema: Schema, _ plans: [ReadPlan], _ selection: RowSelection) throws -> RecordBatch {
        var wanted: [Int: SchemaLeaf] = [:]
        for plan in plans { plan.collectLeaves(into: &wanted) }
        var assembled: [Int: ChunkData] = [:]
        if selection.isEmpty {
            for (column, leaf) in wanted {
                assembled[column] = ChunkData(
                    entries: 0, definition: leaf.definitionMax > 0 ? Buffer() : nil,
                    repetition: leaf.repetitionMax > 0 ? Buffer() : nil, values: try PhysicalValues(leaf.element),
                    rows: selection)
            }
        } else {
            try decode(wanted.values.filter { chunks[$0.column] == nil }, selection)
            for (column, leaf) in wanted {
                do throws(FirnError) {
                    chunks[column] = try chunks[column]!.keeping(selection, leaf)
                } catch { throw error.adding(["file": file.source, "column": leaf.name]) }
                assembled[column] = chunks[column]
            }
        }
        let assembler = Assembler(chunks: assembled)
        let context = Assembler.Context(slotCount: selection.count, floor: 0, depth: 0)
        var columns: [Column] = []
        for plan in plans {
            do throws(FirnError) {
                columns.append(try assembler.column(plan, context))
            } catch { throw error.adding(["file": file.source, "row-group": String(number)]) }
        }
        return RecordBatch(schema: schema, columns: columns, rowCount: selection.count)
    }

    // MARK: Column chunks

    /// What to fetch of one chunk.
    private struct Read {
        let leaf: SchemaLeaf
        /// The whole chunk.
        let chunk: Range<Int>
        /// Pages to decode; nil for all that the chunk holds, one after the other.
        let pages: [ParquetPageIndex.Page]?
        let ranges: [Range<Int>]
        var byteCount: Int { ranges.reduce(0) { $0 + $1.count } }
    }

    /// Fetches and decodes chunks in the order of the file, some at a time so that few lie in memory undecoded.
    private mutating func decode(_ leaves: [SchemaLeaf], _ selection: RowSelection) throws {
        var reads: [Read] = []
        let isPart = selection.count < group.rowCount
        let indexes = isPart ? try offsetIndexes(leaves) : [:]
        for leaf in leaves {
            let range = try Self.range(group.columns[leaf.column], leaf, file)
            guard let index = indexes[leaf.column] else {
                reads.append(Read(leaf: leaf, chunk: range, pages: nil, ranges: [range]))
                continue
            }
            let pages = index.pages.filter { selection.overlaps($0.firstRow..<$0.firstRow + $0.rowCount) }
            let dictionary = range.lowerBound..<(index.pages.first?.offset ?? range.lowerBound)
            reads.append(
                Read(
                    leaf: leaf, chunk: range, pages: pages,
                    ranges: [dictionary] + pages.map { $0.offset..<$0.offset + $0.storedBytes }))
        }
        reads.sort { $0.chunk.lowerBound < $1.chunk.lowerBound }
        var next = 0
        while next < reads.count {
            var end = next + 1
            var bytes = reads[next].byteCount
            while end < reads.count, bytes + reads[end].byteCount <= ParquetLimits.requestBytesTarget {
                bytes += reads[end].byteCount
                end += 1
            }
            let fetched = try file.fetch(reads[next..<end].flatMap(\.ranges))
            for read in reads[next..<end] {
                chunks[read.leaf.column] = try decode(read, fetched, isPart ? selection : nil)
            }
            next = end
        }
    }

    private func decode(
        _ read: Read, _ fetched: FetchedBytes, _ wanted: RowSelection?
    ) throws(FirnError) -> ChunkData {
        var reader = try ChunkReader(
            leaf: read.leaf, chunk: group.columns[read.leaf.column], source: file.source, decompressor: decompressor,
            page: page)
        if let pages = read.pages { return try reader.decode(pages, dictionary: read.ranges[0], in: fetched) }
        // A chunk without values need not exist: some writers give it neither pages nor a place.
        let block = read.chunk.isEmpty ? .init(bytes: [], base: read.chunk.lowerBound) : fetched.block(read.chunk)
        return try reader.decode(read.chunk, in: block, rowCount: group.rowCount, wanted: wanted)
    }

    /// Where a chunk lies, checked against the file; empty for one without values.
    static func range(
        _ chunk: ParquetFooter.ColumnChunk, _ leaf: SchemaLeaf, _ file: FileBytes
    ) throws(FirnError) -> Range<Int> {
        if chunk.valueCount == 0 { return 0..<0 }
        var start = chunk.dataPageOffset
        if let dictionary = chunk.dictionaryPageOffset, dictionary > 0 { start = min(start, dictionary) }
        guard start >= 4, start <= file.fileBytes, chunk.compressedBytes <= file.fileBytes - start else {
            throw FirnError(
                .corrupted, "malformed_parquet",
                "a column chunk of \(chunk.compressedBytes) bytes at \(start) passes the end of the file",
                context: ["file": file.source, "column": leaf.name, "offset": String(start)])
        }
        do {
            try checkEntries(chunk.valueCount, stored: chunk.compressedBytes, source: file.source)
        } catch { throw error.adding(["column": leaf.name]) }
        return start..<min(file.fileBytes, start + chunk.compressedBytes + file.uncountedBytes)
    }

    /// Refuses counts that the stored bytes cannot account for, before memory is taken for them.
    static func checkEntries(_ count: Int, stored: Int, source: String) throws(FirnError) {
        let most = ParquetLimits.chunkEntriesFree + stored * ParquetLimits.chunkEntriesPerByte
        guard count <= most else {
            throw FirnError(
                .corrupted, "malformed_parquet", "\(count) values are claimed to lie in \(stored) bytes",
                context: ["file": source])
        }
        guard count <= ParquetLimits.chunkEntriesMax else {
            throw FirnError(
                .limitExceeded, "row_group_too_large", "a row group of \(count) values is more than can be read",
                context: ["file": source])
        }
    }

    // MARK: Page index

    /// The usable offset indexes of some columns.
    private func offsetIndexes(_ leaves: [SchemaLeaf]) throws -> [Int: ParquetPageIndex] {
        try Self.pageIndexes(leaves, group, file, bounds: false)
    }

    /// The page indexes of some columns, without those that the file lacks or that contradict themselves.
    static func pageIndexes(
        _ leaves: [SchemaLeaf], _ group: ParquetFooter.RowGroup, _ file: FileBytes, bounds: Bool
    ) throws -> [Int: ParquetPageIndex] {
        var wanted: [(leaf: SchemaLeaf, place: IndexPlace)] = []
        for leaf in leaves {
            if let place = try? IndexPlace(group.columns[leaf.column], leaf, file, bounds: bounds) {
                wanted.append((leaf, place))
            }
        }
        let fetched = try file.fetch(wanted.flatMap(\.place.ranges))
        var found: [Int: ParquetPageIndex] = [:]
        for (leaf, place) in wanted {
            found[leaf.column] = try? place.read(fetched, rowCount: group.rowCount, source: file.source)
        }
        return found
    }
}

/// Where the page index of a chunk lies.
struct IndexPlace {
    let chunk: Range<Int>
    let offsetIndex: Range<Int>
    let columnIndex: Range<Int>?

    /// Nil when the chunk has no offset index. Throws `.corrupted` for one outside the file.
    init?(
        _ chunk: ParquetFooter.ColumnChunk, _ leaf: SchemaLeaf, _ file: FileBytes, bounds: Bool
    ) throws(FirnError) {
        guard let offset = chunk.offsetIndexOffset, let count = chunk.offsetIndexBytes, chunk.valueCount > 0 else {
            return nil
        }
        self.chunk = try RowGroupReader.range(chunk, leaf, file)
        offsetIndex = try Self.range(offset, count, leaf, file)
        if bounds, let offset = chunk.columnIndexOffset, let count = chunk.columnIndexBytes {
            columnIndex = try Self.range(offset, count, leaf, file)
        } else {
            columnIndex = nil
        }
    }

    private static func range(
        _ offset: Int, _ count: Int, _ leaf: SchemaLeaf, _ file: FileBytes
    ) throws(FirnError) -> Range<Int> {
        guard offset <= file.fileBytes, count <= file.fileBytes - offset, count <= ParquetLimits.footerBytesMax else {
            throw FirnError(
                .corrupted, "malformed_parquet", "a page index of \(count) bytes at \(offset) passes the file's end",
                context: ["file": file.source, "column": leaf.name, "offset": String(offset)])
        }
        return offset..<offset + count
    }

    var ranges: [Range<Int>] { [offsetIndex] + (columnIndex.map { [$0] } ?? []) }

    func read(_ fetched: FetchedBytes, rowCount: Int, source: String) throws(FirnError) -> ParquetPageIndex {
        func bytes(_ range: Range<Int>) -> (bytes: [UInt8], offset: Int) {
            if range.isEmpty { return ([], range.lowerBound) }
            let block = fetched.block(range)
            return (Array(block.bytes[range.lowerBound - block.base..<range.upperBound - block.base]), range.lowerBound)
        }
        return try PageIndexReader(chunk: chunk, rowCount: rowCount, source: source).read(
            offsetIndex: bytes(offsetIndex), columnIndex: columnIndex.map(bytes))
    }
}
