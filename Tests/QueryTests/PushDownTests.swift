import Base
import Columnar
import SQLiteKit
import TestSupport
import Testing

@testable import Query

/// Whatever is pushed down, results must be those of SQLite deciding alone.
@Suite struct PushDownTests {
    private static let columns: [(String, DataType)] = [
        ("b", .boolean), ("i", .int), ("l", .long), ("f", .float), ("d", .double),
        ("m", .decimal(precision: 9, scale: 2)), ("w", .decimal(precision: 38, scale: 4)), ("day", .date),
        ("t", .time), ("ts", .timestamp), ("tz", .timestamptz), ("s", .string), ("u", .uuid),
        ("x", .fixed(2)), ("y", .binary),
    ]

    private static let source: FakeSource = {
        let uuids = ["00000000-0000-0000-0000-000000000000", "f79c3e09-677c-4bbd-a479-3f349cb785e7"].map { UUID($0)! }
        func row(_ n: Int64) -> [Value] {
            let micros = (n - 3) * 500_000
            return [
                .boolean(n % 2 == 0), .int(Int32(n - 3)), .long((n - 3) * 1_000_000_000_000), .float(Float(n - 3) / 10),
                .double(Double(n - 3) / 10), .decimal(Int128(n - 3) * 125, scale: 2),
                .decimal(Int128(n - 3) * 10_000_000_000_000_000_000_001, scale: 4), .date(Int32(n - 3)),
                .time(n * 500_000), .timestamp(micros), .timestamptz(micros),
                .string(["", "a", "A", "abc", "ab%", "b", "ä", "5"][Int(n % 8)]), .uuid(uuids[Int(n % 2)]),
                .binary([UInt8(n), 0]), .binary(Array(repeating: 1, count: Int(n % 3))),
            ]
        }
        var special: [[Value]] = [Array(repeating: .null, count: columns.count)]
        special.append([
            .null, .int(.max), .long(.max), .float(.nan), .double(.nan), .null, .null, .date(.max / 1000), .null,
            .timestamp(.max), .timestamptz(.min), .string("a\u{0}b"), .null, .null, .binary([]),
        ])
        special.append([
            .null, .int(.min), .long(.min), .float(-0.0), .double(-0.0), .null, .null, .date(-800_000), .null,
            .timestamp(.min), .timestamptz(.max), .string("2013-01-01"), .null, .null, .null,
        ])
        special.append([
            .null, .null, .null, .float(.infinity), .double(-.infinity), .decimal(999_999_999, scale: 2),
            .decimal(-(1 << 120), scale: 4), .null, .null, .null, .null, .null, .null, .null, .null,
        ])
        var source = FakeSource()
        source.add("p.t", batch(columns, (0..<8).map(row)), batch(columns, special))
        return source
    }()

    private static let literals = [
        "NULL", "0", "1", "-1", "2.5", "-0.2", "0.1", "0.0", "-0.0", "1e12", "1e300", "-9e999", "3000000000",
        "9223372036854775807", "9007199254740993", "1.25", "1.3", "-3.75", "'1.25'", "'1.250'", "'5'", "'abc'", "''",
        "'a'", "'A'", "x'01'", "x'0300'", "x''", "'1970-01-01'", "'1970-01-01T00:00:00.500000Z'",
        "'1970-01-01 01:00:00+01:00'", "'1970-01-01T00:00:00.0000001'", "'1969-12-31'", "'00:00:01'", "'00:00'",
        "'not a time'", "'2000000000000000000.0002'", "1000000000000000000", "'-1e100'", "TRUE",
        "'f79c3e09-677c-4bbd-a479-3f349cb785e7'", "'F79C3E09-677C-4BBD-A479-3F349CB785E7'", "1 + 1",
        "date('now', '-100 years')",
    ]

    private func check(_ condition: String) throws {
        let sql = "SELECT * FROM p.t WHERE \(condition)"
        let pushed = try Self.source.engine().execute(sql).rows()
        let slow = try Self.source.engine(pushesDown: false).execute(sql).rows()
        #expect(pushed == slow, "\(condition)")
    }

    @Test(arguments: columns.map(\.0))
    func comparisonsGiveTheSameRows(_ column: String) throws {
        for literal in Self.literals {
            for comparison in ["=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT"] {
                try check("\(column) \(comparison) \(literal)")
            }
            try check("\(literal) < \(column)")
            try check("\(column) IN (\(literal), 1, '1970-01-01', 0.1)")
            for comparison in ["=", "<>", "<"] {
                try check("\(column) \(comparison) \(literal) COLLATE NOCASE")
                try check("\(literal) COLLATE NOCASE \(comparison) \(column)")
            }
        }
    }

