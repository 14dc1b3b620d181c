import Base

/// Distinct 4- or 8-byte values in order of first appearance, found through a table with linear probing.
///
/// Values are bit patterns, so -0.0 and 0.0, and differing NaNs, are distinct and come back unchanged.
final class WordDictionary<Word: FixedWidthInteger & UnsignedInteger & BitwiseCopyable> {
    /// A probe longer than this means a poor hash, perhaps a chosen one: the column goes on without a dictionary.
    private static var probesMax: Int { 64 }

    let values = Buffer<Word>()
    /// Index + 1 into `values`, 0 for a free slot; a power of two long, at most half full.
    private var table = Buffer<UInt32>(repeating: 0, count: 512)

    var bytes: Int { values.count * MemoryLayout<Word>.size }
    var memoryBytes: Int { values.byteCapacity + table.byteCapacity }

    /// Appends the index of each value to `indices`. Returns false, with `indices` as before, when the dictionary
    /// would pass `bytesMax`.
    @inline(__always)
    func encode(_ source: UnsafePointer<Word>, count: Int, into indices: Buffer<UInt32>, bytesMax: Int) -> Bool {
        guard count > 0 else { return true }
        let entriesMax = bytesMax / MemoryLayout<Word>.size
        let start = indices.count
        indices.reserve(count)
        let out = indices.pointer + start
        var slots = table.mutableValues.baseAddress!
        var mask = table.count &- 1
        // Held in locals: reading a class's property costs an exclusivity check each time.
        var known = values.pointer
        var knownCount = values.count
        var last = ~source[0]
        var lastIndex: UInt32 = 0
        for position in 0..<count {
            let value = source[position]
            if value == last {
                out[position] = lastIndex
                continue
            }
            var slot = Self.hash(value) & mask
            var probes = 0
            while true {
                let held = slots[slot]
                if held == 0 {
                    if knownCount == entriesMax { return false }
                    values.append(value)
                    known = values.pointer
                    lastIndex = UInt32(truncatingIfNeeded: knownCount)
                    knownCount &+= 1
                    slots[slot] = UInt32(truncatingIfNeeded: knownCount)
                    if knownCount &* 2 > mask {
                        grow()
                        slots = table.mutableValues.baseAddress!
                        mask = table.count &- 1
                    }
                    break
                }
                if known[Int(held &- 1)] == value {
                    lastIndex = held &- 1
                    break
                }
                slot = (slot &+ 1) & mask
                probes &+= 1
                if probes > Self.probesMax { return false }
            }
            last = value
            out[position] = lastIndex
        }
        indices.commit(count)
        return true
    }

    @inline(__always)
    private static func hash(_ value: Word) -> Int {
        let mixed = UInt64(truncatingIfNeeded: value) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: (mixed ^ (mixed &>> 29)) &>> 20)
    }

    private func grow() {
        let wider = Buffer<UInt32>(repeating: 0, count: table.count * 4)
        let slots = wider.mutableValues
        let mask = slots.count - 1
        for (index, value) in values.values.enumerated() {
            var slot = Self.hash(value) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(index + 1)
        }
        table = wider
    }
}
