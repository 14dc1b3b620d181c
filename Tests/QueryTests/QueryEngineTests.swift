import Base
import Columnar
import SQLiteKit
import Testing

@testable import Query

@Suite struct QueryEngineTests {
    private func source() -> FakeSource {
        // 2013-01-01T10:00:00Z
        let ten: Int64 = 1_357_034_400_000_000
        var source = FakeSource()
        source.add(
            "shop.orders",
            batch(
                [
                    ("id", .long), ("country", .string), ("price", .decimal(precision: 9, scale: 2)),
                    ("ts", .timestamptz), ("paid", .boolean),
                ],
                [
                    [.long(1), .string("CH"), .decimal(950, scale: 2), .timestamptz(ten), .boolean(true)],
                    [.long(2), .string("DE"), .decimal(1000, scale: 2), .timestamptz(ten + 500_000), .null],
                    [.long(3), .string("CH"), .decimal(-5, scale: 2), .null, .boolean(false)],
                ]))
        source.add(
            "shop.items",
            batch(
                [("order_id", .long), ("name", .string)],
                [
                    [.long(1), .string("pen")], [.long(1), .string("ink")], [.long(3), .string("pad")],
                    [.null, .null],
                ]))
        source.tables["shop.log"] = { reference in
            guard case .snapshot(let id) = reference.version else {
                throw FirnError(.notFound, "snapshot_not_found", "none")
            }
            let rows = (0..<id).map { [Value.long($0)] }
            return MemoryRelation(schema: batch([("n", .long)], []).schema, batches: [batch([("n", .long)], rows)])
        }
        return source
    }

    private func rows(_ sql: String) throws -> [[SQLValue]] { try source().engine().execute(sql).rows() }

