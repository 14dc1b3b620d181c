import Base
import Columnar
import SQLiteKit
import Testing

@testable import Query

/// Groups computed on column batches must be those that SQLite computes row by row.
@Suite struct AggregateTests {
    private static let columns: [(String, DataType)] = [
        ("b", .boolean), ("i", .int), ("l", .long), ("f", .float), ("d", .double),
        ("m", .decimal(precision: 9, scale: 2)), ("w", .decimal(precision: 38, scale: 4)), ("day", .date),
        ("t", .time), ("ts", .timestamp), ("tz", .timestamptz), ("s", .string), ("u", .uuid), ("x", .fixed(2)),
        ("y", .binary),
    ]

    /// Three batches of values that repeat, with nulls, zeros of both signs, NaN and empty texts among them.
    private static let source: FakeSource = {
        func row(_ n: Int) -> [Value] {
            func orNull(_ every: Int, _ value: Value) -> Value { n % every == every - 1 ? .null : value }
            return [
                orNull(7, .boolean(n % 3 == 0)), orNull(5, .int(Int32(n % 4) - 1)),
                orNull(6, .long(Int64(n % 9) << 33)),
                orNull(8, .float([0.0, -0.0, 1.5, .nan, -2.25][n % 5])),
                orNull(9, .double([0.0, -0.0, 1e10, .nan, 0.1][n % 5])),
                orNull(4, .decimal(Int128(n % 11) * 25 - 100, scale: 2)),
                orNull(10, .decimal(Int128(n % 3) * 10_000_000_000_000_000_000_001, scale: 4)),
                orNull(11, .date(Int32(n % 6) - 3)), orNull(12, .time(Int64(n % 2) * 500_000)),
                orNull(13, .timestamp(Int64(n % 5) * 500_000)), orNull(14, .timestamptz(Int64(n % 5) * 1_000_000)),
                orNull(3, .string(["", "a", "A", "abc", "ä"][n % 5])),
                orNull(15, .uuid(UUID(high: 0, low: UInt64(n % 3)))),
                orNull(16, .binary([UInt8(n % 3), 0])), orNull(17, .binary(Array(repeating: 1, count: n % 3))),
            ]
        }
        var source = FakeSource()
        source.add(
            "p.t", batch(columns, (0..<40).map(row)), batch(columns, []), batch(columns, (40..<97).map(row)))
        source.add("p.empty", batch(columns, []))
        source.add("p.nulls", batch(columns, [Array(repeating: .null, count: columns.count)]))
        return source
    }()

