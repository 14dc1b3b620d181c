import Base
import Columnar
import SQLiteKit

/// A query as another engine can run it: every `namespace.table` with its version is the name of a relation, which the
/// caller makes.
public struct ForeignStatement: Sendable {
    public let sql: String
    /// Distinct; the i-th is called `relationName(i)`.
    public let references: [TableReference]

    /// Throws what `QueryEngine.execute` throws for text that is no query, and `.invalidInput` for several statements
    /// (`several_statements`) and for EXPLAIN (`not_a_query`).
    public init(_ text: String) throws(FirnError) {
        let rewritten = try StatementRewriter.rewrite(text)
        let tokens = try Tokenizer.tokens(of: rewritten.sql)
        let end = tokens.firstIndex { $0.isSymbol(";") } ?? tokens.count
        guard tokens[end...].allSatisfy({ $0.isSymbol(";") }) else {
            throw FirnError(.invalidInput, "several_statements", "only one SQL statement can be run at a time")
        }
        guard tokens.first?.isKeyword("EXPLAIN") != true else {
            throw FirnError(.invalidInput, "not_a_query", "another engine's plan cannot be shown: leave EXPLAIN out")
        }
        // What follows is a comment or a semicolon.
        let bytes = end > 0 ? tokens[end - 1].range.upperBound : 0
        sql = String(decoding: Array(rewritten.sql.utf8)[..<bytes], as: UTF8.self)
        references = rewritten.references
    }

    public static func relationName(_ index: Int) -> String { StatementRewriter.relationName(index) }

    /// A name in quotes, as SQL has them.
    public static func quoted(_ name: String) -> String { StatementRewriter.quoted(name) }

    // MARK: Conditions

    private static let opaque: Set<String> = ["OR", "CASE", "JOIN", "WITH", "VALUES", "PIVOT", "UNPIVOT"]

    /// A condition that the rows of the only table must pass, as far as it can be seen without understanding all of the
    /// statement; `.alwaysTrue` otherwise.
    ///
    /// It is seen in `SELECT … FROM table [alias] WHERE a AND b …` without joins, further SELECTs, OR or CASE: there
    /// every `column op literal` holds for each row that can matter, and what else stands between the ANDs is left out.
    public func condition(_ schema: Schema) -> Expression {
        guard references.count == 1, let tokens = try? Tokenizer.tokens(of: sql),
            tokens.count(where: { $0.isKeyword(in: ["SELECT", "FROM"]) }) == 2,
            !tokens.contains(where: { $0.isKeyword(in: Self.opaque) }),
            var at = tokens.firstIndex(where: { $0.isKeyword("FROM") })
        else { return .alwaysTrue }
        var names: Set<String> = []
        at += 1
        guard tokens.indices.contains(at), tokens[at].text == Self.relationName(0) else { return .alwaysTrue }
        at += 1
        if at < tokens.count, tokens[at].isKeyword("AS") { at += 1 }
        if at + 1 < tokens.count, tokens[at].isIdentifier, tokens[at + 1].isKeyword("WHERE") {
            names.insert(tokens[at].text.lowercased())
            at += 1
        }
        guard at < tokens.count, tokens[at].isKeyword("WHERE") else { return .alwaysTrue }
        let conditions = SimpleConditions(schema: schema, tableNames: names)
        return .all(SimpleConditions.conjuncts(tokens[(at + 1)...]).compactMap { conditions.expression($0) })
    }
}

/// Reads comparisons of a column with literals.
private struct SimpleConditions {
    let schema: Schema
    let tableNames: Set<String>

    private static let ends: Set<String> = [
        "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "WINDOW", "UNION", "EXCEPT", "INTERSECT", "QUALIFY", "SAMPLE",
        "USING", "FETCH",
    ]

    /// The parts of a WHERE clause between its ANDs; that of a BETWEEN is none of those.
    static func conjuncts(_ tokens: ArraySlice<Token>) -> [[Token]] {
        var parts: [[Token]] = [[]]
        var depth = 0
        var isBetween = false
        for token in tokens {
            if token.isSymbol("(") { depth += 1 }
            if token.isSymbol(")") { depth -= 1 }
            if depth == 0 {
                if token.isKeyword(in: ends) || token.isSymbol(";") { break }
                if token.isKeyword("AND"), !isBetween {
                    parts.append([])
                    continue
                }
                if token.isKeyword("AND") { isBetween = false }
                if token.isKeyword("BETWEEN") { isBetween = true }
            }
            parts[parts.count - 1].append(token)
        }
        return parts
    }

