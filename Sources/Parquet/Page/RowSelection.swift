/// Rows of a row group, as ascending ranges that neither overlap nor touch.
struct RowSelection: Equatable {
    private(set) var ranges: [Range<Int>] = []
    private(set) var count = 0

    init() {}

    /// All of `rowCount` rows.
    init(all rowCount: Int) { append(0..<rowCount) }

    /// Precondition: `rows` ascend.
    init(rows: [Int32]) {
        var start = 0
        for end in 1..<(rows.count + 1) where end == rows.count || rows[end] != rows[end - 1] &+ 1 {
            append(Int(rows[start])..<Int(rows[end - 1]) + 1)
            start = end
        }
    }

    var isEmpty: Bool { count == 0 }

    /// Precondition: `range` does not start before what is there.
    mutating func append(_ range: Range<Int>) {
        if range.isEmpty { return }
        guard let last = ranges.last, range.lowerBound <= last.upperBound else {
            ranges.append(range)
            count += range.count
            return
        }
        precondition(range.lowerBound >= last.lowerBound, "rows are added in order")
        let end = max(last.upperBound, range.upperBound)
        count += end - last.upperBound
        ranges[ranges.count - 1] = last.lowerBound..<end
    }

    func intersection(_ other: RowSelection) -> RowSelection {
        var result = RowSelection()
        var (a, b) = (0, 0)
        while a < ranges.count, b < other.ranges.count {
            let low = max(ranges[a].lowerBound, other.ranges[b].lowerBound)
            let high = min(ranges[a].upperBound, other.ranges[b].upperBound)
            if low < high { result.append(low..<high) }
            if ranges[a].upperBound < other.ranges[b].upperBound { a += 1 } else { b += 1 }
        }
        return result
    }

    func union(_ other: RowSelection) -> RowSelection {
        var result = RowSelection()
        var (a, b) = (0, 0)
        while a < ranges.count || b < other.ranges.count {
            let takesOwn =
                b == other.ranges.count
                || a < ranges.count && ranges[a].lowerBound <= other.ranges[b].lowerBound
            result.append(takesOwn ? ranges[a] : other.ranges[b])
            if takesOwn { a += 1 } else { b += 1 }
        }
        return result
    }

    func overlaps(_ range: Range<Int>) -> Bool {
        // The first range that ends after the start decides.
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound > range.lowerBound { high = middle } else { low = middle + 1 }
        }
        return !range.isEmpty && low < ranges.count && ranges[low].lowerBound < range.upperBound
    }

    /// The rows at ascending positions within the selection.
    func rows(at positions: [Int32]) -> [Int32] {
        if ranges.count == 1, ranges[0].lowerBound == 0 { return positions }
        var rows: [Int32] = []
        rows.reserveCapacity(positions.count)
        var range = 0
        // Positions before the current range.
        var passed = 0
        for position in positions {
            while Int(position) - passed >= ranges[range].count {
                passed += ranges[range].count
                range += 1
            }
            rows.append(Int32(ranges[range].lowerBound + Int(position) - passed))
        }
        return rows
    }

    /// Where the rows of `inner` stand within this selection. Precondition: `inner` is part of it.
    func positions(of inner: RowSelection) -> [Range<Int>] {
        var found: [Range<Int>] = []
        found.reserveCapacity(inner.ranges.count)
        var range = 0
        var passed = 0
        for wanted in inner.ranges {
            while ranges[range].upperBound <= wanted.lowerBound {
                passed += ranges[range].count
                range += 1
            }
            precondition(ranges[range].lowerBound <= wanted.lowerBound && wanted.upperBound <= ranges[range].upperBound)
            let start = passed + wanted.lowerBound - ranges[range].lowerBound
            found.append(start..<start + wanted.count)
        }
        return found
    }

    /// Every row, ascending.
    var rows: [Int32] {
        var rows: [Int32] = []
        rows.reserveCapacity(count)
        for range in ranges { rows.append(contentsOf: Int32(range.lowerBound)..<Int32(range.upperBound)) }
        return rows
    }
}
