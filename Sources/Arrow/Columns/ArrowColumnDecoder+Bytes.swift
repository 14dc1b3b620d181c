import Base
import Columnar

/// Ends of runs, checked: none runs back, none passes the end.
struct ArrowOffsets {
    /// Rows + 1 entries.
    let values: Buffer<Int32>

    var last: Int { Int(values[values.count - 1]) }
}

/// Values of varying length.
extension ArrowColumnDecoder {
    /// The offsets of a column; a column without rows may leave them out.
    mutating func offsets(_ field: ArrowField, _ rows: Int, isWide: Bool) throws(FirnError) -> ArrowOffsets {
        let region = try regions.next()
        try regions.spend(rows + 1, 4)
        if rows == 0 { return ArrowOffsets(values: Buffer(repeating: 0, count: 1)) }
        try region.require(rows + 1, stride: isWide ? 8 : 4, field)
        let out = Buffer<Int32>(capacity: rows + 1)
        var before: Int32 = 0
        for row in 0...rows {
            let value = isWide ? Int32(exactly: region.load(row, as: Int64.self)) : region.load(row, as: Int32.self)
            guard let value, value >= before else {
                throw .malformedArrow("the offsets of '\(field.path)' run back or are too large")
            }
            out.pointer[row] = value
            before = value
        }
        out.commit(rows + 1)
        return ArrowOffsets(values: out)
    }

    mutating func fixedOffsets(_ field: ArrowField, _ rows: Int, _ size: Int) throws(FirnError) -> ArrowOffsets {
        try regions.spend(rows + 1, 4)
        guard size <= Int(Int32.max) / max(1, rows) else { throw Self.tooLarge }
        let out = Buffer<Int32>(capacity: rows + 1)
        for row in 0...rows { out.append(Int32(row * size)) }
        return ArrowOffsets(values: out)
    }

    mutating func bytes(
        _ field: ArrowField, _ rows: Int, _ live: Buffer<UInt8>?, isWide: Bool
    ) throws(FirnError) -> Column.Storage {
        let offsets = try self.offsets(field, rows, isWide: isWide)
        let region = try regions.next()
        let (first, last) = (Int(offsets.values[0]), offsets.last)
        guard last <= region.count else { throw .malformedArrow("the text of '\(field.path)' is cut off") }
        try regions.spend(last - first, 1)
        let text = Buffer<UInt8>(capacity: last - first)
        let ends = offsets.values.pointer
        guard first > 0 || Self.nullsHoldItems(offsets, live) else {
            text.append(UnsafeBufferPointer(rebasing: region.bytes.bindMemory(to: UInt8.self)[..<last]))
            return .bytes(offsets: offsets.values, bytes: text)
        }
        let source = region.bytes.bindMemory(to: UInt8.self)
        let packed = Buffer<Int32>(capacity: rows + 1)
        packed.append(0)
        for row in 0..<rows {
            if live == nil || live![row] != 0 {
                text.append(UnsafeBufferPointer(rebasing: source[Int(ends[row])..<Int(ends[row + 1])]))
            }
            packed.append(Int32(text.count))
        }
        return .bytes(offsets: packed, bytes: text)
    }

    private static func nullsHoldItems(_ offsets: ArrowOffsets, _ live: Buffer<UInt8>?) -> Bool {
        guard let live else { return false }
        let ends = offsets.values.pointer
        return (0..<live.count).contains { live[$0] == 0 && ends[$0] != ends[$0 + 1] }
    }

    /// Text in views: a length, then up to twelve bytes, or four of them and where all of them are.
    mutating func views(
        _ field: ArrowField, _ rows: Int, _ live: Buffer<UInt8>?
    ) throws(FirnError) -> Column.Storage {
        let region = try regions.next()
        try region.require(rows, stride: 16, field)
        try regions.spend(rows + 1, 4)
        var buffers: [ArrowRegion] = []
        for _ in 0..<(try regions.nextVariadicCount()) { buffers.append(try regions.next()) }
        let offsets = Buffer<Int32>(capacity: rows + 1)
        let text = Buffer<UInt8>()
        offsets.append(0)
        for row in 0..<rows {
            if live == nil || live![row] != 0 {
                let count = Int(region.load(row * 4, as: Int32.self))
                guard count >= 0, count < Int(Int32.max) - text.count else {
                    throw .malformedArrow("a view of '\(field.path)' has \(count) bytes")
                }
                try regions.spend(count, 1)
                var (source, start) = (region, row * 16 + 4)
                if count > 12 {
                    let index = Int(region.load(row * 4 + 2, as: Int32.self))
                    guard buffers.indices.contains(index) else {
                        throw .malformedArrow("a view of '\(field.path)' has no buffer \(index)")
                    }
                    (source, start) = (buffers[index], Int(region.load(row * 4 + 3, as: Int32.self)))
                }
                guard start >= 0, start <= source.count - count else {
                    throw .malformedArrow("a view of '\(field.path)' passes the end of its buffer")
                }
                text.append(
                    UnsafeBufferPointer(rebasing: source.bytes.bindMemory(to: UInt8.self)[start..<start + count]))
            }
            offsets.append(Int32(text.count))
        }
        return .bytes(offsets: offsets, bytes: text)
    }

    /// A list or map of these children, without the items that belong to no row.
    func list(
        _ offsets: ArrowOffsets, _ live: Buffer<UInt8>?, _ children: [Column],
        make: (Buffer<Int32>, [Column]) -> Column.Storage
    ) throws(FirnError) -> Column.Storage {
        let ends = offsets.values
        if ends[0] == 0, children.allSatisfy({ $0.rowCount == offsets.last }), !Self.nullsHoldItems(offsets, live) {
            return make(ends, children)
        }
        var items: [Int32] = []
        let packed = Buffer<Int32>(capacity: ends.count)
        packed.append(0)
        for row in 0..<ends.count - 1 {
            if live == nil || live![row] != 0 { items.append(contentsOf: ends[row]..<ends[row + 1]) }
            packed.append(Int32(items.count))
        }
        return make(packed, children.map { $0.taking(items) })
    }
}
