import Base
import Columnar

/// A row on its way to its place.
struct SortEntry: BitwiseCopyable {
    /// Equal keys leave the order open, or are equal rows.
    var key: UInt64
    var pick: RowPick
}

/// Sorts rows of several sources by their key columns; equal rows keep their order.
///
/// 1. The rows' key columns are packed into one word a row, from the first column on, each value in as few bits as
///    tell the values at hand apart: the bits that their range takes, without those that all share at either end, and
///    one for null. An id and a time, say, fit together; of text, what all begin with is left out.
/// 2. Rows that are in order already, as those of a stream often are, cost no more.
/// 3. Else they are sorted by these words alone, a byte at a time from the lowest (LSD radix sort), which is stable.
/// 4. Rows of equal words that the packing did not decide are sorted in turn, as a set of their own, from where the
///    packing ended: what they share takes no bits there, so each round looks further. A few are compared one by one.
struct KeySort {
    private let columns: [SortColumn]

    /// Sets of up to this many rows are compared one by one.
    private static let comparedMax = 24

    /// - Parameter sources: the key columns of each source, one a direction.
    init(_ sources: [[Column]], _ directions: [KeyDirection]) {
        columns = directions.enumerated().map { index, direction in
            SortColumn(sources.map { $0[index] }, direction)
        }
    }

    /// The number of bytes that sorting takes for a row.
    static let bytesPerRow = 2 * MemoryLayout<SortEntry>.stride + MemoryLayout<UInt64>.stride

    /// Below 0 when row `a` comes first, above when `b` does, 0 when the order leaves it open.
    func compare(_ a: RowPick, _ b: RowPick) -> Int {
        for column in columns {
            let order = column.compare(a, b)
            if order != 0 { return order }
        }
        return 0
    }

    /// Brings the rows into order; false when they stood in it.
    @discardableResult
    func sort(_ picks: Buffer<RowPick>) -> Bool {
        let count = picks.count
        guard count > 1, !columns.isEmpty else { return false }
        let (entries, spare) = (Buffer<SortEntry>(capacity: count), Buffer<SortEntry>(capacity: count))
        for pick in picks.values { entries.append(SortEntry(key: 0, pick: pick)) }
        let words = Buffer<UInt64>(capacity: count)
        let room = Room(entries: entries.pointer, spare: spare.pointer, words: words.pointer)
        let isMoved = withExtendedLifetime((entries, spare, words)) { sort(room, count) }
        if isMoved {
            let (to, from) = (picks.pointer, entries.pointer)
            for index in 0..<count { to[index] = from[index].pick }
        }
        return isMoved
    }

    private struct Room {
        let entries: UnsafeMutablePointer<SortEntry>
        let spare: UnsafeMutablePointer<SortEntry>
        let words: UnsafeMutablePointer<UInt64>
    }

    /// Rows that are equal up to a part of a column.
    private struct Tie {
        let range: Range<Int>
        let position: KeyPacking.Position
    }

    private func sort(_ room: Room, _ count: Int) -> Bool {
        var isMoved = false
        var ties = [Tie(range: 0..<count, position: .init())]
        while let tie = ties.popLast() {
            let start = room.entries + tie.range.lowerBound
            if tie.range.count <= Self.comparedMax {
                if insert(start, tie.range.count) { isMoved = true }
                continue
            }
            let entries = UnsafeMutableBufferPointer(start: start, count: tie.range.count)
            var packing = KeyPacking(entries: entries, words: room.words, position: tie.position)
            while packing.add(columns) {}
            if RadixSort.sort(start, room.spare, entries.count, bits: packing.bits) { isMoved = true }
            guard packing.position.column < columns.count else { continue }
            var low = 0
            while low < entries.count {
                var high = low + 1
                while high < entries.count, start[high].key == start[low].key { high += 1 }
                if high - low > 1 {
                    let range = tie.range.lowerBound + low..<tie.range.lowerBound + high
                    ties.append(Tie(range: range, position: packing.position))
                }
                low = high
            }
        }
        return isMoved
    }

    private func insert(_ entries: UnsafeMutablePointer<SortEntry>, _ count: Int) -> Bool {
        var isMoved = false
        for index in 1..<max(1, count) {
            let entry = entries[index]
            var place = index
            while place > 0, compare(entries[place - 1].pick, entry.pick) > 0 {
                entries[place] = entries[place - 1]
                place -= 1
            }
            entries[place] = entry
            if place != index { isMoved = true }
        }
        return isMoved
    }
}

/// Sorts by the lowest bits of the keys; see `KeySort`.
enum RadixSort {
    /// False when the entries stood in order. `bits` are used of every key.
    static func sort(
        _ entries: UnsafeMutablePointer<SortEntry>, _ spare: UnsafeMutablePointer<SortEntry>, _ count: Int, bits: Int
    ) -> Bool {
        var isOrdered = true
        for index in 1..<max(1, count) where entries[index].key < entries[index &- 1].key {
            isOrdered = false
            break
        }
        if isOrdered { return false }
        let digits = (bits + 7) / 8
        let places = Buffer<Int>(repeating: 0, count: 256 * digits)
        tally(entries, count, digits, into: places.pointer)
        var (from, to) = (entries, spare)
        for digit in 0..<digits {
            if move(from, to, count, shift: UInt64(digit * 8), places.pointer + digit * 256) { swap(&from, &to) }
        }
        if from != entries { entries.update(from: from, count: count) }
        return true
    }

    /// How many entries have each value of each byte.
    private static func tally(
        _ entries: UnsafeMutablePointer<SortEntry>, _ count: Int, _ digits: Int,
        into places: UnsafeMutablePointer<Int>
    ) {
        for index in 0..<count {
            var key = entries[index].key
            var base = 0
            for _ in 0..<digits {
                places[base &+ Int(truncatingIfNeeded: key & 0xff)] &+= 1
                key &>>= 8
                base &+= 256
            }
        }
    }

    /// Sorts by one byte; false when all have the same one there.
    private static func move(
        _ from: UnsafeMutablePointer<SortEntry>, _ to: UnsafeMutablePointer<SortEntry>, _ count: Int, shift: UInt64,
        _ places: UnsafeMutablePointer<Int>
    ) -> Bool {
        if places[Int(truncatingIfNeeded: from[0].key &>> shift & 0xff)] == count { return false }
        var sum = 0
        for value in 0..<256 {
            let found = places[value]
            places[value] = sum
            sum &+= found
        }
        for index in 0..<count {
            let entry = from[index]
            let value = Int(truncatingIfNeeded: entry.key &>> shift & 0xff)
            to[places[value]] = entry
            places[value] &+= 1
        }
        return true
    }
}
