import Base

/// Distinct byte strings, numbered in order of appearance; the empty one is 0. Found through a table with linear
/// probing.
public final class TextDictionary {
    private struct Slot: BitwiseCopyable {
        var hash: UInt32
        /// 0 for a free slot: the empty string needs none.
        var index: UInt32
    }

    private let bytes = Buffer<UInt8>()
    /// One more than there are strings.
    private let offsets = Buffer<Int32>([0, 0])
    private var table = Buffer<Slot>(repeating: Slot(hash: 0, index: 0), count: 1024)
    private var valueCount = 0

    public init() {}

    /// How many strings there are.
    public var count: Int { offsets.count - 1 }
    public var byteCount: Int { bytes.byteCapacity + offsets.byteCapacity + table.byteCapacity }
    /// True when values occurred twice or more on average.
    public var isWorthIt: Bool { (count - 1) * 2 <= valueCount }

    /// The strings, as the rows of a column.
    public func values(_ type: DataType) -> Column {
        Column(
            type: type, rowCount: count, validity: nil, nullCount: 0, storage: .bytes(offsets: offsets, bytes: bytes))
    }

    /// The number of each string, 0 for a null's; nil when the dictionary would pass `bytesMax`.
    public func encode(_ ends: Buffer<Int32>, _ content: Buffer<UInt8>, rows: Int, bytesMax: Int) -> Buffer<Int32>? {
        let output = Buffer<Int32>(capacity: rows)
        let (to, starts, base) = (output.pointer, ends.pointer, UnsafePointer(content.pointer))
        var (slots, mask) = (table.pointer, table.count &- 1)
        var (known, places) = (UnsafePointer(bytes.pointer), offsets.pointer)
        for row in 0..<rows {
            let start = base + Int(starts[row])
            let length = Int(starts[row &+ 1] &- starts[row])
            if length == 0 {
                to[row] = 0
                continue
            }
            let hash = Self.hash(start, length)
            var slot = Int(truncatingIfNeeded: hash) & mask
            while true {
                let held = slots[slot]
                if held.index == 0 {
                    guard insert(start, length, hash, slot, bytesMax) else { return nil }
                    (slots, mask) = (table.pointer, table.count &- 1)
                    (known, places) = (UnsafePointer(bytes.pointer), offsets.pointer)
                    to[row] = Int32(truncatingIfNeeded: count &- 1)
                    break
                }
                let place = Int(held.index)
                let at = Int(places[place])
                if held.hash == hash, Int(places[place &+ 1]) &- at == length,
                    ByteRuns.commonPrefix(known + at, start, length) == length
                {
                    to[row] = Int32(truncatingIfNeeded: place)
                    break
                }
                slot = (slot &+ 1) & mask
            }
        }
        output.commit(rows)
        valueCount += rows
        return output
    }

    @inline(never)
    private func insert(
        _ start: UnsafePointer<UInt8>, _ length: Int, _ hash: UInt32, _ slot: Int, _ bytesMax: Int
    ) -> Bool {
        guard byteCount + length <= bytesMax, bytes.count + length <= Int(Int32.max) else { return false }
        bytes.append(UnsafeBufferPointer(start: start, count: length))
        offsets.append(Int32(bytes.count))
        table[slot] = Slot(hash: hash, index: UInt32(count - 1))
        if count * 2 >= table.count { grow() }
        return true
    }

    private func grow() {
        let wider = Buffer<Slot>(repeating: Slot(hash: 0, index: 0), count: table.count * 2)
        let mask = wider.count - 1
        for held in table.values where held.index != 0 {
            var slot = Int(held.hash) & mask
            while wider[slot].index != 0 { slot = (slot + 1) & mask }
            wider[slot] = held
        }
        table = wider
    }

    /// Sixteen bytes at a time, the last ones overlapping what came before.
    @inline(__always)
    private static func hash(_ start: UnsafePointer<UInt8>, _ length: Int) -> UInt32 {
        let raw = UnsafeRawPointer(start)
        var state = UInt64(truncatingIfNeeded: length) &* 0x9e37_79b9_7f4a_7c15
        if length < 8 {
            state = mix(state ^ ByteRuns.word(start, length, skip: 0), 0xe703_7ed1_a0b4_28db)
        } else {
            var at = 0
            while at &+ 16 < length {
                state = mix(word(raw, at) ^ 0xa076_1d64_78bd_642f, word(raw, at &+ 8) ^ state)
                at &+= 16
            }
            state = mix(word(raw, max(0, length &- 16)) ^ 0xa076_1d64_78bd_642f, word(raw, length &- 8) ^ state)
        }
        return UInt32(truncatingIfNeeded: state ^ state &>> 32)
    }

    @inline(__always) private static func word(_ raw: UnsafeRawPointer, _ at: Int) -> UInt64 {
        raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    }

    @inline(__always) private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
}
