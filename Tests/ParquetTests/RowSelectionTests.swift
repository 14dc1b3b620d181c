import Testing

@testable import Parquet

/// Against sets of row numbers.
@Suite struct RowSelectionTests {
    private func random(_ generator: inout Generator, below limit: UInt64) -> (RowSelection, Set<Int>) {
        let share = generator.below(11)
        let rows = (0..<Int(limit)).filter { _ in generator.below(10) < share }
        return (RowSelection(rows: rows.map { Int32($0) }), Set(rows))
    }

    @Test func behavesLikeASet() {
        var generator = Generator(seed: 3, nullPercent: 0, isRepetitive: false)
        for _ in 0..<400 {
            let limit = UInt64(1 + generator.below(40))
            let (a, rowsOfA) = random(&generator, below: limit)
            let (b, rowsOfB) = random(&generator, below: limit)
            #expect(a.rows.map { Int($0) } == rowsOfA.sorted() && a.count == rowsOfA.count)
            let both = a.intersection(b)
            #expect(Set(both.rows.map { Int($0) }) == rowsOfA.intersection(rowsOfB))
            #expect(a.union(b) == RowSelection(rows: rowsOfA.union(rowsOfB).sorted().map { Int32($0) }))
            #expect(both.count == rowsOfA.intersection(rowsOfB).count)
            let low = generator.below(limit)
            let range = low..<low + generator.below(5)
            #expect(a.overlaps(range) == range.contains { rowsOfA.contains($0) })
            let order = Dictionary(uniqueKeysWithValues: rowsOfA.sorted().enumerated().map { ($1, $0) })
            #expect(a.positions(of: both).flatMap { Array($0) } == both.rows.map { order[Int($0)]! })
            #expect(a.rows(at: both.rows.map { Int32(order[Int($0)]!) }) == both.rows)
        }
    }

    @Test func rangesThatTouchAreOne() {
        var selection = RowSelection()
        for range in [3..<5, 5..<5, 5..<9, 12..<13] { selection.append(range) }
        #expect(selection.ranges == [3..<9, 12..<13])
        #expect(RowSelection(rows: []).isEmpty)
        #expect(RowSelection(all: 0).ranges.isEmpty)
    }
}