    @Test(arguments: columns.map(\.0))
    func patternsAndNullsGiveTheSameRows(_ column: String) throws {
        for pattern in ["'a%'", "'ab_'", "'A%'", "'%'", "''", "'ab[%'", "'1970%'", "NULL", "5", "'a'", "'ä%'"] {
            try check("\(column) LIKE \(pattern)")
            try check("\(column) GLOB replace(\(pattern), '%', '*')")
            try check("\(column) GLOB \(pattern)")
        }
        try check("\(column) IS NULL")
        try check("\(column) IS NOT NULL")
        try check("\(column) IN (SELECT \(column) FROM p.t)")
        try check("NOT (\(column) > 0 OR \(column) IS NULL)")
    }

    @Test func joinsOnEveryPairOfTypesGiveTheSameRows() throws {
        for (left, _) in Self.columns {
            for (right, _) in Self.columns {
                let sql = "SELECT a.rowid, b.rowid FROM p.t a JOIN p.t b ON a.\(left) = b.\(right) ORDER BY 1, 2"
                let pushed = try Self.source.engine().execute(sql).rows()
                let slow = try Self.source.engine(pushesDown: false).execute(sql).rows()
                #expect(pushed == slow, "\(left) \(right)")
            }
        }
    }

    @Test func everyRealDecimalEqualsItsLiteral() throws {
        var random = SeededRandom(seed: 3)
        for (precision, scale) in [(9, 2), (15, 4), (15, 15), (15, 8)] {
            let bound = (0..<precision).reduce(Int128(1)) { power, _ in power * 10 } - 1
            let values = (0..<200).map { _ in Int128.random(in: -bound...bound, using: &random) }
            var source = FakeSource()
            let type = DataType.decimal(precision: precision, scale: scale)
            source.add("p.m", batch([("m", type)], values.map { [.decimal($0, scale: scale)] }))
            // Short lists, which are evaluated over whole columns too.
            for start in stride(from: 0, to: values.count, by: 10) {
                let literals = Set(values[start..<start + 10].map { DecimalText.format($0, scale: scale) })
                let sql = "SELECT DISTINCT m FROM p.m WHERE m IN (\(literals.joined(separator: ", ")))"
                for pushesDown in [true, false] {
                    let rows = try source.engine(pushesDown: pushesDown).execute(sql).rows()
                    #expect(Set(rows) == Set(literals.map { [.text($0)] }))
                }
            }
        }
    }

    @Test func exactLiteralsArePushedDown() throws {
        func pushed(_ condition: String) throws -> Expression {
            let spy = SpyRelation([batch(Self.columns, [])])
            var source = FakeSource()
            source.tables["p.t"] = { _ in spy }
            _ = try source.engine().execute("SELECT 1 FROM p.t WHERE \(condition)").rows()
            return spy.scans.first?.filter ?? .alwaysFalse
        }
        #expect(try pushed("i > 2.5") == .compare(fieldId: 2, .greater, .int(2)))
        #expect(try pushed("m >= 1.25") == .compare(fieldId: 6, .greaterOrEqual, .decimal(125, scale: 2)))
        #expect(try pushed("m < 1.254") == .compare(fieldId: 6, .lessOrEqual, .decimal(125, scale: 2)))
        #expect(try pushed("w = '1.5'") == .compare(fieldId: 7, .equal, .decimal(15_000, scale: 4)))
        #expect(try pushed("day >= '2013-01-01'") == .compare(fieldId: 8, .greaterOrEqual, .date(15706)))
        #expect(try pushed("day < '2013-01-01T12:00'") == .compare(fieldId: 8, .lessOrEqual, .date(15706)))
        #expect(
            try pushed("tz >= '2013-01-01'")
                == .compare(fieldId: 11, .greaterOrEqual, .timestamptz(1_356_998_400_000_000)))
        // SQLite itself adds the range, for which files can be skipped.
        #expect(
            try pushed("s LIKE 'ab%'")
                == .all([
                    .compare(fieldId: 12, .greaterOrEqual, .string("ab")),
                    .compare(fieldId: 12, .less, .string("ac")), .startsWith(fieldId: 12, "ab"),
                ]))
        #expect(try pushed("s IN ('a', 'b')") == .isIn(fieldId: 12, [.string("a"), .string("b")]))
        #expect(try pushed("l IS NOT NULL") == .notNull(fieldId: 3))
        #expect(try pushed("i = 2.5") == .alwaysFalse)
        #expect(try pushed("s = 'a' COLLATE NOCASE") == .alwaysTrue)
        #expect(try pushed("i = '5'") == .alwaysTrue)
        #expect(try pushed("d IS NULL") == .alwaysTrue)
    }
}
