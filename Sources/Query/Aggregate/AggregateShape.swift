import Base
import Columnar

/// The keys and calls of one SELECT, when it has no more than those.
struct AggregateShape {
    private let core: SelectCore
    private let tokens: [Token]
    /// By lower-case name.
    private let columns: [String: Field]
    private(set) var keys: [Field] = []
    private(set) var calls: [AggregateCall] = []
    /// Where a call stands, and its number.
    private var places: [(tokens: Range<Int>, call: Int)] = []
    private let items: [Item]

    private struct Item {
        let expression: Range<Int>
        /// In lower case.
        let alias: String?
        /// The alias stands behind AS.
        var isExplicit = false
    }

    private static let functions: [String: AggregateCall.Function] = [
        "COUNT": .count, "SUM": .sum, "TOTAL": .total, "AVG": .average, "MIN": .minimum, "MAX": .maximum,
    ]
    /// What ends the attempt: other aggregate functions, windows, subqueries, names of a row.
    private static let foreign: Set<String> = [
        "GROUP_CONCAT", "STRING_AGG", "JSON_GROUP_ARRAY", "JSON_GROUP_OBJECT", "JSONB_GROUP_ARRAY",
        "JSONB_GROUP_OBJECT",
        "MEDIAN", "PERCENTILE", "PERCENTILE_CONT", "PERCENTILE_DISC", "FILTER", "OVER", "SELECT", "EXISTS", "ROWID",
        "_ROWID_", "OID", "RANDOM", "RANDOMBLOB",
    ]

    private static let directions: Set<String> = ["ASC", "DESC", "NULLS"]

    init(_ core: SelectCore, _ tokens: [Token], _ table: RelationTable) {
        self.core = core
        self.tokens = tokens
        columns = Dictionary(
            zip(table.columns.map { $0.name.lowercased() }, table.fields),
            uniquingKeysWith: { first, _ in first })
        items = core.items.map { Self.item($0, tokens) }
    }

    /// False when SQLite has to do the aggregating.
    mutating func read() -> Bool {
        guard readKeys() else { return false }
        for item in items where !walk(item.expression, isOrdering: false) { return false }
        if let having = core.having, !walk(having, isOrdering: false) { return false }
        for term in core.ordering where !walk(term, isOrdering: true) { return false }
        if core.isDistinct { return core.groupClause == nil && calls.isEmpty && !keys.isEmpty }
        guard places.allSatisfy({ isNumber($0.tokens, calls[$0.call]) }) else { return false }
        return !(calls.isEmpty && keys.isEmpty) && keys.allSatisfy { ValueNumbering($0.type) != nil }
    }

    /// Whether a result row may stand for other than one row: there is a call of a function over rows in it.
    var mayAggregate: Bool {
        (core.items + core.ordering).joined().contains { index in
            let word = tokens[index].kind == .word ? tokens[index].text.uppercased() : ""
            if SourceText.isQuotedCall(tokens, index) { return true }
            return Self.functions[word] != nil || Self.foreign.contains(word)
        }
    }

    /// The column that a term of the order names, unless an alias means something else.
    func orderingColumn(_ range: Range<Int>) -> Field? {
        guard range.count == 1 else { return column(range) }
        // With stars, or with items that may hide an alias, a name or a number may mean anything.
        guard items.allSatisfy({ $0.isExplicit || column($0.expression) != nil }) else { return nil }
        let token = tokens[range.lowerBound]
        guard token.isIdentifier || token.kind == .number else { return nil }
        if token.kind == .number { return itemColumn(range) }
        if let item = items.first(where: { $0.alias == token.text.lowercased() }) { return column(item.expression) }
        return column(range)
    }

    /// A sum that is text, of wide decimals, may only be a result as it stands: in expressions it is a number.
    private func isNumber(_ place: Range<Int>, _ call: AggregateCall) -> Bool {
        guard call.function == .sum, call.shownType.flatMap(SQLType.collation) != nil else { return true }
        return items.contains { $0.expression == place }
    }

    // MARK: Keys

    private mutating func readKeys() -> Bool {
        let expressions = core.isDistinct ? items.map(\.expression) : core.keys
        for expression in expressions {
            guard let field = column(expression) ?? itemColumn(expression), ValueNumbering(field.type) != nil else {
                return false
            }
            if !keys.contains(where: { $0.id == field.id }) { keys.append(field) }
        }
        return true
    }

    /// `2`, or the alias of an item.
    private func itemColumn(_ range: Range<Int>) -> Field? {
        guard range.count == 1, !core.isDistinct else { return nil }
        let token = tokens[range.lowerBound]
        if token.kind == .number {
            guard let number = Int(token.text), items.indices.contains(number - 1) else { return nil }
            return column(items[number - 1].expression)
        }
        guard token.isIdentifier, columns[token.text.lowercased()] == nil else { return nil }
        let named = items.filter { $0.alias == token.text.lowercased() }
        return named.count == 1 ? column(named[0].expression) : nil
    }

    /// `column` or `alias.column`.
    private func column(_ range: Range<Int>) -> Field? {
        let parts = tokens[range]
        guard let last = parts.last, last.isIdentifier else { return nil }
        switch parts.count {
        case 1: return columns[last.text.lowercased()]
        case 3:
            guard parts[range.lowerBound].isIdentifier, parts[range.lowerBound + 1].isSymbol("."),
                parts[range.lowerBound].text.lowercased() == core.alias.lowercased()
            else { return nil }
            return columns[last.text.lowercased()]
        default: return nil
        }
    }

    // MARK: Items

