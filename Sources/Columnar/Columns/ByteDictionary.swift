import Base
import Glibc

/// Distinct byte strings in order of first appearance, found through a table with linear probing.
///
/// A slot holds a key and the string's place beside the index. Of a string of up to 7 bytes the key is the string
/// itself with its length, of a longer one a hash with the length. So a short string is found in one cache line, and a
/// longer one is compared with its equal only.
public final class ByteDictionary {
    /// Strings that somebody chose to collide are refused rather than searched for without end.
    private static let probesMax = 64
    /// Stands for a string that was not in its first slot.
    private static let missed = UInt32.max

    private struct Slot: BitwiseCopyable {
        var key: UInt64
        /// Index + 1, 0 for a free slot.
        var index: UInt32
        /// Where the string starts among `bytes`.
        var start: UInt32
    }

    public let bytes = Buffer<UInt8>()
    /// One more than there are entries.
    public let offsets = Buffer<Int32>([0])
    private var table = Buffer<Slot>(repeating: Slot(key: 0, index: 0, start: 0), count: 512)
    /// Positions of the strings that were not in their first slot.
    private let misses = Buffer<Int32>()
    /// The upper bits of a mixed key choose the slot.
    private var shift = UInt64(64 - 9)

    public init() {}

    public var count: Int { offsets.count - 1 }
    public var memoryBytes: Int { bytes.byteCapacity + offsets.byteCapacity + table.byteCapacity }
    /// Bytes of the dictionary page when each entry has its length before it.
    public var lengthPrefixedBytes: Int { bytes.count + count * 4 }

    public func entry(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        let start = Int(offsets[index])
        return UnsafeBufferPointer(rebasing: bytes.values[start..<Int(offsets[index + 1])])
    }

    /// Writes the index of each string to `out`, adding the new ones; false when their length-prefixed bytes would pass
    /// `bytesMax`. What was added until then stays.
    ///
    /// 1. Each string is looked up in its first slot alone, without a branch to be guessed.
    /// 2. Those that were not there are searched for and, where they are new, inserted.
    public func encode(_ strings: ByteStrings, into out: UnsafeMutablePointer<UInt32>, bytesMax: Int) -> Bool {
        let slots = UnsafePointer(table.pointer)
        let shift = self.shift
        let known = UnsafePointer(bytes.pointer)
        misses.removeAll()
        misses.reserve(strings.count + 1)
        let missed = misses.pointer
        var missCount = 0
        for position in 0..<strings.count {
            let (source, length) = strings[position]
            let key = Self.key(source, length)
            let held = slots[Int(truncatingIfNeeded: Self.mixed(key) &>> shift)]
            var index = held.key == key ? held.index &- 1 : Self.missed
            if length >= 8 {
                // Up to 32 bytes are compared whatever the key says: that costs less than a wrong guess.
                let isSame =
                    length <= 32
                    ? Self.isEqual(known + Int(held.start), source, length)
                    : index != Self.missed && isSame(held, known, source, length)
                index = isSame ? index : Self.missed
            }
            out[position] = index
            missed[missCount] = Int32(truncatingIfNeeded: position)
            missCount &+= index == Self.missed ? 1 : 0
        }
        return missCount == 0 || probe(strings, missCount, out, bytesMax)
    }

    private func probe(
        _ strings: ByteStrings, _ missCount: Int, _ out: UnsafeMutablePointer<UInt32>, _ bytesMax: Int
    ) -> Bool {
        // Held in locals: reading a class's property costs an exclusivity check each time.
        var slots = table.pointer
        var mask = table.count &- 1
        var shift = self.shift
        var known = UnsafePointer(bytes.pointer)
        let missed = misses.pointer
        for miss in 0..<missCount {
            let position = Int(missed[miss])
            let (source, length) = strings[position]
            let key = Self.key(source, length)
            var slot = Int(truncatingIfNeeded: Self.mixed(key) &>> shift)
            var held = slots[slot]
            var probes = 0
            while true {
                if held.index == 0 {
                    guard insert(source, length, key, slot, bytesMax) else { return false }
                    slots = table.pointer
                    mask = table.count &- 1
                    shift = self.shift
                    known = UnsafePointer(bytes.pointer)
                    held.index = UInt32(truncatingIfNeeded: count)
                    break
                }
                if held.key == key, length < 8 || isSame(held, known, source, length) { break }
                slot = (slot &+ 1) & mask
                held = slots[slot]
                probes &+= 1
                if probes > Self.probesMax { return false }
            }
            out[position] = held.index &- 1
        }
        return true
    }

    private func isSame(
        _ held: Slot, _ known: UnsafePointer<UInt8>, _ source: UnsafePointer<UInt8>, _ length: Int
    ) -> Bool {
        // The key holds the length of strings shorter than this.
        if length >= 0xff, entry(Int(held.index) - 1).count != length { return false }
        return Self.isEqual(known + Int(held.start), source, length)
    }

