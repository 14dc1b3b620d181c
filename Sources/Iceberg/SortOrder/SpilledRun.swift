import Base
import Columnar

/// Rows in order, put aside in a file: the buffers of one block of rows after the other, as they lie in memory.
///
/// What the blocks hold is known here and not read from the file, which no other process can reach.
final class SpilledRun {
    private struct Block {
        let offset: Int
        let rowCount: Int
        /// Of each column in turn, children included: its nulls and, where offsets count something, how many.
        let counts: [Int]
    }

    private let schema: Schema
    /// Of its rows; nil when they are as they came.
    let coding: TextCoding?
    private let file: any SpillFile
    private var blocks: [Block] = []
    /// Of the largest block in memory.
    private(set) var blockBytesMax = 0

    init(schema: Schema, coding: TextCoding? = nil, file: any SpillFile) {
        self.schema = schema
        self.coding = coding
        self.file = file
    }

    var blockCount: Int { blocks.count }
    var byteCount: Int { file.byteCount }

    /// Precondition: the offsets of the batch's columns begin at 0, as those of gathered rows do.
    func append(_ batch: RecordBatch) throws(FirnError) {
        let offset = file.byteCount
        var counts: [Int] = []
        for column in batch.columns { try write(column, &counts) }
        blocks.append(Block(offset: offset, rowCount: batch.rowCount, counts: counts))
        blockBytesMax = max(blockBytesMax, batch.byteCount)
    }

    private func write(_ column: Column, _ counts: inout [Int]) throws(FirnError) {
        let rows = column.rowCount
        counts.append(column.nullCount)
        if let validity = column.validity { try write(validity, rows) }
        switch column.storage {
        case .boolean(let b): try write(b, rows)
        case .int32(let b): try write(b, rows)
        case .int64(let b): try write(b, rows)
        case .float(let b): try write(b, rows)
        case .double(let b): try write(b, rows)
        case .decimal(let b): try write(b, rows)
        case .fixed(let b, let width): try write(b, rows * width)
        case .bytes(let offsets, let bytes):
            counts.append(try write(offsets: offsets, rows))
            try write(bytes, Int(offsets[rows]))
        case .structure(let children):
            for child in children { try write(child, &counts) }
        case .list(let offsets, let children), .map(let offsets, let children):
            counts.append(try write(offsets: offsets, rows))
            for child in children { try write(child, &counts) }
        }
    }

    private func write(offsets: Buffer<Int32>, _ rows: Int) throws(FirnError) -> Int {
        precondition(offsets[0] == 0, "offsets that begin elsewhere")
        try write(offsets, rows + 1)
        return Int(offsets[rows])
    }

    private func write<T>(_ buffer: Buffer<T>, _ count: Int) throws(FirnError) {
        guard count > 0 else { return }
        try file.append(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer.values[..<count])))
    }

    func read(block index: Int) throws(FirnError) -> RecordBatch {
        let block = blocks[index]
        var reading = Reading(offset: block.offset, counts: block.counts[...])
        var columns: [Column] = []
        for field in schema.fields { columns.append(try read(field.type, block.rowCount, &reading)) }
        return RecordBatch(schema: schema, columns: columns, rowCount: block.rowCount)
    }

    private struct Reading {
        var offset: Int
        var counts: ArraySlice<Int>
    }

    private func read(_ type: DataType, _ rows: Int, _ at: inout Reading) throws(FirnError) -> Column {
        let nulls = at.counts.removeFirst()
        let validity: Buffer<UInt8>? = nulls > 0 ? try buffer(rows, &at) : nil
        let storage: Column.Storage
        switch type {
        case .boolean, .unknown: storage = .boolean(try buffer(rows, &at))
        case .int, .date: storage = .int32(try buffer(rows, &at))
        case .long, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs:
            storage = .int64(try buffer(rows, &at))
        case .float: storage = .float(try buffer(rows, &at))
        case .double: storage = .double(try buffer(rows, &at))
        case .decimal: storage = .decimal(try buffer(rows, &at))
        case .uuid: storage = .fixed(try buffer(rows * 16, &at), width: 16)
        case .fixed(let width): storage = .fixed(try buffer(rows * width, &at), width: width)
        case .string, .binary:
            let bytes = at.counts.removeFirst()
            let offsets: Buffer<Int32> = try buffer(rows + 1, &at)
            storage = .bytes(offsets: offsets, bytes: try buffer(bytes, &at))
        case .structure(let type): storage = .structure(try children(type.fields.map(\.type), rows, &at))
        case .variant: storage = .structure(try children([.binary, .binary], rows, &at))
        case .list(let type):
            let items = at.counts.removeFirst()
            let offsets: Buffer<Int32> = try buffer(rows + 1, &at)
            storage = .list(offsets: offsets, element: try children([type.element], items, &at))
        case .map(let type):
            let items = at.counts.removeFirst()
            let offsets: Buffer<Int32> = try buffer(rows + 1, &at)
            storage = .map(offsets: offsets, entries: try children([type.key, type.value], items, &at))
        }
        return Column(type: type, rowCount: rows, validity: validity, nullCount: nulls, storage: storage)
    }

    private func children(_ types: [DataType], _ rows: Int, _ at: inout Reading) throws(FirnError) -> [Column] {
        var children: [Column] = []
        for type in types { children.append(try read(type, rows, &at)) }
        return children
    }

    private func buffer<T>(_ count: Int, _ at: inout Reading) throws(FirnError) -> Buffer<T> {
        let buffer = Buffer<T>(capacity: count)
        guard count > 0 else { return buffer }
        let bytes = count * MemoryLayout<T>.stride
        try file.read(into: UnsafeMutableRawBufferPointer(start: buffer.pointer, count: bytes), at: at.offset)
        buffer.commit(count)
        at.offset += bytes
        return buffer
    }
}
