import Base
import Columnar

/// `column IS NOT NULL` among the terms of a WHERE clause.
///
/// SQLite looks at the value of such a column itself, even where a virtual table has held the condition; so these terms
/// are read here, and the rest of the clause is left to be understood by `FilterProbe`.
struct NotNullTerms {
    /// The clause without them; nil when nothing is left.
    let rest: String?
    /// What the terms ask.
    let filter: Expression

    private static let forms: [[String]] = [["IS", "NOT", "NULL"], ["NOT", "NULL"], ["NOTNULL"]]

    init(_ clause: String, _ tokens: [Token], _ table: RelationTable, alias: String) {
        guard let terms = Self.conjuncts(tokens) else {
            (rest, filter) = (clause, .alwaysTrue)
            return
        }
        let text = SourceText(clause, tokens)
        var left: [String] = []
        var filter = Expression.alwaysTrue
        for term in terms {
            guard let field = Self.field(tokens[term], table, alias) else {
                left.append(text[term])
                continue
            }
            let term = Expression.notNull(fieldId: field.id)
            filter = filter == .alwaysTrue ? term : .and(filter, term)
        }
        rest = left.isEmpty ? nil : left.joined(separator: "\nAND ")
        self.filter = filter
    }

    /// The terms between the clause's own ANDs; nil where it has an OR, which binds less.
    private static func conjuncts(_ tokens: [Token]) -> [Range<Int>]? {
        var terms: [Range<Int>] = []
        var (start, depth, betweens) = (0, 0, 0)
        for (index, token) in tokens.enumerated() {
            if token.isSymbol("(") || token.isKeyword("CASE") { depth += 1 }
            if token.isSymbol(")") || token.isKeyword("END") { depth -= 1 }
            guard depth == 0 else { continue }
            if token.isKeyword("OR") { return nil }
            if token.isKeyword("BETWEEN") { betweens += 1 }
            guard token.isKeyword("AND") else { continue }
            if betweens > 0 {
                betweens -= 1
                continue
            }
            guard start < index else { return nil }
            terms.append(start..<index)
            start = index + 1
        }
        return start < tokens.count ? terms + [start..<tokens.count] : nil
    }

    /// The column of a term that is nothing else.
    private static func field(_ term: ArraySlice<Token>, _ table: RelationTable, _ alias: String) -> Field? {
        for form in forms
        where term.count > form.count && zip(term.suffix(form.count), form).allSatisfy({ $0.isKeyword($1) }) {
            var name = term.dropLast(form.count)
            if name.count == 3, let first = name.first, first.isIdentifier,
                first.text.lowercased() == alias.lowercased(), name.dropFirst().first?.isSymbol(".") == true
            {
                name = name.dropFirst(2)
            }
            guard name.count == 1, let column = name.first, column.isIdentifier else { continue }
            let found = table.columns.indices.filter {
                table.columns[$0].name.lowercased() == column.text.lowercased()
            }
            // NaN is NULL in SQL but not in files.
            guard found.count == 1, case let field = table.fields[found[0]], field.type.isPrimitive,
                field.type != .float, field.type != .double
            else { continue }
            return field
        }
        return nil
    }
}
