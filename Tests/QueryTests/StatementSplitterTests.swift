import Testing

@testable import Query

@Suite struct StatementSplitterTests {
    @Test(arguments: [
        ("SELECT 1;", ["SELECT 1"], nil), ("SELECT 1", [], "SELECT 1"), ("", [], nil), (" ;; ; ", [], nil),
        ("SELECT ';'; SELECT \"a;b\" ;", ["SELECT ';'", "SELECT \"a;b\" "], nil),
        ("SELECT 1; -- done; really", ["SELECT 1"], nil), ("SELECT 1; /* ; */", ["SELECT 1"], nil),
        ("SELECT 1; /* ; ", ["SELECT 1"], " /* ; "), ("SELECT 1; -- /*\n", ["SELECT 1"], nil),
        ("SELECT 'a;", [], "SELECT 'a;"), ("SELECT 1; SELECT [a;", ["SELECT 1"], "SELECT [a;"),
        ("-- first\n  SELECT 1; 'open", ["SELECT 1"], "'open"), ("SELECT 1 - 2 / 3;", ["SELECT 1 - 2 / 3"], nil),
        ("SELECT 'it''s;';SELECT x';';", ["SELECT 'it''s;'", "SELECT x';'"], nil),
    ])
    func cuts(text: String, statements: [String], rest: String?) {
        let split = StatementSplitter(text)
        #expect(split.statements.map(\.sql) == statements)
        #expect(split.rest?.sql == rest)
        #expect(split.isComplete == (!statements.isEmpty && rest == nil))
    }

    @Test func statementsKnowTheirLines() {
        let split = StatementSplitter("\n-- a comment\nSELECT\n1; SELECT 2;\n\nSELECT '\n")
        #expect(split.statements.map(\.line) == [2, 3])
        #expect(split.rest?.line == 5)
    }

    @Test(arguments: [
        ("SELECT 1", ";"), ("SELECT 'a", "'"), ("SELECT \"a", "\""), ("SELECT `a", "`"), ("SELECT [a", "]"),
        ("SELECT /* ", "/"),
    ])
    func saysWhatIsMissing(text: String, awaited: Character) {
        #expect(StatementSplitter(text).awaited == awaited.asciiValue)
    }

    // MARK: Outline

    /// The cursor stands where the text has a `|`.
    private func outline(_ text: String) -> StatementOutline {
        let parts = text.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        return StatementOutline(parts.joined(), cursor: parts[0].utf8.count)
    }

    @Test(arguments: [
        ("SELECT * FROM |", StatementOutline.Place.table, ""), ("SELECT * FROM web.cl|", .table, "web.cl"),
        ("SELECT |", .expression, ""), ("SELECT co| FROM web.clicks", .expression, "co"),
        ("SELECT * FROM a.b, |", .table, ""), ("SELECT * FROM a.b JOIN c|", .table, "c"),
        ("SELECT * FROM a.b WHERE x IN (SELECT y FROM |", .table, ""),
        ("SELECT * FROM a.b x WHERE x.|", .expression, "x."),
        ("SELECT 'it is |", .text, "it is "), ("SELECT * FROM \"web.cl|", .table, "web.cl"),
        ("SELECT * FROM (|", .table, ""), ("SELECT 1; SELECT * FROM a.b WHERE |", .expression, ""),
        ("SELECT größe, na|", .expression, "na"), ("|", .expression, ""),
    ])
    func findsThePlace(text: String, place: StatementOutline.Place, word: String) {
        let outline = outline(text)
        #expect(outline.place == place)
        #expect(outline.word == word)
    }

    @Test func findsTablesOnBothSidesOfTheCursor() {
        let tables = outline("SELECT | FROM web.clicks AS c JOIN \"web.users$files\" f ON 1 LEFT JOIN a.b WHERE 'x")
            .tables
        #expect(tables.map(\.name) == ["web.clicks", "web.users$files", "a.b"])
        #expect(tables.map(\.alias) == ["c", "f", nil])
    }

    @Test func offsetsOutsideAreMovedInside() {
        #expect(StatementOutline("SELECT", cursor: 100).word == "SELECT")
        #expect(StatementOutline("SELECT", cursor: -1).word == "")
    }
}