    /// Runs a statement both ways and compares. `aggregated` SELECTs must have been taken from SQLite.
    private func check(_ sql: String, aggregated: Int = 1, memoryBytes: Int = 256 << 20) throws {
        let options = QueryOptions(memoryBytes: memoryBytes)
        let fast = try Self.source.engine().execute(sql, options: options)
        let slow = try Self.source.engine(pushesDown: false).execute(sql, options: options)
        #expect(fast.counters.selectsAggregated == aggregated, "\(sql)")
        #expect(fast.columns == slow.columns, "\(sql)")
        let (fastRows, slowRows) = (try fast.rows(), try slow.rows())
        #expect(fastRows.count == slowRows.count, "\(sql)")
        for (a, b) in zip(fastRows, slowRows) { #expect(Self.areClose(a, b), "\(sql): \(a) \(b)") }
    }

    /// Equal but for the last bits of floating-point numbers, which depend on the order of addition.
    private static func areClose(_ a: [SQLValue], _ b: [SQLValue]) -> Bool {
        a.count == b.count
            && zip(a, b).allSatisfy { a, b in
                if case (.real(let x), .real(let y)) = (a, b) { return abs(x - y) <= abs(y) * 1e-12 }
                return a == b
            }
    }

    @Test(arguments: columns.map(\.0))
    func everyFunctionOfEveryType(_ column: String) throws {
        let isNumber = ["b", "i", "l", "f", "d", "m"].contains(column)
        for table in ["p.t", "p.empty", "p.nulls"] {
            try check(
                "SELECT count(\(column)), count(DISTINCT \(column)), min(\(column)), max(\(column)) FROM \(table)")
            try check("SELECT s, count(\(column)), min(\(column)), max(\(column)) FROM \(table) GROUP BY s")
            try check("SELECT \(column), count(*) FROM \(table) GROUP BY \(column)")
            try check("SELECT \(column), i, count(*), count(DISTINCT l) FROM \(table) GROUP BY 1, 2")
            try check("SELECT DISTINCT \(column) FROM \(table) ORDER BY 1")
            if isNumber {
                try check("SELECT sum(\(column)), total(\(column)), avg(\(column)) FROM \(table)")
                try check("SELECT day, sum(\(column)), total(\(column)), avg(\(column)) FROM \(table) GROUP BY day")
            }
        }
    }

    @Test func wideDecimalsAreSummedExactly() throws {
        let rows = try Self.source.engine().execute("SELECT sum(w), max(w), sum(m) FROM p.t WHERE i = 1").rows()
        let values = try Self.source.engine().execute("SELECT w, m FROM p.t WHERE i = 1").rows()
        func sum(_ column: Int, scale: Int) -> SQLValue {
            let unscaled = values.reduce(Int128(0)) { sum, row in
                guard case .text(let text) = row[column] else { return sum }
                return sum + (DecimalNumber(text)?.unscaled(scale: scale)?.floor ?? 0)
            }
            return .text(DecimalText.format(unscaled, scale: scale))
        }
        #expect(rows[0][0] == sum(0, scale: 4) && rows[0][2] == sum(1, scale: 2))
        #expect(rows[0][1] == .text("2000000000000000000.0002"))
    }

    /// SQLite would compare the results of calls by their bytes.
    @Test func extremesCompareAsTheirColumns() throws {
        func rows(_ sql: String) throws -> [[SQLValue]] { try Self.source.engine().execute(sql).rows() }
        #expect(
            try rows(
                "SELECT min(tz) FROM p.t WHERE tz > '1970-01-01' GROUP BY tz HAVING min(tz) <= '1970-01-01T00:00:02Z'")
                == [["1970-01-01T00:00:01Z"], ["1970-01-01T00:00:02Z"]])
        #expect(try rows("SELECT max(day) = '1970-01-03T00:00' FROM p.t") == [[1]])
        #expect(try rows("SELECT max(w) > 9, min(w) < 1, max(w) < '3' FROM p.t") == [[1, 1, 0]])
    }

    @Test func whatStandsAroundTheCallsIsSQLites() throws {
        for sql in [
            "SELECT count(*) FROM p.t", "SELECT count() AS n FROM p.t AS x", "SELECT count(*) n FROM p.t x",
            "SELECT s, count(*) FROM p.t GROUP BY s HAVING count(*) > 10 ORDER BY 2 DESC, 1",
            "SELECT s AS name, sum(l) / count(*) + 1 AS mean FROM p.t GROUP BY s ORDER BY mean, name LIMIT 3 OFFSET 1",
            "SELECT t.s, round(avg(t.d), 3) FROM p.t GROUP BY t.s ORDER BY avg(t.d) IS NULL, avg(t.d)",
            "SELECT x.s || '!', max(x.i, 0), max(x.l) FROM p.t x GROUP BY x.s, x.i",
            "SELECT upper(s), CASE WHEN count(*) > 12 THEN 'many' ELSE 'few' END FROM p.t GROUP BY s",
            "SELECT sum(i) AS i FROM p.t GROUP BY s ORDER BY i DESC",
            "SELECT s FROM p.t GROUP BY s, i",
            "SELECT i, s, count(*) c FROM p.t GROUP BY s, i HAVING c > 2 AND i >= 0 ORDER BY c DESC, s, i",
            "SELECT coalesce(s, 'none') AS k, count(*) FROM p.t GROUP BY s ORDER BY k",
            "SELECT * FROM (SELECT s, count(*) AS n FROM p.t GROUP BY s) WHERE n > 9 ORDER BY s",
            "WITH g AS (SELECT i, max(l) AS top FROM p.t GROUP BY i) SELECT g.i, top FROM g ORDER BY 1",
            "SELECT p.t.s, count(*) FROM p.t GROUP BY p.t.s",
            "SELECT m, sum(m), -sum(m), sum(m) > 1 FROM p.t GROUP BY m ORDER BY m",
            "SELECT count(*) + 1, 'x' FROM p.t HAVING count(*) > 1000",
        ] {
            try check(sql)
        }
        try check(
            "SELECT (SELECT max(i) FROM p.t), (SELECT count(*) FROM p.t WHERE i = 1), min(l) FROM p.t", aggregated: 2)
        try check("SELECT a.n, b.n FROM (SELECT count(*) n FROM p.t) a, (SELECT count(s) n FROM p.t) b", aggregated: 2)
    }

