import Base
import Columnar
import SQLiteKit
import Testing

@testable import Query

/// Expressions of wide decimals and of times compare as their columns do.
@Suite struct ComparedExpressionsTests {
    private static let source: FakeSource = {
        var source = FakeSource()
        let columns: [(String, DataType)] = [
            ("id", .int), ("w", .decimal(precision: 38, scale: 2)), ("tz", .timestamptz), ("s", .string), ("i", .int),
        ]
        let wide: [Int128?] = [900, 1000, 10_050, -500, nil]
        let micros: [Int64?] = [0, 500_000, 1_000_000, nil, 250_000]
        source.add(
            "p.t",
            batch(
                columns,
                zip(wide, micros).enumerated().map { row, pair in
                    [
                        .int(Int32(row + 1)), pair.0.map { .decimal($0, scale: 2) } ?? .null,
                        pair.1.map(Value.timestamptz) ?? .null, .string(row == 0 ? "9" : "10"), .int(Int32(row)),
                    ]
                }))
        source.add("p.other", batch([("id", .int)], [[.int(1)], [.int(2)], [.int(3)], [.int(4)], [.int(5)]]))
        return source
    }()

    private func ids(_ sql: String) throws -> [Int64?] {
        let rows = try Self.source.engine().execute(sql).rows()
        let slow = try Self.source.engine(pushesDown: false).execute(sql).rows()
        #expect(rows == slow, "\(sql)")
        return rows.map { if case .integer(let id) = $0[0] { id } else { nil } }
    }

    @Test(
        arguments: [
            ("coalesce(w, 0) > 9.5", [2, 3]), ("ifnull(w, '0') < 10", [1, 4, 5]), ("w > 9.5", [2, 3]),
            ("CASE WHEN id > 1 THEN w END < 9.5", [4]), ("CASE WHEN id > 1 THEN w ELSE 10 END = '10.0'", [1, 2]),
            ("iif(id < 3, w, -1) >= 9", [1, 2]), ("nullif(w, 10) IS NULL", [2, 5]), ("max(w, 9.5) = 9.5", [1, 4]),
            ("coalesce((nullif(w, 10)), (0)) BETWEEN -5 AND 0", [2, 4, 5]),
            ("coalesce(tz, '1970-01-01') < '1970-01-01T00:00:00.3Z'", [1, 4, 5]),
            ("coalesce(t.w, 0) IN (0, 10, 9.00)", [1, 2, 5]), ("- coalesce(w, 0) > 4", [4]),
            // Left as they are: texts, numbers, and what is of more than one kind.
            ("coalesce(s, '') > '10'", [1]), ("coalesce(i, 0) > 2", [4, 5]),
            ("CASE WHEN w > 9.5 THEN 1 ELSE 0 END = 1", [2, 3]),
            ("typeof(CASE WHEN w > 9.5 THEN 1 ELSE 0 END) = 'integer'", [1, 2, 3, 4, 5]),
        ] as [(String, [Int64])]) func conditions(_ condition: String, expected: [Int64]) throws
    {
        #expect(try ids("SELECT id FROM p.t WHERE \(condition) ORDER BY id") == expected)
    }

    @Test func ordersAndGroups() throws {
        #expect(try ids("SELECT id FROM p.t ORDER BY coalesce(w, 0)") == [4, 5, 1, 2, 3])
        #expect(try ids("SELECT id FROM p.t ORDER BY coalesce(tz, '1970-01-01T00:00:00.1Z')") == [1, 4, 5, 2, 3])
        #expect(try ids("SELECT id FROM p.t GROUP BY id HAVING max(w) > 9.5 ORDER BY max(w) DESC") == [3, 2])
        let join = "FROM p.t JOIN p.other o ON t.id = o.id"
        #expect(try ids("SELECT t.id \(join) GROUP BY t.id HAVING max(t.w) > 9.5 ORDER BY max(t.w) DESC") == [3, 2])
        let nested = "(SELECT t.id, max(w) AS m \(join) GROUP BY t.id)"
        let found = try ids("SELECT id FROM \(nested) WHERE m > 9.5 ORDER BY m")
        #expect(found == [2, 3])
        #expect(try ids("SELECT count(*) FROM p.t WHERE max(coalesce(w, 0), 20) > 19") == [5])
    }

    @Test func resultsAndTheirNamesStay() throws {
        func rows(_ sql: String) throws -> [[SQLValue]] { try Self.source.engine().execute(sql).rows() }
        let result = try Self.source.engine().execute(
            "SELECT coalesce(w, 0), max(w), nullif(w, 9) FROM p.t WHERE id = 5")
        #expect(result.columns.map(\.name) == ["coalesce(w, 0)", "max(w)", "nullif(w, 9)"])
        #expect(try rows("SELECT max(coalesce(w, 0)), min(coalesce(w, 0)) FROM p.t") == [["100.50", "-5.00"]])
        #expect(try rows("SELECT max(w), min(w) FROM p.t JOIN p.other o ON t.id = o.id") == [["100.50", "-5.00"]])
        // The name means something else here.
        #expect(
            try rows("WITH x(w) AS (SELECT 5) SELECT coalesce(w, 0) > 10, (SELECT count(*) FROM p.t) FROM x") == [
                [0, 5]
            ])
        #expect(try rows("SELECT coalesce(w, 0) > 10 FROM (SELECT i AS w FROM p.t) LIMIT 1") == [[0]])
        #expect(try rows("SELECT coalesce(w, 0) > 10 FROM (SELECT i w FROM p.t) LIMIT 1") == [[0]])
        #expect(try rows("SELECT id, max(w) OVER () FROM p.t ORDER BY id LIMIT 1") == [[1, "100.50"]])
        #expect(try rows("SELECT max(w) FILTER (WHERE id < 3) FROM p.t") == [["10.00"]])
    }
}
