import Base
import Columnar
import TestSupport
import Testing

@testable import Iceberg

/// Stretches of rows along the curve are narrow in every one of its columns.
@Suite struct ZOrderTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "user", required: false, type: .long),
        Field(id: 2, name: "at", required: false, type: .timestamptz),
        Field(id: 3, name: "url", required: false, type: .string),
        Field(
            id: 4, name: "s", required: false,
            type: .structure(StructType(fields: [Field(id: 5, name: "n", required: false, type: .double)]))),
    ])

    /// Columns of very different ranges; text with a long common beginning.
    private static func batch(_ random: SeededRandom, rows: Int) -> RecordBatch {
        let builder = BatchBuilder(schema)
        for _ in 0..<rows {
            builder.columns[0].append(
                random.chance(1, in: 50) ? .null : .long(1_000_000_000_000 + Int64(random.next(below: 1000))))
            let micros = Int64(random.next(below: 5_000_000_000_000))
            builder.columns[1].append(.timestamptz(1_700_000_000_000_000 + micros))
            let number = random.next(below: 10_000)
            builder.columns[2].append(.string("https://shop.example.com/item/\(number)"))
            builder.columns[3].append(.structure([.double(Double(random.next(below: 1000)) / 7)]))
        }
        return builder.finish()
    }

    private static func sorted(_ order: RowOrder, _ batch: RecordBatch) throws -> [[Value]] {
        let sorter = ExternalSorter(order: order, schema: schema, holding: nil)
        try sorter.add(batch)
        var rows: [[Value]] = []
        try sorter.finish { rows += ExternalSorterTests.rows([$0]) }
        return rows
    }

    /// The share of stretches of 256 rows, as pages would be, that may hold some value of a column, on average.
    private static func stretchesRead(_ rows: [[Value]], _ column: Int) -> Double {
        let stretches = stride(from: 0, to: rows.count, by: 256).map { start in
            let values = rows[start..<min(start + 256, rows.count)].map { $0[column] }.filter { $0 != .null }
            return (
                values.min { ValueOrder.compare($0, $1) == .less }, values.max { ValueOrder.compare($0, $1) == .less }
            )
        }
        let probes = stride(from: 0, to: rows.count, by: 97).map { rows[$0][column] }.filter { $0 != .null }
        let hits = probes.reduce(0) { sum, probe in
            sum
                + stretches.filter { low, high in
                    guard let low, let high else { return false }
                    return ValueOrder.compare(low, probe) != .greater && ValueOrder.compare(probe, high) != .greater
                }.count
        }
        return Double(hits) / Double(probes.count * stretches.count)
    }

    @Test func stretchesAreNarrowInEveryColumn() throws {
        let random = SeededRandom(seed: 3)
        let batch = Self.batch(random, rows: 16_384)
        var sample = try ZOrderCurve.Sample(fieldIds: [1, 2, 3], schema: Self.schema)
        sample.add(batch)
        let curve = try Self.sorted(try #require(RowOrder(sample.curve(), schema: Self.schema)), batch)
        let plainOrder = try SortOrder(parsing: "user, at, url", schema: Self.schema)
        let plain = try Self.sorted(try #require(RowOrder(plainOrder, schema: Self.schema)), batch)
        // The same rows.
        func numbers(_ rows: [[Value]]) -> [String] { rows.map { "\($0)" }.sorted() }
        #expect(numbers(curve) == numbers(plain))
        // Sorted by the first column alone, every stretch has the whole range of the others. 64 stretches along the
        // curve are a grid of about 4 x 4 x 4, so a value of any column meets a quarter of them and some that straddle.
        #expect(Self.stretchesRead(plain, 1) > 0.9 && Self.stretchesRead(plain, 2) > 0.9)
        for column in 0..<3 { #expect(Self.stretchesRead(curve, column) < 0.6, "column \(column)") }
        // Nulls come first in their column: all of them within the first half of the curve.
        let nulls = curve.indices.filter { curve[$0][0] == .null }
        #expect(!nulls.isEmpty && nulls.allSatisfy { $0 < curve.count / 2 + 256 })
    }

    /// Batches that are sampled thinly give about the same curve as one that is sampled whole.
    @Test func samplesAreThinnedEvenly() throws {
        let random = SeededRandom(seed: 4)
        var sample = try ZOrderCurve.Sample(fieldIds: [2, 5], schema: Self.schema)
        let batch = Self.batch(random, rows: 8192)
        for _ in 0..<12 { sample.add(batch) }
        let rows = try Self.sorted(try #require(RowOrder(sample.curve(), schema: Self.schema)), batch)
        #expect(Self.stretchesRead(rows, 1) < 0.4)
    }

    @Test func columnsAreChecked() {
        for ids in [[], [1, 1], [4], [9], Array(1...17)] {
            let error = #expect(throws: FirnError.self) {
                try ZOrderCurve.Sample(fieldIds: ids, schema: Self.schema)
            }
            #expect(error?.code == "bad_sort")
        }
    }

    @Test func emptySamplesGiveSomeCurve() throws {
        let sample = try ZOrderCurve.Sample(fieldIds: [1, 5], schema: Self.schema)
        let batch = Self.batch(SeededRandom(seed: 5), rows: 100)
        #expect(try Self.sorted(try #require(RowOrder(sample.curve(), schema: Self.schema)), batch).count == 100)
    }
}