    @Test func filtersThatCanBeHeldExactly() throws {
        for clause in [
            "i = 1", "i > 0.5 AND l <= 50000000000", "s LIKE 'a%'", "s IN ('a', 'abc', NULL)", "s = 'a' OR s = 'A'",
            "tz >= '1970-01-01' AND tz < '1970-01-01T00:00:03Z'", "day BETWEEN '1969-12-30' AND '1970-01-01'",
            "m = 0.5", "w > '1'", "s IS NULL", "i <> 1",
            "u = '00000000-0000-0000-0000-000000000001'",
            "1 = 1", "t.i = 2", "l > 5 + 5", "day = date('1970-01-01', '+1 day')", "s GLOB 'ab*'", "i = NULL",
            "d = 0.1", "s IS NOT NULL", "t.s NOT NULL AND \"m\" NOTNULL",
            "i > 0 AND s IS NOT NULL AND m BETWEEN 0 AND 2 AND -- a remark\n l IS NOT NULL",
        ] {
            try check("SELECT s, count(*), min(l), sum(m) FROM p.t WHERE \(clause) GROUP BY s")
            try check("SELECT count(*), max(tz) FROM p.t WHERE \(clause)")
        }
    }

    /// Names in quotes are functions, columns of a statement around, or text.
    @Test func quotedNamesAndChanceAreLeftAlone() throws {
        for sql in [
            "SELECT s, \"count\"(*) FROM p.t GROUP BY s", "SELECT \"count\"(*), sum(i) FROM p.t",
            "SELECT (SELECT count(*) FROM p.t WHERE s = \"c\") FROM (SELECT 'a' AS c)",
            "SELECT s AS x, count(*) FROM p.t WHERE s = \"x\" GROUP BY s", "SELECT [count](*) FROM p.t",
            "SELECT w, sum(w) FROM p.t GROUP BY w HAVING coalesce(sum(w), 0) > 100",
            "SELECT max(sum(w), 100) FROM p.t", "SELECT s FROM p.t GROUP BY s ORDER BY sum(w)",
        ] {
            try check(sql, aggregated: 0)
        }
        let chance = "SELECT r - r2 FROM (SELECT r, r AS r2 FROM (SELECT abs(random()) r, count(*) c FROM p.t))"
        #expect(try Self.source.engine().execute(chance).rows() == [[0]])
        try check("SELECT s AS firn_a0, count(*) n FROM p.t GROUP BY s HAVING firn_a0 > 'a'")
        #expect(error { try Self.source.engine().execute("SELECT s AS firn_call_0 FROM p.t") }?.code == "not_allowed")
    }

