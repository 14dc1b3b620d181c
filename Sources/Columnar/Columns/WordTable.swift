import Base

/// Distinct 64-bit words, numbered from 0 in order of appearance. Found through a table with linear probing.
public final class WordTable {
    /// By number.
    public private(set) var words = Buffer<Int64>()
    /// A number, or -1 for a free slot.
    private var slots = Buffer<Int32>(repeating: -1, count: 256)

    public init() {}

    public var count: Int { words.count }
    public var byteCount: Int { words.byteCapacity + slots.byteCapacity }

    /// Numbers `rows` words.
    ///
    /// Precondition: fewer than 2^31 distinct words.
    @inline(__always)
    func encode(rows: Int, _ word: (Int) -> Int64, _ assign: (Int, Int32) -> Void) {
        var last: Int64 = 0
        var lastNumber: Int32 = -1
        for row in 0..<rows {
            let next = word(row)
            if next != last || lastNumber < 0 {
                last = next
                lastNumber = number(of: next)
            }
            assign(row, lastNumber)
        }
    }

    @inline(__always)
    func number(of word: Int64) -> Int32 {
        let (table, known) = (slots.pointer, words.pointer)
        let mask = slots.count &- 1
        var slot = Self.slot(word) & mask
        while table[slot] >= 0 {
            if known[Int(table[slot])] == word { return table[slot] }
            slot = (slot &+ 1) & mask
        }
        return insert(word, slot)
    }

    @inline(never)
    private func insert(_ word: Int64, _ slot: Int) -> Int32 {
        let number = Int32(words.count)
        words.append(word)
        slots[slot] = number
        if words.count * 2 >= slots.count { grow() }
        return number
    }

    private func grow() {
        let wider = Buffer<Int32>(repeating: -1, count: slots.count * 4)
        let mask = wider.count - 1
        for number in 0..<words.count {
            var slot = Self.slot(words[number]) & mask
            while wider[slot] >= 0 { slot = (slot + 1) & mask }
            wider[slot] = Int32(number)
        }
        slots = wider
    }

    @inline(__always)
    private static func slot(_ word: Int64) -> Int {
        let product = UInt64(bitPattern: word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return Int(truncatingIfNeeded: product.high ^ product.low)
    }
}

extension WordTable {
    /// Numbers pairs of numbers that are not negative.
    public func encode(_ first: Buffer<Int32>, _ second: Buffer<Int32>, rows: Int) -> Buffer<Int32> {
        let output = Buffer<Int32>(capacity: rows)
        let (a, b, to) = (first.pointer, second.pointer, output.pointer)
        encode(rows: rows, { Int64(a[$0]) &<< 32 | Int64(b[$0]) }, { to[$0] = $1 })
        output.commit(rows)
        return output
    }

    /// The pair of a number.
    public func pair(_ number: Int) -> (first: Int32, second: Int32) {
        let word = words[number]
        return (Int32(truncatingIfNeeded: word >> 32), Int32(truncatingIfNeeded: word))
    }
}