    private static func item(_ range: Range<Int>, _ tokens: [Token]) -> Item {
        let last = range.upperBound - 1
        guard range.count > 1, tokens[last].isIdentifier || tokens[last].kind == .string else {
            return Item(expression: range, alias: nil)
        }
        let before = tokens[last - 1]
        if before.isKeyword("AS"), range.count > 2 {
            return Item(
                expression: range.lowerBound..<last - 1, alias: tokens[last].text.lowercased(), isExplicit: true)
        }
        // Without AS only where no operator can stand between.
        let endsValue =
            before.isSymbol(")") || before.kind == .number || before.kind == .quotedIdentifier
            || range.count == 2 && before.kind == .word && !before.isKeyword("NOT")
        guard endsValue, !tokens[last].isKeyword(in: ["END", "ISNULL", "NOTNULL"]) else {
            return Item(expression: range, alias: nil)
        }
        return Item(expression: range.lowerBound..<last, alias: tokens[last].text.lowercased())
    }

    /// Notes the calls in an expression; false when there is more in it than calls and keys.
    private mutating func walk(_ range: Range<Int>, isOrdering: Bool) -> Bool {
        if range.count == 1, tokens[range.lowerBound].isSymbol("*") { return false }
        var index = range.lowerBound
        while index < range.upperBound {
            let token = tokens[index]
            let isCall = index + 1 < range.upperBound && tokens[index + 1].isSymbol("(")
            if token.kind == .word, Self.foreign.contains(token.text.uppercased()) { return false }
            if SourceText.isQuotedCall(tokens, index) { return false }
            if isCall, token.kind == .word, let function = Self.functions[token.text.uppercased()] {
                let end = Self.closing(tokens, index + 1, range.upperBound)
                if let call = call(function, index + 2..<end) {
                    guard end + 1 >= range.upperBound || !tokens[end + 1].isKeyword(in: ["FILTER", "OVER"]) else {
                        return false
                    }
                    let number = calls.firstIndex(of: call) ?? calls.count
                    if number == calls.count { calls.append(call) }
                    places.append((index..<end + 1, number))
                    index = end + 1
                    continue
                }
                // With several arguments these two are functions of one row.
                guard function == .minimum || function == .maximum,
                    hasComma(index + 2..<end)
                else { return false }
            } else if token.isIdentifier, !isCall {
                guard let next = skipName(index, range, isOrdering: isOrdering) else { return false }
                index = next
                continue
            }
            index += 1
        }
        return true
    }

    /// The index behind a name that may stand outside of calls; nil for one that may not.
    private func skipName(_ index: Int, _ range: Range<Int>, isOrdering: Bool) -> Int? {
        if index + 2 < range.upperBound, tokens[index + 1].isSymbol(".") {
            guard let field = column(index..<index + 3), keys.contains(where: { $0.id == field.id }) else { return nil }
            return index + 3
        }
        let name = tokens[index].text.lowercased()
        // An alias comes first as a term of ORDER BY, a column everywhere else.
        let isTerm = index == range.lowerBound && (range.count == 1 || tokens[index + 1].isKeyword(in: Self.directions))
        if isOrdering, isTerm, items.contains(where: { $0.alias == name }) { return index + 1 }
        guard let field = columns[name] else { return index + 1 }
        return keys.contains { $0.id == field.id } ? index + 1 : nil
    }

    private func call(_ function: AggregateCall.Function, _ arguments: Range<Int>) -> AggregateCall? {
        if arguments.isEmpty || arguments.count == 1 && tokens[arguments.lowerBound].isSymbol("*") {
            return AggregateCall(function, nil)
        }
        if function == .count, arguments.count > 1, tokens[arguments.lowerBound].isKeyword("DISTINCT") {
            return column(arguments.dropFirst()).flatMap { AggregateCall(.countDistinct, $0) }
        }
        return column(arguments).flatMap { AggregateCall(function, $0) }
    }

    private func hasComma(_ range: Range<Int>) -> Bool {
        var depth = 0
        for index in range {
            if tokens[index].isSymbol("(") { depth += 1 }
            if tokens[index].isSymbol(")") { depth -= 1 }
            if depth == 0, tokens[index].isSymbol(",") { return true }
        }
        return false
    }

    /// The parenthesis that closes the one at `open`, or `end`.
    private static func closing(_ tokens: [Token], _ open: Int, _ end: Int) -> Int {
        var depth = 0
        for index in open..<end {
            if tokens[index].isSymbol("(") { depth += 1 }
            if tokens[index].isSymbol(")") {
                depth -= 1
                if depth == 0 { return index }
            }
        }
        return end
    }

    // MARK: Writing

    func edits(_ text: SourceText, table: String) -> [SourceText.Edit] {
        var edits = places.map {
            SourceText.Edit(tokens: $0.tokens, text: "\"\(AggregateRewriter.columnName($0.call))\"")
        }
        // The limit keeps SQLite from joining with the groups themselves, which it could not look up.
        let groups = "(SELECT * FROM \"\(table)\" LIMIT -1)"
        edits.append(.init(tokens: core.table, text: "\(groups) AS \(StatementRewriter.quoted(core.alias))"))
        for item in items where item.alias == nil {
            guard places.contains(where: { item.expression.contains($0.tokens.lowerBound) }) else { continue }
            // A result column is named as it was written.
            let end = item.expression.upperBound
            edits.append(
                .init(tokens: end..<end, text: " AS " + StatementRewriter.quoted(text[item.expression])))
        }
        for clause in [core.filterClause, core.groupClause] {
            if let clause { edits.append(.init(tokens: clause, text: "")) }
        }
        if let having = core.havingClause {
            edits.append(.init(tokens: having.lowerBound..<having.lowerBound + 1, text: "WHERE"))
        }
        return edits
    }
}
