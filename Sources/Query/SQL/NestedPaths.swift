import Base
import Columnar

/// Lets statements name members of structs by their paths: `device.os`, `clicks.device.os`.
///
/// A path becomes the quoted name of a hidden column of its table, `"device.os"`, that holds the member alone. So it is
/// compared, pushed down and grouped like any other column.
enum NestedPaths {
    struct Result {
        let sql: String
        /// The members that the statement names, by the number of the relation; each once.
        var columns: [Int: [Field]]
    }

    /// - Parameter sql: with the tables named by `StatementRewriter`.
    static func rewrite(_ sql: String, relations: [any Relation]) throws(FirnError) -> Result {
        let tokens = try Tokenizer.tokens(of: sql)
        var result = Result(sql: sql, columns: [:])
        guard relations.contains(where: { $0.offersMembers && $0.schema.fields.contains(where: \.isStruct) }) else {
            return result
        }
        let aliases = aliases(tokens)
        let others = otherNames(tokens)
        var edits: [SourceText.Edit] = []
        var index = 0
        while index < tokens.count {
            let start = index
            index += 1
            guard tokens[start].isIdentifier else { continue }
            while index + 1 < tokens.count, tokens[index].isSymbol("."), tokens[index + 1].isIdentifier { index += 2 }
            let parts = stride(from: start, to: index, by: 2).map { tokens[$0].text }
            guard parts.count > 1, !others.contains(parts[0].lowercased()) else { continue }
            let alias = aliases[parts[0].lowercased()]
            let path = alias == nil ? parts[...] : parts.dropFirst()
            guard path.count > 1 else { continue }
            var name: String?
            for number in alias ?? Array(relations.indices) {
                guard relations[number].offersMembers,
                    let column = member(path, of: relations[number].schema.fields)
                else { continue }
                name = column.name
                if result.columns[number]?.contains(where: { $0.id == column.id }) != true {
                    result.columns[number, default: []].append(column)
                }
            }
            guard let name else { continue }
            let qualifier = alias == nil ? "" : StatementRewriter.quoted(parts[0]) + "."
            edits.append(.init(tokens: start..<index, text: qualifier + StatementRewriter.quoted(name)))
        }
        guard !edits.isEmpty else { return result }
        return Result(sql: SourceText(sql, tokens).applying(edits), columns: result.columns)
    }

    /// The relations that go by a name somewhere in the statement.
    private static func aliases(_ tokens: [Token]) -> [String: [Int]] {
        var aliases: [String: [Int]] = [:]
        for (index, token) in tokens.enumerated() where token.kind == .quotedIdentifier {
            guard let relation = StatementRewriter.relationNumber(token.text) else { continue }
            let next = index + 1 < tokens.count && tokens[index + 1].isKeyword("AS") ? index + 2 : index + 1
            guard next < tokens.count, tokens[next].isIdentifier else { continue }
            aliases[tokens[next].text.lowercased(), default: []].append(relation)
        }
        return aliases
    }

    /// Names of subqueries and of common table expressions: behind or before a parenthesis.
    private static func otherNames(_ tokens: [Token]) -> Set<String> {
        var names: Set<String> = []
        for (index, token) in tokens.enumerated() {
            if token.isSymbol(")"), index + 1 < tokens.count {
                let name = tokens[index + 1].isKeyword("AS") ? index + 2 : index + 1
                if name < tokens.count, tokens[name].isIdentifier { names.insert(tokens[name].text.lowercased()) }
            }
            if token.isKeyword("AS"), index > 0, index + 1 < tokens.count,
                tokens[index + 1].isSymbol("(") || tokens[index + 1].isKeyword(in: ["MATERIALIZED", "NOT"])
            {
                var name = index - 1
                if tokens[name].isSymbol(")") {
                    while name > 0, !tokens[name].isSymbol("(") { name -= 1 }
                    name -= 1
                }
                if name >= 0, tokens[name].isIdentifier { names.insert(tokens[name].text.lowercased()) }
            }
        }
        return names
    }

    /// The field that a path leads to, through structs, with the path as its name. Names do not tell case apart.
    private static func member(_ path: ArraySlice<String>, of fields: [Field]) -> Field? {
        var fields = fields
        var names: [String] = []
        for (level, part) in path.enumerated() {
            guard let field = fields.first(where: { $0.name.lowercased() == part.lowercased() }) else { return nil }
            names.append(field.name)
            if level == path.count - 1 {
                return Field(id: field.id, name: names.joined(separator: "."), required: false, type: field.type)
            }
            guard case .structure(let type) = field.type else { return nil }
            fields = type.fields
        }
        return nil
    }
}

extension Field {
    fileprivate var isStruct: Bool { if case .structure = type { true } else { false } }
}
