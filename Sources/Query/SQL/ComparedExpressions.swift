import Base
import Columnar

/// Makes what `coalesce`, CASE, `max` and the like answer compare as their columns do.
///
/// Wide decimals, dates and times are texts with collations of their own. An expression has neither collation nor
/// affinity in SQLite, so `coalesce(price, 0) > 100` would compare a text with a number, and be true of all. Where all
/// that such an expression can answer is columns of one collation and literals,
/// ```sql
/// coalesce(price, 0) > 100
/// ```
/// becomes
/// ```sql
/// CAST(coalesce(price, 0) AS TEXT) COLLATE decimal > 100
/// ```
/// Names of columns are looked up by name alone; a name that the statement also gives to something else is left alone.
struct ComparedExpressions {
    /// What an expression can answer.
    private enum Kind: Hashable {
        /// Literals.
        case neutral
        /// Columns of one collation, and literals.
        case compared(String)
        case other
    }

    private let tokens: [Token]
    /// By lower-case name; columns whose names mean one thing.
    private var columns: [String: String] = [:]

    /// The statement with such expressions made explicit; nil when it has none.
    static func rewrite(_ sql: String, tables: [RelationTable]) -> String? {
        guard let tokens = try? Tokenizer.tokens(of: sql) else { return nil }
        let edits = ComparedExpressions(tokens, tables).edits()
        return edits.isEmpty ? nil : SourceText(sql, tokens).applying(edits)
    }

    private init(_ tokens: [Token], _ tables: [RelationTable]) {
        self.tokens = tokens
        var collations: [String: Set<String>] = [:]
        for column in tables.flatMap(\.columns) {
            collations[column.name.lowercased(), default: []].insert(column.collation ?? "")
        }
        columns = collations.compactMapValues { $0.count == 1 ? $0.first.flatMap { $0.isEmpty ? nil : $0 } : nil }
        guard !columns.isEmpty else { return }
        for name in renamed() { columns[name] = nil }
    }

    // MARK: Names

    private static let keywords: Set<String> = [
        "ALL", "AND", "BETWEEN", "BY", "CASE", "DISTINCT", "ELSE", "ESCAPE", "EXCEPT", "FROM", "GLOB", "GROUP",
        "HAVING",
        "IN", "INTERSECT", "IS", "ISNULL", "LIKE", "LIMIT", "MATCH", "NOT", "NOTNULL", "OFFSET", "ON", "OR", "REGEXP",
        "SELECT", "THEN", "UNION", "USING", "VALUES", "WHEN", "WHERE",
    ]

    /// Columns' names that stand for something else, too: aliases, and columns of common tables.
    private func renamed() -> Set<String> {
        var names: Set<String> = []
        for (index, token) in tokens.enumerated().dropFirst() where token.isIdentifier {
            let name = token.text.lowercased()
            guard columns[name] != nil else { continue }
            if isInColumnList(index) { names.insert(name) }
            let isExplicit = tokens[index - 1].isKeyword("AS")
            guard isExplicit || endsValue(index - 1) else { continue }
            if kind(expression(before: isExplicit ? index - 1 : index)) != columns[name].map(Kind.compared) {
                names.insert(name)
            }
        }
        return names
    }

    /// Whether a name behind this token is an alias.
    private func endsValue(_ index: Int) -> Bool {
        let token = tokens[index]
        switch token.kind {
        case .symbol: return token.text == ")"
        case .word: return !token.isKeyword(in: Self.keywords)
        default: return true
        }
    }

    /// `WITH t(name) AS (…)`
    private func isInColumnList(_ index: Int) -> Bool {
        var end = index
        while end < tokens.count, tokens[end].isIdentifier || tokens[end].isSymbol(",") { end += 1 }
        guard end + 2 < tokens.count, tokens[end].isSymbol(")"), tokens[end + 1].isKeyword("AS") else { return false }
        return tokens[end + 2].isSymbol("(") || tokens[end + 2].isKeyword(in: ["NOT", "MATERIALIZED"])
    }

    /// What stands before an alias, from the comma or the keyword that it begins behind.
    private func expression(before end: Int) -> Range<Int> {
        var (start, depth) = (end, 0)
        while start > 0 {
            let token = tokens[start - 1]
            if token.isSymbol(")") || token.isKeyword("END") { depth += 1 }
            if token.isSymbol("(") || token.isKeyword("CASE") { depth -= 1 }
            if depth < 0 || depth == 0 && (token.isSymbol(",") || token.isKeyword(in: ["SELECT", "DISTINCT", "ALL"])) {
                break
            }
            start -= 1
        }
        return start..<end
    }

    // MARK: Kinds

    private static let choices: Set<String> = ["COALESCE", "IFNULL", "IIF", "NULLIF", "MIN", "MAX"]

