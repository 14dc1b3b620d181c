import Base
import Columnar

/// Reads the rows of one row group a batch at a time, so that memory holds some pages a column and one batch, whatever
/// the row group's size, and what was just decompressed is still in the cache when it becomes columns.
///
/// 1. Every column reads on, a page at a time, until it has the rows of a batch or its chunk ends.
/// 2. The rows of the batch are cut off the front; what the last page holds beyond them starts the next batch.
///
/// Made by `ParquetFileReader.rows`. After an error it must be dropped.
public final class ParquetRowReader {
    private let projection: Schema
    private let plans: [ReadPlan]
    private let number: Int
    private let source: String
    private let rowCount: Int
    private var row = 0
    private var columns: [ChunkStream]

    init(
        projection: Schema, plans: [ReadPlan], group: ParquetFooter.RowGroup, number: Int, file: FileBytes
    ) throws {
        self.projection = projection
        self.plans = plans
        self.number = number
        source = file.source
        rowCount = group.rowCount
        var wanted: [Int: SchemaLeaf] = [:]
        for plan in plans { plan.collectLeaves(into: &wanted) }
        let places = try wanted.values.sorted { $0.column < $1.column }.map {
            (leaf: $0, range: try RowGroupReader.range(group.columns[$0.column], $0, file))
        }
        // A small row group comes with few requests; the columns of a large one are read side by side.
        let total = places.reduce(0) { $0 + $1.range.count }
        let isSmall = total <= ParquetLimits.requestBytesTarget
        let fetched = isSmall ? try file.fetch(places.map(\.range)) : nil
        let decompressor = PageDecompressor()
        let page = Buffer<UInt8>()
        columns = try places.map { leaf, range in
            let block = range.isEmpty ? nil : fetched?.block(range)
            return ChunkStream(
                reader: try ChunkReader(
                    leaf: leaf, chunk: group.columns[leaf.column], source: file.source, decompressor: decompressor,
                    page: page),
                pages: StoredPages(file: file, chunk: range, block: block))
        }
    }

    /// The next rows, at most `rowsMax` of them; nil at the end of the row group.
    public func next(rowsMax: Int = 1 << 16) throws -> RecordBatch? {
        let count = min(max(1, rowsMax), rowCount - row)
        guard count > 0 else {
            for column in columns { try column.finish() }
            return nil
        }
        var chunks: [Int: ChunkData] = [:]
        for index in columns.indices {
            chunks[columns[index].column] = try columns[index].take(rows: count, of: rowCount)
        }
        row += count
        let assembler = Assembler(chunks: chunks)
        let context = Assembler.Context(slotCount: count, floor: 0, depth: 0)
        var batch: [Column] = []
        for plan in plans {
            do throws(FirnError) {
                batch.append(try assembler.column(plan, context))
            } catch { throw error.adding(["file": source, "row-group": String(number)]) }
        }
        return RecordBatch(schema: projection, columns: batch, rowCount: count)
    }
}

/// One column of a `ParquetRowReader`.
private struct ChunkStream {
    var reader: ChunkReader
    var pages: StoredPages

    var column: Int { reader.column }

    mutating func take(rows count: Int, of rowCount: Int) throws -> ChunkData {
        while !reader.holds(rows: count) {
            guard let page = try reader.nextPage(from: &pages) else { break }
            try reader.append(page)
        }
        return try reader.take(rows: count)
    }

    /// Throws `.corrupted` when the chunk holds more than the row group's rows.
    func finish() throws(FirnError) { try reader.checkEmpty() }
}

/// The bytes of one column chunk, fetched on demand from front to back.
struct StoredPages {
    let file: FileBytes
    let chunk: Range<Int>
    /// What is in memory.
    private(set) var block: FetchedBytes.Block
    /// Where the next page starts in the file.
    var offset: Int

    /// Fetched at once; a page that is larger is fetched whole.
    private static let windowBytes = 1 << 20

    init(file: FileBytes, chunk: Range<Int>, block: FetchedBytes.Block?) {
        self.file = file
        self.chunk = chunk
        self.block = block ?? .init(bytes: [], base: chunk.lowerBound)
        offset = chunk.lowerBound
    }

    var isAtEnd: Bool { offset >= chunk.upperBound }
    /// The bytes from `offset` that are in memory.
    var held: Range<Int> {
        let start = offset - block.base
        return start..<max(start, min(block.bytes.count, chunk.upperBound - block.base))
    }
    /// True when all the rest of the chunk is in memory.
    var isWhole: Bool { block.base + held.upperBound >= chunk.upperBound }

    /// Brings at least `count` bytes from `offset` into memory, less only at the end of the chunk.
    mutating func require(_ count: Int) throws {
        let end = min(chunk.upperBound, offset + max(count, Self.windowBytes))
        guard count > held.count, block.base + held.upperBound < end else { return }
        let known = Array(block.bytes[held])
        let rest = try FooterReader.fetch(offset + known.count..<end, source: file.source, file.read)
        block = .init(bytes: known + rest, base: offset)
    }
}
