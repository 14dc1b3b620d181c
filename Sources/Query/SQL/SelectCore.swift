import Base

/// One `SELECT … FROM table WHERE … GROUP BY … HAVING … ORDER BY … LIMIT …` over a single table, inside a statement
/// whose tables are named already as `StatementRewriter` names them.
///
/// Ranges are of indexes into the statement's tokens.
struct SelectCore {
    /// The number of the relation.
    let relation: Int
    let alias: String
    /// The table's name and its alias.
    let table: Range<Int>
    let isDistinct: Bool
    let items: [Range<Int>]
    /// What stands behind WHERE and so on, without these words; nil for a clause that is not there.
    let filter: Range<Int>?
    let keys: [Range<Int>]
    let having: Range<Int>?
    let ordering: [Range<Int>]
    let limit: Range<Int>?
    /// With their words.
    let filterClause: Range<Int>?
    let groupClause: Range<Int>?
    let havingClause: Range<Int>?

    /// As many of a statement are looked at.
    static let countMax = 100

    private static let clauses: Set<String> = ["FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT"]
    private static let compounds: Set<String> = ["UNION", "EXCEPT", "INTERSECT"]

    /// All that have one table; members of a UNION and the like are left out.
    static func find(in tokens: [Token]) -> [SelectCore] {
        tokens.indices.compactMap { tokens[$0].isKeyword("SELECT") ? SelectCore(tokens, at: $0) : nil }
    }

    /// The SELECTs behind the first of a compound, each as a statement with the WITH clause of the whole; nil for a
    /// statement that is no compound.
    static func compoundParts(of sql: String) -> [String]? {
        guard let tokens = try? Tokenizer.tokens(of: sql) else { return nil }
        var depth = 0
        var start: Int?
        var marks: [Int] = []
        var end = tokens.count
        for (index, token) in tokens.enumerated() {
            if token.isSymbol("(") { depth += 1 }
            if token.isSymbol(")") { depth -= 1 }
            guard depth == 0 else { continue }
            if start == nil, token.isKeyword(in: ["SELECT", "VALUES"]) { start = index }
            if token.isKeyword(in: compounds) { marks.append(index) }
            if !marks.isEmpty, token.isKeyword(in: ["ORDER", "LIMIT"]) || token.isSymbol(";") { end = min(end, index) }
        }
        guard let start, !marks.isEmpty else { return nil }
        let text = SourceText(sql, tokens)
        let with = start > 0 ? text[0..<start] + " " : ""
        return zip(marks, marks.dropFirst() + [end]).map { mark, next in
            let first = tokens[mark + 1].isKeyword("ALL") ? mark + 2 : mark + 1
            return first < next ? with + text[first..<next] : ""
        }
    }

    /// What of a statement belongs to a SELECT: up to the parenthesis that closes around it.
    private static func extent(_ tokens: [Token], from start: Int) -> Range<Int> {
        var depth = 0
        for index in start..<tokens.count {
            if tokens[index].isSymbol("(") { depth += 1 }
            if tokens[index].isSymbol(")") { depth -= 1 }
            if depth < 0 || depth == 0 && tokens[index].isSymbol(";") { return start..<index }
        }
        return start..<tokens.count
    }

    /// The pieces between commas outside of parentheses.
    static func list(_ tokens: [Token], _ range: Range<Int>) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var (start, depth) = (range.lowerBound, 0)
        for index in range {
            if tokens[index].isSymbol("(") { depth += 1 }
            if tokens[index].isSymbol(")") { depth -= 1 }
            if depth == 0, tokens[index].isSymbol(",") {
                pieces.append(start..<index)
                start = index + 1
            }
        }
        return pieces + [start..<range.upperBound]
    }

    private init?(_ tokens: [Token], at start: Int) {
        if start > 0, tokens[start - 1].isKeyword(in: Self.compounds.union(["ALL"])) { return nil }
        let extent = Self.extent(tokens, from: start)
        // Where each clause begins, and the next.
        var marks: [(word: String, at: Int)] = []
        var depth = 0
        for index in extent.dropFirst() {
            if tokens[index].isSymbol("(") { depth += 1 }
            if tokens[index].isSymbol(")") { depth -= 1 }
            guard depth == 0 else { continue }
            if tokens[index].isKeyword(in: Self.compounds) { return nil }
            guard tokens[index].isKeyword(in: Self.clauses) else { continue }
            let word = tokens[index].text.uppercased()
            if word == "FROM", tokens[index - 1].isKeyword("DISTINCT"), index != start + 2 { continue }
            marks.append((word, index))
        }
        guard marks.first?.word == "FROM", Set(marks.map(\.word)).count == marks.count else { return nil }
        func clause(_ word: String) -> Range<Int>? {
            guard let index = marks.firstIndex(where: { $0.word == word }) else { return nil }
            return marks[index].at..<(index + 1 < marks.count ? marks[index + 1].at : extent.upperBound)
        }
        func content(_ word: String, words: Int) -> Range<Int>? {
            clause(word).flatMap { $0.count > words ? $0.lowerBound + words..<$0.upperBound : nil }
        }
        guard clause("WINDOW") == nil, let table = content("FROM", words: 1),
            let (relation, alias) = Self.table(tokens, table)
        else { return nil }
        (self.relation, self.alias, self.table) = (relation, alias, table)
        var first = start + 1
        isDistinct = tokens[first].isKeyword("DISTINCT")
        if isDistinct || tokens[first].isKeyword("ALL") { first += 1 }
        guard first < marks[0].at else { return nil }
        items = Self.list(tokens, first..<marks[0].at)
        filter = content("WHERE", words: 1)
        keys = content("GROUP", words: 2).map { Self.list(tokens, $0) } ?? []
        having = content("HAVING", words: 1)
        ordering = content("ORDER", words: 2).map { Self.list(tokens, $0) } ?? []
        limit = content("LIMIT", words: 1)
        (filterClause, groupClause, havingClause) = (clause("WHERE"), clause("GROUP"), clause("HAVING"))
        guard items.allSatisfy({ !$0.isEmpty }) else { return nil }
    }

    /// `"firn_relation_0" AS alias`, or with the alias alone, and nothing else.
    private static func table(_ tokens: [Token], _ range: Range<Int>) -> (relation: Int, alias: String)? {
        let parts = tokens[range].filter { !$0.isKeyword("AS") }
        guard parts.count == 2, parts[0].kind == .quotedIdentifier, parts[1].isIdentifier,
            let relation = StatementRewriter.relationNumber(parts[0].text)
        else { return nil }
        return (relation, parts[1].text)
    }
}