    @Test func groupsAreLookedUpInJoins() throws {
        var source = FakeSource()
        source.add("p.t", batch([("l", .long)], (0..<20_000).map { [.long(Int64($0))] }))
        let groups = "(SELECT l, count(*) c FROM p.t GROUP BY l)"
        let sql = "SELECT count(*), sum(x.c * y.c) FROM \(groups) x JOIN \(groups) y ON x.l = y.l"
        // Row by row these would be 400 million steps.
        #expect(
            try source.engine().execute(sql, options: QueryOptions(timeLimitMs: 60_000)).rows() == [[20_000, 20_000]])
    }

    /// What only SQLite can do stays with it.
    @Test func otherShapesAreLeftAlone() throws {
        for sql in [
            "SELECT s, i, count(*) FROM p.t GROUP BY s", "SELECT group_concat(s) FROM p.t", "SELECT sum(s) FROM p.t",
            "SELECT count(*) FILTER (WHERE i > 0) FROM p.t", "SELECT sum(i + 1) FROM p.t",
            "SELECT i FROM p.t ORDER BY i",
            "SELECT s, count(*) OVER () FROM p.t GROUP BY s", "SELECT count(*) FROM p.t WHERE i > 0 OR s = 'a'",
            "SELECT count(*) FROM p.t WHERE lower(s) = 'a'", "SELECT count(*) FROM p.t WHERE i = l",
            "SELECT count(*) FROM p.t a JOIN p.t b ON a.i = b.i", "SELECT s, count(*) FROM p.t GROUP BY lower(s)",
            "SELECT count(*) FROM p.t UNION ALL SELECT count(*) FROM p.t", "SELECT max(i), s FROM p.t",
            "SELECT count(*) FROM p.t GROUP BY s COLLATE NOCASE", "SELECT rowid, count(*) FROM p.t GROUP BY s",
            "SELECT count(*) FROM p.t WHERE s LIKE 'a_'", "SELECT count(*) FROM p.t WHERE d IS NOT NULL",
            "SELECT count(*) FROM p.t WHERE (s IS NOT NULL)", "SELECT count(*) FROM p.t WHERE NOT s IS NOT NULL",
            "SELECT count(*) FROM p.t WHERE i BETWEEN 0 AND s IS NOT NULL",
            "SELECT count(*) FROM p.t WHERE s IS NOT NULL OR i > 0", "SELECT count(*) FROM p.t WHERE i = s IS NOT NULL",
            "SELECT count(*) FROM p.t WHERE CASE WHEN i > 0 AND s IS NOT NULL AND i > 1 THEN 1 END",
            "SELECT count(*) FROM p.t WHERE s IS NOT NULL AND length(s) = 1",
            "SELECT count(*) FROM p.t WHERE s IS NOT NULL AND s <> 'a' COLLATE NOCASE",
            "SELECT s, (SELECT 1) FROM p.t GROUP BY s", "SELECT sum(l) AS i FROM p.t GROUP BY s ORDER BY i + 1",
            "SELECT count(*) FROM p.t WHERE rowid > 3",
            "SELECT count(*) FROM p.t WHERE 1 = 2",
        ] {
            try check(sql, aggregated: 0)
        }
    }

    @Test func groupsBeyondTheMemoryAreLeftToSQLite() throws {
        var source = FakeSource()
        let rows = (0..<20_000).map { [Value.long(Int64($0)), .string("some text of its own \($0)")] }
        source.add("p.t", batch([("l", .long), ("s", .string)], rows))
        let sql = "SELECT s, count(*), max(l) FROM p.t GROUP BY s ORDER BY 3 LIMIT 2"
        for memoryBytes in [1 << 18, 256 << 20] {
            let result = try source.engine().execute(sql, options: QueryOptions(memoryBytes: memoryBytes))
            #expect(result.counters.selectsAggregated == 1)
            #expect(
                try result.rows() == [
                    [.text("some text of its own 0"), .integer(1), .integer(0)],
                    [.text("some text of its own 1"), .integer(1), .integer(1)],
                ])
        }
    }

    @Test func sumsBeyondTheirTypeAreErrors() throws {
        var source = FakeSource()
        source.add("p.t", batch([("l", .long)], [[.long(.max)], [.long(1)]]))
        let fast = error { try source.engine().execute("SELECT sum(l) FROM p.t").rows() }
        let slow = error { try source.engine(pushesDown: false).execute("SELECT sum(l) FROM p.t").rows() }
        #expect(fast?.code == "sql_error" && fast?.message == slow?.message)
        #expect(try source.engine().execute("SELECT avg(l) FROM p.t").rows() == [[.real(4611686018427387904)]])
    }
}

/// Leaving out rows behind a LIMIT must not change which rows come, nor their order.
@Suite struct TopRowsTests {
    private static let source: FakeSource = {
        func row(_ n: Int) -> [Value] {
            func orNull(_ every: Int, _ value: Value) -> Value { n % every == 0 ? .null : value }
            return [
                .long(Int64(n)), orNull(7, .int(Int32(n * 37 % 101))),
                orNull(5, .double([0.0, -0.0, 2.5, .nan, -7][n % 5])),
                orNull(9, .string(["b", "a", "", "ab", "ä"][n % 5])),
                orNull(4, .decimal(Int128(n * 31 % 50), scale: 2)),
                orNull(6, .timestamptz(Int64(n * 53 % 97) * 1_000_000)), .boolean(n % 2 == 0),
                .float(Float(n % 13) + 1),
            ]
        }
        let columns: [(String, DataType)] = [
            ("id", .long), ("i", .int), ("d", .double), ("s", .string), ("m", .decimal(precision: 9, scale: 2)),
            ("tz", .timestamptz), ("b", .boolean), ("f", .float),
        ]
        var source = FakeSource()
        source.add("p.t", batch(columns, (1..<60).map(row)), batch(columns, (60..<400).map(row)))
        return source
    }()

