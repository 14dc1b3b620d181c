import Base
import Testing

@testable import Query

@Suite struct StatementRewriterTests {
    private func names(_ sql: String) throws -> [String] {
        try StatementRewriter.rewrite(sql).references.map { "\($0) \($0.version)" }
    }

    @Test(arguments: [
        ("SELECT * FROM a.b", #"SELECT * FROM "firn_relation_0" AS "b""#),
        ("SELECT * FROM a.b c", #"SELECT * FROM "firn_relation_0" c"#),
        ("SELECT * FROM a.b AS c WHERE 1", #"SELECT * FROM "firn_relation_0" AS c WHERE 1"#),
        ("SELECT * FROM a.b, a.b x", #"SELECT * FROM "firn_relation_0" AS "b", "firn_relation_0" x"#),
        ("select 'from a.b' from \"a.b\" where x = ','", #"select 'from a.b' from "firn_relation_0" AS "b" where x = ','"#),
        ("SELECT * FROM a.b -- FROM c.d\n LIMIT 1", "SELECT * FROM \"firn_relation_0\" AS \"b\" -- FROM c.d\n LIMIT 1"),
        ("SELECT a.b.x, a.b.*, b.y FROM a.b", #"SELECT "b".x, "b".*, b.y FROM "firn_relation_0" AS "b""#),
        ("SELECT 1.5, x.5 FROM a.b", #"SELECT 1.5, x.5 FROM "firn_relation_0" AS "b""#),
        ("SELECT * FROM [a.b] JOIN `c`.d USING (x)",
         #"SELECT * FROM "firn_relation_0" AS "b" JOIN "firn_relation_1" AS "d" USING (x)"#),
        ("SELECT (SELECT max(x) FROM a.b) FROM (SELECT * FROM c.d) e",
         #"SELECT (SELECT max(x) FROM "firn_relation_0" AS "b") FROM (SELECT * FROM "firn_relation_1" AS "d") e"#),
        ("SELECT * FROM a.b WHERE x IS DISTINCT FROM y.z",
         #"SELECT * FROM "firn_relation_0" AS "b" WHERE x IS DISTINCT FROM y.z"#),
        ("SELECT * FROM a.b WHERE x IN (1, a.y)", #"SELECT * FROM "firn_relation_0" AS "b" WHERE x IN (1, a.y)"#),
        ("WITH c AS (SELECT * FROM a.b) SELECT * FROM c, json_each(c.x)",
         #"WITH c AS (SELECT * FROM "firn_relation_0" AS "b") SELECT * FROM c, json_each(c.x)"#),
        ("SELECT * FROM a.b UNION ALL SELECT * FROM a.c ORDER BY 1, 2",
         #"SELECT * FROM "firn_relation_0" AS "b" UNION ALL SELECT * FROM "firn_relation_1" AS "c" ORDER BY 1, 2"#),
        ("SELECT * FROM a.b JOIN (c.d x CROSS JOIN a.b FOR VERSION AS OF 7 y) ON f(1, 2), e.f",
         #"SELECT * FROM "firn_relation_0" AS "b" JOIN ("firn_relation_1" x CROSS JOIN "firn_relation_2" y) ON f(1, 2), "firn_relation_3" AS "f""#),
    ] as [(String, String)])
    func tablesBecomeRelations(_ sql: String, _ expected: String) throws {
        #expect(try StatementRewriter.rewrite(sql).sql == expected)
    }

    @Test func namesAndVersionsAreRead() throws {
        #expect(try names("SELECT * FROM a.b FOR VERSION AS OF 42") == ["a.b snapshot 42"])
        #expect(try names("SELECT * FROM a.b for version as of 'v1.0' t") == ["a.b ref v1.0"])
        #expect(try names("SELECT * FROM a.b FOR TIMESTAMP AS OF '1970-01-01T00:00:01.5Z'") == ["a.b timestamp 1500"])
        #expect(try names("SELECT * FROM a.b TIMESTAMP AS OF TIMESTAMP '1970-01-02'") == ["a.b timestamp 86400000"])
        #expect(try names("SELECT * FROM a.b FOR SYSTEM_TIME AS OF 99 WHERE 1") == ["a.b timestamp 99"])
        #expect(try names("SELECT * FROM a.b FOR TIMESTAMP AS OF '1970-01-01 02:00:00+02:00'") == ["a.b timestamp 0"])
        #expect(try names(#"SELECT * FROM "a.b$snapshots""#) == ["a.b$snapshots current"])
        #expect(try names(#"SELECT * FROM x.a."b$Files" FOR VERSION AS OF 1"#) == ["x.a.b$files snapshot 1"])
        #expect(try names("SELECT * FROM a.b$refs") == ["a.b$refs current"])
        #expect(
            try names("SELECT * FROM a.b FOR VERSION AS OF 1 x, a.b FOR VERSION AS OF 2 y, a.b FOR VERSION AS OF 1")
                == ["a.b snapshot 1", "a.b snapshot 2"])
        #expect(try names("SELECT version FROM a.b version WHERE version > 1") == ["a.b current"])
    }

    @Test(arguments: [
        ("DROP TABLE a.b", "not_a_query"), ("", "empty_statement"), ("PRAGMA x", "not_a_query"),
        ("SELECT 'x", "sql_error"), ("SELECT * FROM \"x", "sql_error"),
        ("SELECT * FROM clicks", "table_without_namespace"),
        ("SELECT * FROM a.b$nothing", "unknown_metadata_table"),
        ("SELECT * FROM a.b FOR VERSION AS OF", "bad_version"),
        ("SELECT * FROM a.b FOR VERSION AS OF 1.5", "bad_version"),
        ("SELECT * FROM a.b FOR TIMESTAMP AS OF 'yesterday'", "bad_version"),
        ("SELECT * FROM a.b FOR TIMESTAMP AS OF now()", "bad_version"),
    ] as [(String, String)])
    func mistakesAreNamed(_ sql: String, _ code: String) {
        #expect(error { try StatementRewriter.rewrite(sql) }?.code == code)
    }
}
