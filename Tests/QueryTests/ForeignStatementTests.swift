import Base
import Columnar
import Testing

@testable import Query

@Suite struct ForeignStatementTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "kind", required: false, type: .string),
        Field(id: 3, name: "ts", required: false, type: .timestamptz),
        Field(id: 4, name: "score", required: false, type: .double),
    ])

    private func condition(_ sql: String) throws -> Expression { try ForeignStatement(sql).condition(Self.schema) }

    @Test func tablesBecomeRelations() throws {
        let statement = try ForeignStatement(
            "SELECT * FROM a.t FOR VERSION AS OF 5 JOIN a.t u USING (id), 'x.parquet'; -- end")
        #expect(
            statement.sql
                == #"SELECT * FROM "firn_relation_0" AS "t" JOIN "firn_relation_1" u USING (id), 'x.parquet'"#
        )
        #expect(statement.references.map(\.version) == [.snapshot(5), .current])
    }

    @Test func onlyOneQuery() {
        for (sql, code) in [
            ("SELECT 1; DROP TABLE x", "several_statements"), ("DROP TABLE x", "not_a_query"),
            ("EXPLAIN SELECT 1", "not_a_query"), ("", "empty_statement"),
        ] {
            #expect(error { try ForeignStatement(sql) }?.code == code, "\(sql)")
        }
    }

    @Test func simpleConditionsAreSeen() throws {
        let one = Expression.compare(fieldId: 1, .equal, .long(5))
        #expect(try condition("SELECT * FROM a.t WHERE id = 5") == one)
        #expect(try condition("SELECT * FROM a.t AS x WHERE x.id = 5 AND lower(kind) = 'a' LIMIT 3") == one)
        #expect(try condition("SELECT kind, count(*) FROM a.t WHERE (score > 1) AND id = 5 GROUP BY ALL") == one)
        #expect(
            try condition("SELECT * FROM a.t WHERE id BETWEEN -1 AND 9 AND kind IN ('a', 'b')")
                == .all([
                    .compare(fieldId: 1, .greaterOrEqual, .long(-1)), .compare(fieldId: 1, .lessOrEqual, .long(9)),
                    .isIn(fieldId: 2, [.string("a"), .string("b")]),
                ]))
        #expect(
            try condition("SELECT * FROM a.t WHERE ts >= TIMESTAMP '1970-01-01T00:00:01Z'")
                == .compare(fieldId: 3, .greaterOrEqual, .timestamptz(1_000_000)))
    }

    @Test(arguments: [
        "SELECT * FROM a.t WHERE id = 5 AND kind = 'a' OR score = 1",
        "SELECT * FROM a.t WHERE CASE WHEN true AND id = 5 AND true THEN false ELSE true END",
        "SELECT * FROM a.t LEFT JOIN a.u ON true WHERE id = 5",
        "SELECT * FROM a.t, a.u WHERE id = 5",
        "SELECT * FROM a.t WHERE NOT id = 5", "SELECT * FROM a.t WHERE id = 5 + 1",
        "SELECT * FROM a.t WHERE id = (SELECT 5)", "SELECT (SELECT 1 FROM a.t WHERE id = 5) FROM a.t",
        "SELECT * FROM a.t WHERE id = '5'", "SELECT * FROM a.t WHERE kind.id = 5", "SELECT * FROM a.t WHERE score > 5",
        "SELECT * FROM a.t WHERE id != 5", "SELECT * FROM a.t GROUP BY ALL HAVING id = 5",
        "SELECT * FROM range(3) r(id) WHERE id = 5 AND EXISTS (FROM a.t)",
    ]) func allElseIsLeftToTheEngine(sql: String) throws {
        #expect(try condition(sql) == .alwaysTrue)
    }

    @Test(arguments: [
        "SELECT * FROM a.b.t", "SELECT * FROM a.t FOR VERSION AS OF 7",
        "SELECT * FROM a.t FOR VERSION AS OF 'o''clock'",
        "SELECT * FROM a.t FOR TIMESTAMP AS OF 1000", #"SELECT * FROM "a.t$files""#,
        "SELECT * FROM a.t FOR CHANGES SINCE 'x'", "SELECT * FROM a.t FOR CHANGES",
        "SELECT * FROM a.t FOR APPENDS BETWEEN TIMESTAMP '2026-01-01' AND 9",
    ]) func aReferenceCanBeWrittenAgain(sql: String) throws {
        let reference = try ForeignStatement(sql).references[0]
        #expect(try ForeignStatement("SELECT * FROM \(reference.sql)").references == [reference])
    }
}