    @Test(arguments: ["i", "d", "s", "m", "tz", "b", "f", "id", "x.i", "2"])
    func theSameRowsInTheSameOrder(_ column: String) throws {
        for order in ["", "ASC", "DESC", "NULLS LAST", "DESC NULLS FIRST", "DESC, id", "ASC, id DESC"] {
            for (limit, clause) in [
                ("3", ""), ("90", "WHERE i > 50"), ("5 OFFSET 7", ""), ("2, 200", "WHERE tz IS NULL"),
            ] {
                let sql = "SELECT id, i, d, s FROM p.t x \(clause) ORDER BY \(column) \(order) LIMIT \(limit)"
                let fast = try Self.source.engine().execute(sql).rows()
                let slow = try Self.source.engine(pushesDown: false).execute(sql).rows()
                #expect(fast == slow, "\(sql)")
            }
        }
    }

    /// NaN is NULL, also behind a file without any.
    @Test func laterNaNsComeFirst() throws {
        var source = FakeSource()
        let columns: [(String, DataType)] = [("d", .double), ("id", .long)]
        source.add(
            "p.t", batch(columns, (0..<50).map { [.double(Double($0) + 1), .long(Int64($0))] }),
            batch(columns, [[.double(.nan), .long(50)], [.double(0.5), .long(51)]]))
        #expect(try source.engine().execute("SELECT id FROM p.t ORDER BY d LIMIT 2").rows() == [[50], [51]])
        #expect(try source.engine().execute("SELECT id FROM p.t ORDER BY d DESC LIMIT 2").rows() == [[49], [48]])
    }

    @Test func rowsBehindTheLimitAreNotRead() throws {
        func read(_ sql: String) throws -> Expression {
            let spy = SpyRanking(
                try Self.source.relations([TableReference(namespace: ["p"], name: "t")], statistics: QueryStatistics()))
            var source = FakeSource()
            source.tables["p.t"] = { _ in spy }
            _ = try source.engine().execute(sql).rows()
            return spy.filters.first ?? .alwaysFalse
        }
        #expect(
            try read("SELECT id FROM p.t ORDER BY id DESC LIMIT 10")
                == .compare(fieldId: 1, .greaterOrEqual, .long(390)))
        #expect(
            try read("SELECT id AS n, i FROM p.t ORDER BY n LIMIT 2") == .compare(fieldId: 1, .lessOrEqual, .long(2)))
        for sql in [
            "SELECT id FROM p.t ORDER BY -id LIMIT 10", "SELECT id FROM p.t ORDER BY id",
            "SELECT max(id) FROM p.t LIMIT 1",
            "SELECT id, count(*) OVER () FROM p.t ORDER BY id LIMIT 2", "SELECT -id AS id FROM p.t ORDER BY id LIMIT 2",
            "SELECT -x.id id FROM p.t x ORDER BY id LIMIT 2", "SELECT *, i AS id FROM p.t ORDER BY id LIMIT 2",
            "SELECT 'x' id FROM p.t ORDER BY id LIMIT 2", "SELECT i, id AS z FROM p.t ORDER BY 'z' LIMIT 2",
            "SELECT CASE WHEN i < 5 THEN 0 ELSE 1 END id FROM p.t ORDER BY id LIMIT 2",
            "SELECT x.i id FROM p.t x ORDER BY id LIMIT 2",
            "SELECT \"count\"(*) FROM p.t ORDER BY id LIMIT 2",
            "SELECT *, i FROM p.t ORDER BY 2 LIMIT 2", "SELECT DISTINCT s FROM p.t ORDER BY id LIMIT 2",
            "SELECT s, id FROM p.t GROUP BY i ORDER BY id LIMIT 2",
            "SELECT id FROM p.t WHERE id % 7 = 0 ORDER BY id LIMIT 2", "SELECT id FROM p.t ORDER BY id LIMIT -1",
            "SELECT a.id FROM p.t a JOIN p.t b ON a.id = b.i ORDER BY a.id LIMIT 2",
            "SELECT id FROM p.t UNION SELECT i FROM p.t ORDER BY id LIMIT 2",
        ] {
            #expect(try read(sql) == .alwaysTrue, "\(sql)")
        }
    }

    /// Remembers the filters of its scans.
    private final class SpyRanking: RankingRelation, @unchecked Sendable {
        let inner: MemoryRelation
        var filters: [Expression] = []
        var schema: Schema { inner.schema }
        var estimatedRows: Int { inner.estimatedRows }

        init(_ relations: [any Relation]) { inner = relations[0] as! MemoryRelation }

        func scan(projection: Schema, filter: Expression) -> any RowScan {
            filters.append(filter)
            return inner.scan(projection: projection, filter: filter)
        }

        func bound(of request: TopRequest, guardian: QueryGuard) throws -> Expression? {
            try inner.bound(of: request, guardian: guardian)
        }
    }
}