    /// Nil for everything but `column op literal`, `column BETWEEN literal AND literal` and `column IN (literal, …)`.
    func expression(_ tokens: [Token]) -> Expression? {
        var rest = tokens[...]
        guard let field = column(&rest) else { return nil }
        func predicate(_ comparison: IndexRequest.Operator, _ value: SQLValue) -> Expression? {
            PushDown.predicate(field: field, comparison, .value(value))
        }
        if rest.first?.isKeyword("BETWEEN") == true {
            rest = rest.dropFirst()
            guard let low = literal(&rest, field.type), rest.popFirst()?.isKeyword("AND") == true,
                let high = literal(&rest, field.type), rest.isEmpty
            else { return nil }
            return .all([predicate(.greaterOrEqual, low), predicate(.lessOrEqual, high)].compactMap { $0 })
        }
        if rest.first?.isKeyword("IN") == true {
            rest = rest.dropFirst()
            guard rest.popFirst()?.isSymbol("(") == true else { return nil }
            var values: [SQLValue] = []
            repeat {
                guard let value = literal(&rest, field.type) else { return nil }
                values.append(value)
            } while takes(",", &rest)
            guard takes(")", &rest), rest.isEmpty else { return nil }
            return PushDown.predicate(field: field, .equal, .list(values))
        }
        guard let comparison = comparison(&rest), let value = literal(&rest, field.type), rest.isEmpty else {
            return nil
        }
        return predicate(comparison, value)
    }

    private func takes(_ symbol: String, _ rest: inout ArraySlice<Token>) -> Bool {
        guard rest.first?.isSymbol(symbol) == true else { return false }
        rest = rest.dropFirst()
        return true
    }

    /// `name` or `table.name`. A struct's member has no bounds here.
    private func column(_ rest: inout ArraySlice<Token>) -> Field? {
        guard var name = rest.popFirst(), name.isIdentifier else { return nil }
        if takes(".", &rest) {
            guard tableNames.contains(name.text.lowercased()), field(name.text) == nil, let member = rest.popFirst(),
                member.isIdentifier
            else { return nil }
            name = member
        }
        return field(name.text)
    }

    private func field(_ name: String) -> Field? {
        let found = schema.fields.filter { $0.name.lowercased() == name.lowercased() }
        return found.count == 1 ? found[0] : nil
    }

    private func comparison(_ rest: inout ArraySlice<Token>) -> IndexRequest.Operator? {
        var text = ""
        while let next = rest.first, next.kind == .symbol, ["<", ">", "="].contains(next.text) {
            text += next.text
            rest = rest.dropFirst()
        }
        switch text {
        case "=", "==": return .equal
        case "<": return .less
        case "<=": return .lessOrEqual
        case ">": return .greater
        case ">=": return .greaterOrEqual
        default: return nil
        }
    }

    /// A literal of which every engine thinks the same when it compares it with a column of the type. For some, NaN is
    /// above all numbers.
    private func literal(_ rest: inout ArraySlice<Token>, _ type: DataType) -> SQLValue? {
        let hasKeyword = rest.first?.isKeyword(in: ["DATE", "TIMESTAMP", "TIMESTAMPTZ"]) == true
        if hasKeyword { rest = rest.dropFirst() }
        let isNegative = !hasKeyword && takes("-", &rest)
        guard let token = rest.popFirst() else { return nil }
        switch (token.kind, type) {
        case (.string, .string): return isNegative || hasKeyword ? nil : .text(token.text)
        case (.string, .date): return !isNegative && token.text.utf8.count == 10 ? .text(token.text) : nil
        case (.string, .timestamp), (.string, .timestamptz):
            let isTimeOfDay = token.text.utf8.dropFirst(2).first == UInt8(ascii: ":")
            return !isNegative && !isTimeOfDay ? .text(token.text) : nil
        case (.number, .int), (.number, .long):
            let text = isNegative ? "-" + token.text : token.text
            return Int64(text).map(SQLValue.integer) ?? Double(text).map(SQLValue.real)
        default: return nil
        }
    }
}

extension TableReference {
    /// The reference as a statement writes it.
    public var sql: String {
        func state(_ version: VersionSelector) -> String {
            switch version {
            case .current: "CURRENT"
            case .snapshot(let id): String(id)
            case .ref(let name):
                "'" + name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
            case .timestamp(let ms): "TIMESTAMP \(ms)"
            }
        }
        var text = (namespace + [alias]).map(StatementRewriter.quoted).joined(separator: ".")
        switch version {
        case .current: break
        case .timestamp(let ms): text += " FOR TIMESTAMP AS OF \(ms)"
        case .snapshot, .ref: text += " FOR VERSION AS OF " + state(version)
        }
        guard let changes else { return text }
        text += changes.appendsOnly ? " FOR APPENDS" : " FOR CHANGES"
        switch (changes.from, changes.to) {
        case (nil, _): break
        case (let from?, .current): text += " SINCE " + state(from)
        case (let from?, let to): text += " BETWEEN " + state(from) + " AND " + state(to)
        }
        return text
    }
}
