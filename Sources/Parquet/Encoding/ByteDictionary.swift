import Base
import Glibc

/// Distinct byte strings in order of first appearance, found through a table with linear probing; a slot holds 32
/// bits of the hash beside the index, so that a probe seldom touches the strings.
final class ByteDictionary {
    /// As in `WordDictionary`.
    private static let probesMax = 64

    let bytes = Buffer<UInt8>()
    /// One more than there are entries.
    let offsets = Buffer<Int32>([0])
    /// Hash in the high half, index + 1 in the low; 0 for a free slot.
    private var table = Buffer<UInt64>(repeating: 0, count: 512)

    var count: Int { offsets.count - 1 }
    var memoryBytes: Int { bytes.byteCapacity + offsets.byteCapacity + table.byteCapacity }
    /// Bytes of the dictionary page when each entry has its length before it.
    var lengthPrefixedBytes: Int { bytes.count + count * 4 }

    func entry(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        let start = Int(offsets[index])
        return UnsafeBufferPointer(rebasing: bytes.values[start..<Int(offsets[index + 1])])
    }

    /// Writes the index of each string to `out`, adding the new ones; false when the dictionary would pass `bytesMax`.
    func encode(_ strings: ByteStrings, into out: UnsafeMutablePointer<UInt32>, bytesMax: Int) -> Bool {
        // Held in locals: reading a class's property costs an exclusivity check each time.
        var slots = table.mutableValues.baseAddress!
        var mask = table.count &- 1
        var held = bytes.pointer
        var starts = offsets.pointer
        for position in 0..<strings.count {
            let (source, length) = strings[position]
            let hash = Self.hash(source, length)
            let tag = hash & 0xffff_ffff_0000_0000
            var slot = Int(truncatingIfNeeded: hash) & mask
            var probes = 0
            while true {
                let entry = slots[slot]
                if entry == 0 {
                    guard let index = insert(source, length, tag, slot, bytesMax) else { return false }
                    out[position] = index
                    slots = table.mutableValues.baseAddress!
                    mask = table.count &- 1
                    held = bytes.pointer
                    starts = offsets.pointer
                    break
                }
                if entry & 0xffff_ffff_0000_0000 == tag {
                    let index = Int(truncatingIfNeeded: entry & 0xffff_ffff) &- 1
                    let start = Int(starts[index])
                    if Int(starts[index &+ 1]) &- start == length, Self.equal(held + start, source, length) {
                        out[position] = UInt32(truncatingIfNeeded: index)
                        break
                    }
                }
                slot = (slot &+ 1) & mask
                probes &+= 1
                if probes > Self.probesMax { return false }
            }
        }
        return true
    }

    private func insert(
        _ source: UnsafePointer<UInt8>, _ length: Int, _ tag: UInt64, _ slot: Int, _ bytesMax: Int
    ) -> UInt32? {
        guard lengthPrefixedBytes + length + 4 <= bytesMax else { return nil }
        bytes.append(UnsafeBufferPointer(start: source, count: length))
        offsets.append(Int32(bytes.count))
        table.mutableValues[slot] = tag | UInt64(count)
        if count * 2 > table.count { grow() }
        return UInt32(count - 1)
    }

    private func grow() {
        let wider = Buffer<UInt64>(repeating: 0, count: table.count * 4)
        let slots = wider.mutableValues
        let mask = slots.count - 1
        for index in 0..<count {
            let text = entry(index)
            let hash = text.baseAddress.map { Self.hash($0, text.count) } ?? Self.hash(bytes.pointer, 0)
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = hash & 0xffff_ffff_0000_0000 | UInt64(index + 1)
        }
        table = wider
    }

    @inline(__always)
    static func equal(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        if length <= 8 { return ByteOrder.prefix(a, length) == ByteOrder.prefix(b, length) }
        return memcmp(a, b, length) == 0
    }

    @inline(__always)
    private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always)
    private static func hash(_ source: UnsafePointer<UInt8>, _ length: Int) -> UInt64 {
        let k0: UInt64 = 0xa076_1d64_78bd_642f
        let k1: UInt64 = 0xe703_7ed1_a0b4_28db
        let raw = UnsafeRawPointer(source)
        let seed = UInt64(truncatingIfNeeded: length) ^ k1
        if length <= 8 { return mix(ByteOrder.prefix(source, length) ^ k0, seed) }
        var state = seed
        var at = 0
        while at &+ 16 < length {
            let a = raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            let b = raw.loadUnaligned(fromByteOffset: at &+ 8, as: UInt64.self)
            state = mix(a ^ k0, b ^ state)
            at &+= 16
        }
        // The last 16 bytes, overlapping what came before; a string of 9 to 15 takes two overlapping words.
        let a = raw.loadUnaligned(fromByteOffset: max(0, length &- 16), as: UInt64.self)
        let b = raw.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        return mix(a ^ k0, b ^ state)
    }
}

/// Byte strings of one column, by position: those with lengths of their own, or of one width.
///
/// Holds pointers into the column's buffers, and is good as long as they are.
struct ByteStrings {
    let count: Int
    private let base: UnsafePointer<UInt8>
    /// Nil for strings of `width` bytes.
    private let ends: UnsafePointer<Int32>?
    private let width: Int
    private let start: Int
    private let slots: UnsafePointer<Int32>?

    init(_ values: LeafValues, bytes: Buffer<UInt8>, offsets: Buffer<Int32>?, width: Int) {
        count = values.count
        base = UnsafePointer(bytes.pointer)
        ends = offsets.map { UnsafePointer($0.pointer) }
        self.width = width
        start = values.start
        slots = values.slots
    }

    @inline(__always)
    subscript(_ position: Int) -> (start: UnsafePointer<UInt8>, count: Int) {
        var slot = start &+ position
        if let slots { slot = Int(slots[position]) }
        guard let ends else { return (base + slot &* width, width) }
        let low = Int(ends[slot])
        return (base + low, Int(ends[slot &+ 1]) &- low)
    }

    /// Bytes of all strings together.
    var byteCount: Int {
        guard ends != nil else { return count * width }
        var total = 0
        for position in 0..<count { total &+= self[position].count }
        return total
    }
}

/// Unsigned bytewise order.
enum ByteOrder {
    /// The first 8 bytes as a big-endian number, zeros after the end: orders like the bytes as far as it goes.
    ///
    /// Precondition: 8 bytes may be read at `source`.
    @inline(__always)
    static func prefix(_ source: UnsafePointer<UInt8>, _ length: Int) -> UInt64 {
        let word = UInt64(bigEndian: UnsafeRawPointer(source).loadUnaligned(as: UInt64.self))
        if length >= 8 { return word }
        if length == 0 { return 0 }
        return word & (~0 &<< UInt64(64 &- length &* 8))
    }

    @inline(__always)
    static func less(
        _ a: UnsafePointer<UInt8>, _ aCount: Int, _ b: UnsafePointer<UInt8>, _ bCount: Int
    ) -> Bool {
        let order = memcmp(a, b, min(aCount, bCount))
        return order < 0 || order == 0 && aCount < bCount
    }
}