    @inline(never)
    private func insert(
        _ source: UnsafePointer<UInt8>, _ length: Int, _ key: UInt64, _ slot: Int, _ bytesMax: Int
    ) -> Bool {
        guard lengthPrefixedBytes + length + 4 <= bytesMax else { return false }
        let start = UInt32(truncatingIfNeeded: bytes.count)
        bytes.append(UnsafeBufferPointer(start: source, count: length))
        offsets.append(Int32(bytes.count))
        table.pointer[slot] = Slot(key: key, index: UInt32(count), start: start)
        if count * 2 >= table.count { grow() }
        return true
    }

    private func grow() {
        // Small tables grow fast, large ones spare memory.
        let bits: UInt64 = table.count < 1 << 14 ? 2 : 1
        shift -= bits
        let old = table.values
        let wider = Buffer<Slot>(repeating: Slot(key: 0, index: 0, start: 0), count: table.count << Int(bits))
        let slots = wider.pointer
        let mask = wider.count - 1
        for held in old where held.index != 0 {
            var slot = Int(truncatingIfNeeded: Self.mixed(held.key) &>> shift)
            while slots[slot].index != 0 { slot = (slot + 1) & mask }
            slots[slot] = held
        }
        table = wider
    }

    /// Whether two strings of the same 8 bytes or more are equal.
    @inline(__always)
    private static func isEqual(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        guard length <= 32 else { return memcmp(a, b, length) == 0 }
        let (a, b) = (UnsafeRawPointer(a), UnsafeRawPointer(b))
        // Two words from either end cover up to 32 bytes, overlapping.
        let middle = min(8, length &- 8)
        let back = max(0, length &- 16)
        let last = length &- 8
        return difference(a, b, 0) | difference(a, b, middle) | difference(a, b, back) | difference(a, b, last) == 0
    }

    @inline(__always)
    private static func difference(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ at: Int) -> UInt64 {
        a.loadUnaligned(fromByteOffset: at, as: UInt64.self) ^ b.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    }

    @inline(__always)
    private static func mixed(_ key: UInt64) -> UInt64 { (key ^ (key &>> 32)) &* 0x9e37_79b9_7f4a_7c15 }

    @inline(__always)
    private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always)
    private static func key(_ source: UnsafePointer<UInt8>, _ length: Int) -> UInt64 {
        if length < 8 { return ByteRuns.word(source, length, skip: 0) | UInt64(truncatingIfNeeded: length) }
        let k0: UInt64 = 0xa076_1d64_78bd_642f
        let raw = UnsafeRawPointer(source)
        var state = UInt64(truncatingIfNeeded: length) ^ 0xe703_7ed1_a0b4_28db
        var at = 0
        while at &+ 16 < length {
            let a = raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            let b = raw.loadUnaligned(fromByteOffset: at &+ 8, as: UInt64.self)
            state = mix(a ^ k0, b ^ state)
            at &+= 16
        }
        // The last 16 bytes, overlapping what came before; a string of 8 to 15 takes two overlapping words.
        let a = raw.loadUnaligned(fromByteOffset: max(0, length &- 16), as: UInt64.self)
        let b = raw.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        return mix(a ^ k0, b ^ state) & ~0xff | UInt64(truncatingIfNeeded: min(length, 0xff))
    }
}

/// Byte strings by position: those with lengths of their own, or of one width.
///
/// Holds pointers into buffers, and is good as long as they are.
@frozen public struct ByteStrings {
    public let count: Int
    @usableFromInline let base: UnsafePointer<UInt8>
    /// Nil for strings of `width` bytes.
    @usableFromInline let ends: UnsafePointer<Int32>?
    @usableFromInline let width: Int
    @usableFromInline let start: Int
    @usableFromInline let slots: UnsafePointer<Int32>?

    /// `count` strings: those at `slots` or, without any, those from `start` on.
    public init(
        bytes: Buffer<UInt8>, offsets: Buffer<Int32>?, width: Int, start: Int, count: Int,
        slots: UnsafePointer<Int32>? = nil
    ) {
        self.count = count
        base = UnsafePointer(bytes.pointer)
        ends = offsets.map { UnsafePointer($0.pointer) }
        self.width = width
        self.start = start
        self.slots = slots
    }

    /// All strings of these buffers.
    public init(bytes: Buffer<UInt8>, offsets: Buffer<Int32>?, width: Int) {
        self.init(
            bytes: bytes, offsets: offsets, width: width, start: 0,
            count: offsets.map { $0.count - 1 } ?? bytes.count / max(1, width))
    }

    @inlinable @inline(__always)
    public subscript(_ position: Int) -> (start: UnsafePointer<UInt8>, count: Int) {
        var slot = start &+ position
        if let slots { slot = Int(slots[position]) }
        guard let ends else { return (base + slot &* width, width) }
        let low = Int(ends[slot])
        return (base + low, Int(ends[slot &+ 1]) &- low)
    }

    /// Bytes of all strings together.
    public var byteCount: Int {
        guard let ends else { return count * width }
        if slots == nil { return Int(ends[start + count]) - Int(ends[start]) }
        var total = 0
        for position in 0..<count { total &+= self[position].count }
        return total
    }
}
