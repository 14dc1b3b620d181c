import Base
import Columnar

/// Lays the buffers of a batch out one after the other: the body of its message, and what its table says of it.
///
/// Every buffer starts at a multiple of eight bytes. Validity is left out of columns without nulls.
struct ArrowBodyEncoder {
    private(set) var body: [UInt8] = []
    /// Rows and nulls of every column, depth first.
    private(set) var nodes: [Int64] = []
    /// Offset and length of every buffer.
    private(set) var buffers: [Int64] = []

    mutating func add(_ column: Column) {
        nodes += [Int64(column.rowCount), Int64(column.nullCount)]
        // Nulls alone: there is nothing else to say.
        if column.type == .unknown { return }
        addValidity(column)
        switch column.storage {
        case .boolean(let values): addBits(values)
        case .int32(let values): addRaw(values)
        case .int64(let values): addRaw(values)
        case .float(let values): addRaw(values)
        case .double(let values): addRaw(values)
        case .decimal(let values): addRaw(values)
        case .fixed(let values, _): addRaw(values)
        case .bytes(let offsets, let bytes):
            addRaw(offsets)
            addRaw(bytes)
        case .structure(let children): for child in children { add(child) }
        case .list(let offsets, let element):
            addRaw(offsets)
            add(element[0])
        case .map(let offsets, let entries):
            addRaw(offsets)
            // The struct of key and value, which is never null.
            nodes += [Int64(entries[0].rowCount), 0]
            addEmpty()
            for entry in entries { add(entry) }
        }
    }

    private mutating func addValidity(_ column: Column) {
        if let validity = column.validity { addBits(validity) } else { addEmpty() }
    }

    private mutating func addEmpty() { buffers += [Int64(body.count), 0] }

    /// One bit a row, the lowest first.
    private mutating func addBits(_ values: Buffer<UInt8>) {
        let start = body.count
        body.append(contentsOf: repeatElement(0, count: (values.count + 7) / 8))
        for row in 0..<values.count where values[row] != 0 { body[start + (row >> 3)] |= 1 << UInt8(row & 7) }
        close(start)
    }

    /// The machine's own byte order is the format's.
    private mutating func addRaw<T: BitwiseCopyable>(_ values: Buffer<T>) {
        let start = body.count
        body.append(contentsOf: UnsafeRawBufferPointer(values.values))
        close(start)
    }

    private mutating func close(_ start: Int) {
        buffers += [Int64(start), Int64(body.count - start)]
        while body.count % 8 != 0 { body.append(0) }
    }
}