/// Members of structs by their paths.
@Suite struct NestedPathTests {
    private static let source: FakeSource = {
        let device = DataType.structure(
            StructType(fields: [
                Field(id: 11, name: "os", required: false, type: .string),
                Field(
                    id: 12, name: "Screen", required: false,
                    type: .structure(StructType(fields: [Field(id: 13, name: "width", required: false, type: .int)]))),
            ]))
        let rows: [[Value]] = (0..<30).map { n in
            let screen: Value = n % 4 == 0 ? .null : .structure([.int(Int32(n % 3))])
            return [.long(Int64(n)), n % 5 == 0 ? .null : .structure([.string(n % 2 == 0 ? "ios" : "web"), screen])]
        }
        var source = FakeSource()
        source.add("p.t", batch([("id", .long), ("device", device)], rows))
        return source
    }()

    private func rows(_ sql: String) throws -> [[SQLValue]] {
        let fast = try Self.source.engine().execute(sql).rows()
        #expect(try fast == Self.source.engine(pushesDown: false).execute(sql).rows(), "\(sql)")
        return fast
    }

    @Test func pathsAreColumns() throws {
        let json = try rows("SELECT id, device ->> 'os', device ->> '$.Screen.width' FROM p.t ORDER BY id")
        #expect(try rows("SELECT id, device.os, device.screen.width FROM p.t ORDER BY id") == json)
        #expect(try rows("SELECT x.id, x.device.os, x.DEVICE.Screen.WIDTH FROM p.t x ORDER BY 1") == json)
        #expect(try rows("SELECT t.id, p.t.device.os, t.device.screen.width FROM p.t ORDER BY 1") == json)
        #expect(try Self.source.engine().execute("SELECT * FROM p.t").columns.map(\.name) == ["id", "device"])
        let named = try Self.source.engine().execute("SELECT device.screen.width FROM p.t")
        #expect(named.columns == [QueryColumn(name: "device.Screen.width", type: .int)])
    }

    @Test func pathsAreComparedGroupedAndJoined() throws {
        #expect(
            try rows("SELECT count(*) FROM p.t WHERE device.os = 'ios' AND device.screen.width >= 1")
                == rows("SELECT count(*) FROM p.t WHERE device ->> 'os' = 'ios' AND device ->> '$.Screen.width' >= 1"))
        #expect(
            try rows("SELECT device.os, count(*), max(device.screen.width) FROM p.t GROUP BY device.os")
                == rows(
                    "SELECT device ->> 'os' k, count(*), max(device ->> '$.Screen.width') FROM p.t GROUP BY k"))
        #expect(
            try rows(
                "SELECT count(*) FROM p.t a JOIN p.t b ON a.device.screen.width = b.device.screen.width AND a.id < b.id"
            )
            .first?.first != .integer(0))
        #expect(
            try Self.source.engine().execute("SELECT count(*) FROM p.t WHERE device.os = 'ios'").counters
                .selectsAggregated == 1)
    }

    @Test func unknownPathsAreErrors() throws {
        for path in ["device.nothing", "device.os.more", "nothing.os", "t.device.nothing"] {
            #expect(
                error { try Self.source.engine().execute("SELECT \(path) FROM p.t") }?.code == "sql_error", "\(path)")
        }
    }
}
