import Base

/// Distinct 4- or 8-byte values in order of first appearance, found through a table with linear probing; a slot holds
/// the value beside the index, so that a probe touches one cache line.
///
/// Values are bit patterns, so -0.0 and 0.0, and differing NaNs, are distinct and come back unchanged.
final class WordDictionary<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable> {
    /// A probe longer than this means a poor hash, perhaps a chosen one: the column goes on without a dictionary.
    private static var probesMax: Int { 64 }

    private struct Slot: BitwiseCopyable {
        var value: Word
        /// Index + 1 into `values`, 0 for a free slot.
        var index: UInt32
    }

    let values = Buffer<Word>()
    /// A power of two long, at most half full.
    private var table = Buffer<Slot>(repeating: Slot(value: 0, index: 0), count: 512)
    /// Positions of the values that were not in their first slot.
    private let misses = Buffer<Int32>()
    /// The upper bits of a hash choose the slot.
    private var shift = UInt64(64 - 9)

    var bytes: Int { values.count * MemoryLayout<Word>.size }
    var memoryBytes: Int { values.byteCapacity + table.byteCapacity }

    /// Stands for a value that was not in its first slot.
    private static var missed: UInt32 { .max }

    /// Appends the index of each value to `indices`. Returns false, with `indices` as before, when the dictionary
    /// would pass `bytesMax`.
    ///
    /// 1. All values look into their first slot, without a branch, so that the processor waits for many at once.
    /// 2. Those that were not there, new ones among them, probe on.
    @inline(__always)
    func encode(_ source: UnsafePointer<Word>, count: Int, into indices: Buffer<UInt32>, bytesMax: Int) -> Bool {
        indices.reserve(count)
        let out = indices.pointer + indices.count
        let slots = UnsafePointer(table.pointer)
        let shift = self.shift
        misses.removeAll()
        misses.reserve(count + 1)
        let missed = misses.pointer
        var missCount = 0
        for position in 0..<count {
            let value = source[position]
            let held = slots[Int(truncatingIfNeeded: Self.hash(value) &>> shift)]
            let index = held.value == value ? held.index &- 1 : Self.missed
            out[position] = index
            missed[missCount] = Int32(truncatingIfNeeded: position)
            missCount &+= index == Self.missed ? 1 : 0
        }
        if missCount > 0, !probe(source, missCount, out, bytesMax / MemoryLayout<Word>.size) { return false }
        indices.commit(count)
        return true
    }

    private func probe(
        _ source: UnsafePointer<Word>, _ missCount: Int, _ out: UnsafeMutablePointer<UInt32>, _ entriesMax: Int
    ) -> Bool {
        // Held in locals: reading a class's property costs an exclusivity check each time.
        var slots = table.pointer
        var mask = table.count &- 1
        var shift = self.shift
        let missed = misses.pointer
        for miss in 0..<missCount {
            let position = Int(missed[miss])
            let value = source[position]
            var slot = Int(truncatingIfNeeded: Self.hash(value) &>> shift)
            var held = slots[slot]
            var probes = 0
            while held.value != value || held.index == 0 {
                if held.index == 0 {
                    guard insert(value, slot, entriesMax) else { return false }
                    slots = table.pointer
                    mask = table.count &- 1
                    shift = self.shift
                    held.index = UInt32(truncatingIfNeeded: values.count)
                    break
                }
                slot = (slot &+ 1) & mask
                held = slots[slot]
                probes &+= 1
                if probes > Self.probesMax { return false }
            }
            out[position] = held.index &- 1
        }
        return true
    }

    @inline(never)
    private func insert(_ value: Word, _ slot: Int, _ entriesMax: Int) -> Bool {
        guard values.count < entriesMax else { return false }
        values.append(value)
        table.pointer[slot] = Slot(value: value, index: UInt32(truncatingIfNeeded: values.count))
        if values.count &* 2 >= table.count { grow() }
        return true
    }

    @inline(__always)
    private static func hash(_ value: Word) -> UInt64 {
        let wide = UInt64(truncatingIfNeeded: value)
        // Floating-point numbers differ in their upper bits, which multiplication would push out.
        let folded = Word.bitWidth == 64 ? wide ^ (wide &>> 32) : wide
        return folded &* 0x9e37_79b9_7f4a_7c15
    }

    private func grow() {
        // Small tables grow fast, large ones spare memory.
        let bits: UInt64 = table.count < 1 << 14 ? 2 : 1
        shift -= bits
        let wider = Buffer<Slot>(repeating: Slot(value: 0, index: 0), count: table.count << Int(bits))
        let slots = wider.pointer
        let mask = wider.count - 1
        for (index, value) in values.values.enumerated() {
            var slot = Int(truncatingIfNeeded: Self.hash(value) &>> shift)
            while slots[slot].index != 0 { slot = (slot + 1) & mask }
            slots[slot] = Slot(value: value, index: UInt32(index + 1))
        }
        table = wider
    }
}