    @Test func valuesLookAsDocumented() throws {
        let result = try source().engine().execute("SELECT * FROM shop.orders WHERE id < 3")
        #expect(result.columns.map(\.name) == ["id", "country", "price", "ts", "paid"])
        #expect(
            result.columns.map(\.type) == [.long, .string, .decimal(precision: 9, scale: 2), .timestamptz, .boolean])
        #expect(
            try result.rows() == [
                [1, "CH", "9.50", "2013-01-01T10:00:00Z", 1],
                [2, "DE", "10.00", "2013-01-01T10:00:00.500000Z", nil],
            ])
    }

    @Test func extremesKeepTheirType() throws {
        let result = try source().engine().execute("SELECT max(price) AS p, min(ts), max(id) + 1 FROM shop.orders")
        #expect(result.columns.map(\.type) == [.decimal(precision: 9, scale: 2), .timestamptz, nil])
        #expect(try result.rows() == [["10.00", "2013-01-01T10:00:00Z", 4]])
    }

    @Test func decimalsAndTimesSortByValueInExpressionsToo() throws {
        #expect(
            try rows("SELECT country, max(price) m FROM shop.orders GROUP BY 1 ORDER BY m DESC, 1")
                == [["DE", "10.00"], ["CH", "9.50"]])
        #expect(
            try rows("SELECT country, max(ts) FROM shop.orders GROUP BY 1 ORDER BY max(ts) DESC")
                .map { $0[0] } == ["DE", "CH"])
    }

    @Test func timesCompareAsInstants() throws {
        #expect(try rows("SELECT id FROM shop.orders WHERE ts = '2013-01-01 11:00:00+01:00'") == [[1]])
        #expect(try rows("SELECT id FROM shop.orders WHERE ts > '2013-01-01T10:00'") == [[2]])
        #expect(try rows("SELECT id FROM shop.orders WHERE ts BETWEEN '2013-01-01' AND '2013-01-02'") == [[1], [2]])
        #expect(try rows("SELECT id FROM shop.orders WHERE ts < '2013-01-01T10:00:00.000001Z'") == [[1]])
    }

    @Test func joinsAndGroupsWork() throws {
        #expect(
            try rows(
                """
                SELECT o.country, count(*), sum(i.name IS NOT NULL)
                FROM shop.orders o LEFT JOIN shop.items i ON i.order_id = o.id GROUP BY o.country ORDER BY 1
                """) == [["CH", 3, 3], ["DE", 1, 0]])
        #expect(
            try rows("SELECT shop.orders.id, items.name FROM shop.orders, shop.items WHERE order_id = id ORDER BY 1, 2")
                == [[1, "ink"], [1, "pen"], [3, "pad"]])
    }

    @Test func twoSnapshotsOfOneTable() throws {
        #expect(
            try rows(
                """
                SELECT b.n FROM shop.log FOR VERSION AS OF 5 b
                LEFT JOIN shop.log FOR VERSION AS OF 3 a ON a.n = b.n WHERE a.n IS NULL
                """) == [[3], [4]])
    }

    @Test func jsonFunctionsWork() throws {
        var source = FakeSource()
        let device = DataType.structure(StructType(fields: [Field(id: 12, name: "os", required: false, type: .string)]))
        let tags = DataType.list(ListType(elementId: 3, element: .string, elementRequired: false))
        source.add(
            "a.b",
            batch(
                [("device", device), ("tags", tags)],
                [[.structure([.string("ios")]), .list([.string("x"), .string("y")])], [.null, .list([])]]))
        let engine = source.engine()
        #expect(try engine.execute("SELECT device ->> 'os' FROM a.b").rows() == [["ios"], [nil]])
        #expect(try engine.execute("SELECT t.value FROM a.b, json_each(b.tags) t").rows() == [["x"], ["y"]])
        #expect(
            try engine.execute("SELECT * FROM a.b").rows() == [[#"{"os":"ios"}"#, #"["x","y"]"#], [nil, "[]"]])
    }

    @Test(
        arguments: [
            ("SELECT prise FROM shop.orders", "sql_error", "did you mean 'price'"),
            ("SELECT * FROM shop.order", "table_not_found", "shop.order"),
            ("SELECT ?", "sql_error", "parameters"), ("SELECT 1; SELECT 2", "several_statements", "one"),
            ("SELECT load_extension('x')", "sql_error", "not authorized"),
            ("SELECT * FROM pragma_user_version", "table_without_namespace", ""),
            ("WITH x AS (SELECT 1) DELETE FROM shop.orders", "sql_error", "may not be modified"),
            ("SELECT * FROM pragma_user_version()", "sql_error", "authorized"),
            ("EXPLAIN DELETE FROM shop.orders", "not_a_query", "only queries"),
            ("WITH x AS (SELECT 1) INSERT INTO sqlite_schema SELECT * FROM x", "not_allowed", ""),
            ("SELECT * FROM shop.orders WHERE (", "sql_error", ""),
        ] as [(String, String, String)])
    func mistakesAreExplained(_ sql: String, _ code: String, _ part: String) {
        let thrown = error { try source().engine().execute(sql).rows() }
        #expect(thrown?.code == code, "\(String(describing: thrown))")
        #expect(part.isEmpty || thrown?.message.contains(part) == true)
    }

    @Test func onlyUsedColumnsAreReadAndLimitStops() throws {
        let spy = SpyRelation((0..<10).map { n in batch([("a", .long), ("b", .long)], [[.long(n), .long(-n)]]) })
        var source = FakeSource()
        source.tables["s.t"] = { _ in spy }
        #expect(try source.engine().execute("SELECT b FROM s.t WHERE a >= 3 LIMIT 2").rows() == [[-3], [-4]])
        #expect(spy.scans.count == 1)
        #expect(spy.scans[0].filter == .compare(fieldId: 1, .greaterOrEqual, .long(3)))
        #expect(spy.batchesRead <= 6)
        #expect(try source.engine().execute("SELECT count(*) FROM s.t").rows() == [[10]])
        #expect(spy.scans[1].projection == [])
        #expect(try source.engine().execute("SELECT max(b) FROM s.t").rows() == [[0]])
        #expect(spy.scans[2].projection == ["b"])
    }

    @Test func aJoinReadsItsInnerTableTwiceAtMost() throws {
        let rows = (0..<1000).map { [Value.long($0), .string("v\($0)")] }
        let left = SpyRelation([batch([("a", .long), ("s", .string)], rows)])
        let right = SpyRelation([batch([("b", .long), ("s", .string)], rows)])
        var source = FakeSource()
        source.tables["s.l"] = { _ in left }
        source.tables["s.r"] = { _ in right }
        let engine = source.engine()
        let joined = try engine.execute("SELECT count(*), sum(b) FROM s.l l JOIN s.r r ON a = b").rows()
        #expect(joined == [[1000, 499_500]])
        #expect(left.scans.count + right.scans.count <= 3)
        #expect(try engine.execute("SELECT count(*) FROM s.l JOIN s.r USING (s) WHERE b < 10").rows() == [[10]])
        // Without room the inner table is read again and again, with the same result.
        let narrow = QueryOptions(memoryBytes: 1000)
        #expect(
            try engine.execute("SELECT count(*) FROM s.l l JOIN s.r r ON a = b AND a < 20", options: narrow).rows()
                == [[20]])
    }

    /// SQLite may scan once for each side of an OR and then goes by row numbers.
    @Test func bothSidesOfAnOrMeetTheSameRows() throws {
        let batches = (0..<10).map { n in
            batch([("a", .long), ("b", .long)], (0..<5).map { [.long(n * 5 + $0), .long(($0 * 7) % 5)] })
        }
        var source = FakeSource()
        source.tables["s.t"] = { _ in MemoryRelation(schema: batches[0].schema, batches: batches) }
        let sql = """
            SELECT count(*) FROM s.t x JOIN s.t y ON (y.a = x.a OR y.b = x.b) WHERE x.a < 5 OR x.b = 1 OR x.b = 3
            """
        let pushed = try source.engine().execute(sql).rows()
        #expect(try pushed == source.engine(pushesDown: false).execute(sql).rows())
        // 5 rows with a < 5 and 9 each with b = 1 and b = 3 besides; 10 rows share each b, the row itself included.
        #expect(pushed == [[230]])
    }

    @Test func limitsEndAQuery() throws {
        let clock = StillClock()
        var source = source()
        let rows = (0..<1000).map { [Value.long($0)] }
        source.add("s.t", batch([("n", .long)], rows))
        let engine = source.engine(clock: clock)
        let cut = try engine.execute("SELECT n FROM s.t", options: QueryOptions(rowLimit: 3))
        #expect(try cut.rows().count == 3 && cut.isTruncated)
        let whole = try engine.execute("SELECT n FROM s.t LIMIT 3", options: QueryOptions(rowLimit: 3))
        #expect(try whole.rows().count == 3 && !whole.isTruncated)
        let slow = try engine.execute(
            "SELECT count(*) FROM s.t a, s.t b", options: QueryOptions(timeLimitMs: 100))
        clock.advance(ms: 101)
        #expect(error { try slow.nextRow() }?.code == "query_time_limit")
        let cancelled = try engine.execute("SELECT count(*) FROM s.t a, s.t b")
        cancelled.cancel()
        #expect(error { try cancelled.nextRow() }?.code == "query_cancelled")
        let closed = try engine.execute("SELECT n FROM s.t")
        closed.close()
        #expect(try closed.nextRow() == nil)
    }

    @Test func namesThatDifferByCaseAreKeptApart() throws {
        var source = FakeSource()
        source.add("s.t", batch([("a", .long), ("A", .long)], [[.long(1), .long(2)]]))
        let result = try source.engine().execute("SELECT * FROM s.t")
        #expect(result.columns.map(\.name) == ["a", "A:1"])
        #expect(try result.rows() == [[1, 2]])
    }
}