    /// Behind the parenthesis or the END that closes what begins at `start`.
    private func end(of start: Int) -> Int? {
        var depth = 0
        for index in start..<tokens.count {
            if tokens[index].isSymbol("(") || tokens[index].isKeyword("CASE") { depth += 1 }
            if tokens[index].isSymbol(")") || tokens[index].isKeyword("END") { depth -= 1 }
            if depth == 0 { return index + 1 }
        }
        return nil
    }

    private func isCall(_ index: Int) -> Bool {
        tokens[index].isKeyword(in: Self.choices) && index + 1 < tokens.count && tokens[index + 1].isSymbol("(")
    }

    private func kind(_ range: Range<Int>, depth: Int = 0) -> Kind {
        guard let first = range.first, depth < 32 else { return .other }
        if first + 1 < range.upperBound, isCall(first), end(of: first + 1) == range.upperBound {
            return combined(answers(first), depth)
        }
        if first + 1 < range.upperBound, end(of: first) == range.upperBound {
            if tokens[first].isSymbol("(") { return kind(first + 1..<range.upperBound - 1, depth: depth + 1) }
            if tokens[first].isKeyword("CASE") { return combined(branches(range), depth) }
        }
        let last = tokens[range.upperBound - 1]
        switch range.count {
        case 1 where last.kind == .number || last.kind == .string || last.isKeyword("NULL"): return .neutral
        case 2 where last.kind == .number && (tokens[first].isSymbol("-") || tokens[first].isSymbol("+")):
            return .neutral
        case 1 where last.isIdentifier, 3 where last.isIdentifier && tokens[first + 1].isSymbol("."):
            return columns[last.text.lowercased()].map(Kind.compared) ?? .other
        default: return .other
        }
    }

    private func combined(_ parts: [Range<Int>], _ depth: Int) -> Kind {
        let kinds = Set(parts.map { kind($0, depth: depth + 1) }).subtracting([.neutral])
        guard kinds.count < 2 else { return .other }
        return kinds.first ?? .neutral
    }

    private func arguments(_ call: Int) -> [Range<Int>] {
        guard let end = end(of: call + 1), call + 2 < end - 1 else { return [] }
        let first = tokens[call + 2].isKeyword(in: ["DISTINCT", "ALL"]) ? call + 3 : call + 2
        return SelectCore.list(tokens, first..<end - 1)
    }

    /// The arguments that a call may answer.
    private func answers(_ call: Int) -> [Range<Int>] {
        let arguments = arguments(call)
        return switch tokens[call].text.uppercased() {
        case "IIF": Array(arguments.dropFirst())
        case "NULLIF": Array(arguments.prefix(1))
        default: arguments
        }
    }

    /// What a CASE may answer: behind each THEN, and behind ELSE.
    private func branches(_ range: Range<Int>) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var start: Int?
        var depth = 0
        for index in range.dropFirst() {
            let token = tokens[index]
            if depth == 0, token.isKeyword(in: ["WHEN", "ELSE", "END"]), let from = start {
                found.append(from..<index)
                start = nil
            }
            if token.isSymbol("(") || token.isKeyword("CASE") { depth += 1 }
            if token.isSymbol(")") || token.isKeyword("END") { depth -= 1 }
            if depth == 0, token.isKeyword(in: ["THEN", "ELSE"]) { start = index + 1 }
        }
        return found
    }

    // MARK: Edits

    private func edits() -> [SourceText.Edit] {
        guard !columns.isEmpty else { return [] }
        var edits: [SourceText.Edit] = []
        func wrap(_ range: Range<Int>, _ suffix: String) {
            edits.append(SourceText.Edit(tokens: range.lowerBound..<range.lowerBound, text: " CAST("))
            edits.append(SourceText.Edit(tokens: range.upperBound..<range.upperBound, text: suffix))
        }
        for index in tokens.indices.dropFirst() {
            let isCall = isCall(index)
            guard isCall || tokens[index].isKeyword("CASE"), let end = end(of: isCall ? index + 1 : index),
                end == tokens.count || !tokens[end].isKeyword(in: ["OVER", "FILTER"]),
                case .compared(let collation) = kind(index..<end)
            else { continue }
            let suffix = " AS TEXT) COLLATE \(collation)"
            wrap(index..<end, suffix)
            guard isCall, tokens[index].isKeyword(in: ["MIN", "MAX", "NULLIF"]) else { continue }
            let arguments = arguments(index)
            // These compare their arguments.
            for argument in arguments where arguments.count > 1 && kind(argument) != .other {
                guard !argument.contains(where: { self.isCall($0) || tokens[$0].isKeyword("CASE") }) else { continue }
                wrap(argument, suffix)
            }
        }
        return edits
    }
}
