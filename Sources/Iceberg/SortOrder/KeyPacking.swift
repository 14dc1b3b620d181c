import Base
import Columnar

/// Packs the key columns of some rows into one word a row, in as few bits as tell these rows apart; see `KeySort`.
struct KeyPacking {
    /// How far the words tell rows apart.
    struct Position {
        /// Columns before this one are decided; the number of columns when all are.
        var column = 0
        /// Of a decimal, the half; of bytes, how many of them are decided, or `length` when all but it are.
        var part = 0

        static let length = -1
    }

    let entries: UnsafeMutableBufferPointer<SortEntry>
    /// Scratch, one an entry.
    let words: UnsafeMutablePointer<UInt64>
    private(set) var position: Position
    /// Bits used of the keys.
    private(set) var bits = 0

    init(entries: UnsafeMutableBufferPointer<SortEntry>, words: UnsafeMutablePointer<UInt64>, position: Position) {
        self.entries = entries
        self.words = words
        self.position = position
        for index in entries.indices { entries[index].key = 0 }
    }

    /// Adds the next part of the keys; false when that is all there is to add or all there is room for.
    mutating func add(_ columns: [SortColumn]) -> Bool {
        guard position.column < columns.count, bits < 64 else { return false }
        let column = columns[position.column]
        guard column.isBytes else {
            column.forEachWord(entries, part: position.part) { words[$0] = $1 }
            guard add(column) else { return false }
            if case .decimal = column.kind, position.part == 0 {
                position.part = 1
            } else {
                position = Position(column: position.column + 1)
            }
            return true
        }
        return addBytes(column)
    }

    private mutating func addBytes(_ column: SortColumn) -> Bool {
        let flip: UInt64 = column.direction.isDescending ? ~0 : 0
        if position.part == Position.length {
            for index in entries.indices {
                words[index] = UInt64(truncatingIfNeeded: column.bytes(entries[index].pick).count) ^ flip
            }
            guard add(column) else { return false }
            position = Position(column: position.column + 1)
            return true
        }
        let extent = extent(column, from: position.part)
        position.part = extent.skip
        for index in entries.indices {
            let (start, count) = column.bytes(entries[index].pick)
            words[index] = ByteRuns.word(start, count, skip: extent.skip) ^ flip
        }
        guard add(column) else { return false }
        guard extent.longest <= extent.skip + 8 else {
            position.part = extent.skip + 8
            return false
        }
        if extent.longest == extent.shortest {
            position = Position(column: position.column + 1)
        } else {
            position.part = Position.length
        }
        return true
    }

    /// What the values share: where they first differ, at or behind `skip`, and their lengths.
    private func extent(_ column: SortColumn, from skip: Int) -> (skip: Int, shortest: Int, longest: Int) {
        var (shortest, longest) = (Int.max, 0)
        var first: (start: UnsafePointer<UInt8>, count: Int)?
        var common = 0
        for entry in entries {
            if column.hasNulls, column.isNull(entry.pick) { continue }
            let (start, count) = column.bytes(entry.pick)
            shortest = min(shortest, count)
            longest = max(longest, count)
            guard let first else {
                first = (start, count)
                common = max(0, count - skip)
                continue
            }
            if common > 0 {
                common = ByteRuns.commonPrefix(first.start + skip, start + skip, min(common, max(0, count - skip)))
            }
        }
        guard first != nil else { return (skip, 0, 0) }
        return (skip + common, shortest, longest)
    }

    /// Adds the column's `words`, as many bits as there is room for; false when that is not all of them.
    private mutating func add(_ column: SortColumn) -> Bool {
        var (low, high, differing) = (UInt64.max, UInt64.min, UInt64(0))
        var nulls = 0
        var first: UInt64?
        for index in entries.indices {
            if column.hasNulls, column.isNull(entries[index].pick) {
                nulls &+= 1
                continue
            }
            let word = words[index]
            low = min(low, word)
            high = max(high, word)
            if let first { differing |= word ^ first } else { first = word }
        }
        let shift = UInt64(truncatingIfNeeded: differing == 0 ? 0 : differing.trailingZeroBitCount)
        let width = differing == 0 ? 0 : 64 - ((high &- low) &>> shift).leadingZeroBitCount
        let hasRank = nulls > 0 && nulls < entries.count
        let wanted = width + (hasRank ? 1 : 0)
        guard wanted > 0 else { return true }
        let taken = min(wanted, 64 - bits)
        let cut = UInt64(truncatingIfNeeded: wanted - taken)
        // The rank is the highest of the wanted bits, which may be more than a word has.
        let valueRank: UInt64 = hasRank && column.direction.nullsFirst ? 1 &<< UInt64(taken - 1) : 0
        let nullRank: UInt64 = hasRank && !column.direction.nullsFirst ? 1 &<< UInt64(taken - 1) : 0
        for index in entries.indices {
            let isNull = nulls > 0 && column.isNull(entries[index].pick)
            let value = isNull ? nullRank : ((words[index] &- low) &>> shift) >> cut | valueRank
            entries[index].key = entries[index].key << UInt64(taken) | value
        }
        bits += taken
        return cut == 0
    }
}
