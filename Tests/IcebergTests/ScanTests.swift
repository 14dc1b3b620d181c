import Base
import Columnar
import Storage
import Testing

@testable import Iceberg

@Suite struct ScanTests {
    private static let day: Int64 = 86_400_000_000

    private func plan(_ table: TestTable, _ filter: Predicate) throws -> Set<String> {
        let plan = try ScanPlanner.plan(
            metadata: table.metadata, snapshot: table.metadata.currentSnapshot!, filter: filter, store: table.store)
        #expect(plan.filesTotal == plan.tasks.count + plan.filesSkipped)
        return Set(plan.tasks.map { String($0.dataFile.path.lastPathComponent.dropLast(8)) })
    }

    /// Day 10 and day 11 in one manifest, day 20 in another, no time at all in a third.
    private func days() throws -> TestTable {
        let table = try TestTable(spec: TestTable.byDay)
        try table.append([table.file("ten", partition: [.date(10)]), table.file("eleven", partition: [.date(11)])])
        try table.append([table.file("twenty", partition: [.date(20)])])
        try table.append([table.file("null", partition: [.null])])
        return table
    }

    /// A file without a time holds no row that passes a comparison; `notEqual` says nothing about days.
    @Test(
        arguments: [
            (.compare(fieldId: 2, .less, .timestamptz(11 * day)), ["ten"]),
            (.compare(fieldId: 2, .lessOrEqual, .timestamptz(11 * day)), ["ten", "eleven"]),
            (.compare(fieldId: 2, .greater, .timestamptz(12 * day - 1)), ["twenty"]),
            (.compare(fieldId: 2, .greaterOrEqual, .timestamptz(12 * day - 1)), ["eleven", "twenty"]),
            (.compare(fieldId: 2, .equal, .timestamptz(20 * day + 5)), ["twenty"]),
            (.compare(fieldId: 2, .notEqual, .timestamptz(20 * day + 5)), ["ten", "eleven", "twenty", "null"]),
            (.isIn(fieldId: 2, [.timestamptz(10 * day), .timestamptz(15 * day)]), ["ten"]),
            (.isNull(fieldId: 2), ["null"]), (.notNull(fieldId: 2), ["ten", "eleven", "twenty"]),
            (.not(.isNull(fieldId: 2)), ["ten", "eleven", "twenty"]),
            (.not(.compare(fieldId: 2, .less, .timestamptz(11 * day))), ["eleven", "twenty"]),
            (.alwaysFalse, []), (.alwaysTrue, ["ten", "eleven", "twenty", "null"]),
            (
                .and(
                    .compare(fieldId: 2, .greater, .timestamptz(10 * day)),
                    .or(.compare(fieldId: 2, .less, .timestamptz(11 * day)), .isNull(fieldId: 2))), ["ten"]
            ),
        ] as [(Predicate, Set<String>)])
    func partitionsPrune(filter: Predicate, expected: Set<String>) throws {
        #expect(try plan(try days(), filter) == expected)
    }

    @Test func manifestsPrune() throws {
        let table = try days()
        let plan = try ScanPlanner.plan(
            metadata: table.metadata, snapshot: table.metadata.currentSnapshot!,
            filter: .compare(fieldId: 2, .equal, .timestamptz(10 * Self.day)), store: table.store)
        #expect(plan.manifestsTotal == 3 && plan.manifestsSkipped == 1)
        #expect(plan.filesTotal == 4)
    }

    @Test(
        arguments: [
            (.compare(fieldId: 1, .less, .long(10)), ["b"]),
            (.compare(fieldId: 1, .lessOrEqual, .long(10)), ["a", "b"]),
            (.compare(fieldId: 1, .greater, .long(20)), ["b"]), (.compare(fieldId: 1, .equal, .long(25)), ["b"]),
            (.compare(fieldId: 1, .equal, .int(15)), ["a", "b"]),
            (.compare(fieldId: 1, .notEqual, .long(15)), ["a", "b"]),
            (.isNull(fieldId: 1), []), (.isNull(fieldId: 4), ["a", "b"]),
            (.compare(fieldId: 4, .equal, .string("lz")), ["a"]), (.startsWith(fieldId: 4, "l"), ["a"]),
            (.startsWith(fieldId: 4, "longer"), ["a"]), (.startsWith(fieldId: 4, "z"), ["b"]),
            (.compare(fieldId: 3, .greater, .double(100)), ["b"]),
            (.not(.compare(fieldId: 3, .less, .double(100))), ["a", "b"]),
            (.compare(fieldId: 3, .equal, .double(.nan)), []),
        ] as [(Predicate, Set<String>)])
    func boundsPrune(filter: Predicate, expected: Set<String>) throws {
        let table = try TestTable()
        // "long" is the truncated form of longer text; the bounds of the price of "b" are unknown.
        var a = table.file(
            "a",
            bounds: [
                1: (.long(10), .long(20)), 3: (.double(-1), .double(100)), 4: (.string("k"), .string("m")),
            ])
        a.lowerBounds[1] = [10, 0, 0, 0]
        var b = table.file("b", bounds: [1: (.long(0), .long(30)), 4: (.string("x"), .string("zz"))])
        b.lowerBounds[3] = SingleValue.encode(.double(.nan))
        try table.append([a, b])
        #expect(try plan(table, filter) == expected)
    }

    @Test func monotonicProjectionsNeverLoseRows() {
        let spec = PartitionSpec(fields: [
            PartitionField(sourceId: 1, fieldId: 1000, name: "p", transform: .truncate(10))
        ])
        let projection = PartitionProjection(spec: spec) { _ in .int }
        for literal in -25...25 {
            for value in -25...25 {
                for comparison in [
                    Predicate.Comparison.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual,
                ] {
                    let filter = Predicate.compare(fieldId: 1, comparison, .int(Int32(literal)))
                    let tuple = Transform.truncate(10).apply(.int(Int32(value)))
                    let row = Pruning.mayMatch(filter) { _ in FieldStatistics(exactly: .int(Int32(value))) }
                    let file = Pruning.mayMatch(projection.project(filter)) { _ in FieldStatistics(exactly: tuple) }
                    #expect(!row || file, "\(value) \(comparison) \(literal)")
                }
            }
        }
    }

    @Test func hoursBeyondTheirTypeDoNotPrune() {
        let spec = PartitionSpec(fields: [PartitionField(sourceId: 1, fieldId: 1000, name: "p", transform: .hour)])
        let projection = PartitionProjection(spec: spec) { _ in .timestamp }
        #expect(projection.project(.compare(fieldId: 1, .lessOrEqual, .timestamp(.max))) == .alwaysTrue)
    }
}
