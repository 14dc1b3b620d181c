import Base
import Testing

@testable import Query

@Suite struct StatementRewriterTests {
    private func names(_ sql: String) throws -> [String] {
        try StatementRewriter.rewrite(sql).references.map { "\($0) \($0.version)" }
    }

    /// Pairs of statements, before and after.
    @Test func tablesBecomeRelations() throws {
        let path = #filePath.parentDirectory.parentDirectory + "/slt/rewriting.txt"
        let text = String(decoding: try PosixFileSystem().readAll(path), as: UTF8.self)
        for pair in text.split(separator: "\n\n") {
            let lines = pair.split(separator: "\n").map(String.init)
            try #require(lines.count == 2)
            #expect(try StatementRewriter.rewrite(lines[0]).sql == lines[1])
        }
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

    @Test(
        arguments: [
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
