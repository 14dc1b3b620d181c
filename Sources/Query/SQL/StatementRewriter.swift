import Base
import Catalog

/// Makes a statement over `namespace.table` one over names that SQLite knows.
///
/// 1. Tokenize; strings, quoted names and comments are never looked into.
/// 2. Walk the tokens with one frame per parenthesis, to know where a table's name is expected: after FROM, JOIN, and
///    commas of a FROM clause.
/// 3. There, read the dotted name, `FOR VERSION AS OF`, `FOR TIMESTAMP AS OF` or `FOR CHANGES BETWEEN`, and see whether
///    an alias follows.
/// 4. Replace all of it by the name of the relation's virtual table, and add the table's own name as alias when the
///    statement gives none. Names of common table expressions stay.
/// 5. `namespace.table.column` elsewhere becomes `table.column`.
struct StatementRewriter {
    /// A piece of the statement and what stands there instead.
    private struct Edit {
        let range: Range<Int>
        let text: String
    }

    struct Result {
        let sql: String
        /// Distinct, in order of appearance; the virtual table of the i-th is `relationName(i)`.
        let references: [TableReference]
    }

    private static let relationPrefix = "firn_relation_"

    static func relationName(_ index: Int) -> String { relationPrefix + String(index) }
    static func relationNumber(_ name: String) -> Int? {
        name.hasPrefix(relationPrefix) ? Int(name.dropFirst(relationPrefix.utf8.count)) : nil
    }

    private let sql: String
    private let tokens: [Token]
    private var references: [TableReference] = []
    /// Indexes of tokens that belong to table references.
    private var consumed: Set<Int> = []
    /// References without an alias of their own, and what they are called.
    private var unaliased: [TableReference: String] = [:]
    private var edits: [Edit] = []

    /// - Throws: `.invalidInput` (`sql_error`, `not_a_query`, `bad_version`) or `.notFound` (`table_without_namespace`,
    ///   `unknown_metadata_table`).
    static func rewrite(_ sql: String) throws(FirnError) -> Result {
        var rewriter = StatementRewriter(sql: sql, tokens: try Tokenizer.tokens(of: sql))
        try rewriter.checkIsQuery()
        try rewriter.checkNames()
        try rewriter.findTables()
        rewriter.shortenColumnNames()
        return Result(sql: rewriter.applyEdits(), references: rewriter.references)
    }

    private init(sql: String, tokens: [Token]) {
        self.sql = sql
        self.tokens = tokens
    }

    private func token(_ index: Int) -> Token? { tokens.indices.contains(index) ? tokens[index] : nil }

    private func checkIsQuery() throws(FirnError) {
        let first = tokens.first { !$0.isSymbol("(") && !$0.isSymbol(";") }
        guard let first else { throw FirnError(.invalidInput, "empty_statement", "there is no SQL statement") }
        guard first.isKeyword(in: ["SELECT", "WITH", "VALUES", "EXPLAIN"]) else {
            throw FirnError(
                .invalidInput, "not_a_query", "only queries can be run: the statement must start with SELECT or WITH",
                context: ["found": first.text])
        }
    }

    /// The names that tables get here are not for statements.
    private func checkNames() throws(FirnError) {
        let prefixes = ["firn_relation_", "firn_aggregate_", "firn_probe_", "firn_call_"]
        let name = tokens.first { token in
            token.isIdentifier && prefixes.contains(where: token.text.lowercased().hasPrefix)
        }
        guard let name else { return }
        throw FirnError(.invalidInput, "not_allowed", "the name '\(name.text)' is Firn's own")
    }

    // MARK: Tables

    private struct Frame {
        /// Inside a FROM clause, where a comma precedes another table.
        var inFrom = false
        /// The next token starts a table's name.
        var expectsTable = false
        /// What tables of the FROM clause are called by their own names.
        var names: Set<String> = []
    }

    private static let endOfFrom: Set<String> = [
        "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "WINDOW", "UNION", "EXCEPT", "INTERSECT", "SELECT", "VALUES",
    ]

    private mutating func findTables() throws(FirnError) {
        let commonTables = commonTableNames()
        var frames = [Frame()]
        var index = 0
        while let token = token(index) {
            let depth = frames.count - 1
            if token.isSymbol("(") {
                // A parenthesis in place of a table holds a join or a subquery.
                frames.append(Frame(inFrom: frames[depth].expectsTable, expectsTable: frames[depth].expectsTable))
                frames[depth].expectsTable = false
            } else if token.isSymbol(")") {
                if depth > 0 { frames.removeLast() }
            } else if token.isSymbol(",") {
                frames[depth].expectsTable = frames[depth].inFrom
            } else if token.isKeyword("FROM"), self.token(index - 1)?.isKeyword("DISTINCT") != true {
                frames[depth] = Frame(inFrom: true, expectsTable: true)
            } else if token.isKeyword("JOIN"), frames[depth].inFrom {
                frames[depth].expectsTable = true
            } else if token.isKeyword(in: Self.endOfFrom) {
                frames[depth] = Frame()
            } else if frames[depth].expectsTable, token.isIdentifier {
                frames[depth].expectsTable = false
                index = try table(at: index, commonTables: commonTables, taken: &frames[depth].names)
                continue
            }
            index += 1
        }
    }

    /// Names defined by WITH: `name AS (` or `name (columns) AS (`. A few names too many do no harm.
    private func commonTableNames() -> Set<String> {
        guard tokens.contains(where: { $0.isKeyword("WITH") }) else { return [] }
        var names: Set<String> = []
        for (index, token) in tokens.enumerated() where token.isKeyword("AS") {
            var next = index + 1
            while self.token(next)?.isKeyword(in: ["NOT", "MATERIALIZED"]) == true { next += 1 }
            guard self.token(next)?.isSymbol("(") == true else { continue }
            var before = index - 1
            if self.token(before)?.isSymbol(")") == true {
                while before > 0, !tokens[before].isSymbol("(") { before -= 1 }
                before -= 1
            }
            if let name = self.token(before), name.isIdentifier { names.insert(name.text.lowercased()) }
        }
        return names
    }

    /// Reads one table reference and answers the index of the token after it.
    private mutating func table(
        at start: Int, commonTables: Set<String>, taken: inout Set<String>
    ) throws(FirnError) -> Int {
        var parts = [tokens[start].text]
        var end = start + 1
        while token(end)?.isSymbol(".") == true, let part = token(end + 1), part.isIdentifier {
            parts.append(part.text)
            end += 2
        }
        if parts.count == 1 {
            let isFunction = token(end)?.isSymbol("(") == true
            if isFunction, parts[0].lowercased() == "changes" {
                return try changesFunction(at: start, taken: &taken)
            }
            if isFunction || commonTables.contains(parts[0].lowercased()) { return end }
        }
        parts = parts.flatMap { $0.split(separator: ".", omittingEmptySubsequences: false).map(String.init) }
        guard parts.count > 1 else {
            throw FirnError(
                .notFound, "table_without_namespace",
                "there is no table '\(parts[0])': write it with its namespace, as namespace.table",
                context: ["table": parts[0]])
        }
        let (name, metadata) = try splitMetadata(parts.removeLast())
        let changes = try changes(&end)
        if changes != nil, metadata != nil { throw bad("metadata tables have no changes") }
        let version = try version(&end)
        note(
            TableReference(namespace: parts, name: name, metadata: metadata, version: version, changes: changes),
            start..<end, taken: &taken)
        return end
    }

    /// `changes('namespace.table', from, to)`, another way to write `FOR CHANGES`. Without `to` it is up to the current
    /// state, without `from` all of the history.
    private mutating func changesFunction(at start: Int, taken: inout Set<String>) throws(FirnError) -> Int {
        var end = start + 2
        guard let name = token(end), name.kind == .string || name.kind == .quotedIdentifier else {
            throw bad("changes() wants 'namespace.table' first")
        }
        end += 1
        var bounds: [VersionSelector] = []
        while token(end)?.isSymbol(",") == true, bounds.count < 2 {
            end += 1
            bounds.append(try selector(&end, isTime: false))
        }
        guard token(end)?.isSymbol(")") == true else {
            throw bad("write changes('namespace.table', from, to), where both are snapshots, 'refs' or TIMESTAMP '…'")
        }
        end += 1
        var parts = name.text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count > 1 else {
            throw FirnError(
                .notFound, "table_without_namespace",
                "there is no table '\(name.text)': write it with its namespace, as namespace.table",
                context: ["table": name.text])
        }
        let table = parts.removeLast()
        note(
            TableReference(
                namespace: parts, name: table,
                changes: ChangeRange(
                    from: bounds.first, to: bounds.count > 1 ? bounds[1] : .current, appendsOnly: false)),
            start..<end, taken: &taken)
        return end
    }

    /// Puts the relation's name in place of a reference.
    private mutating func note(_ reference: TableReference, _ range: Range<Int>, taken: inout Set<String>) {
        let position = references.firstIndex(of: reference) ?? references.count
        if position == references.count { references.append(reference) }
        var text = "\"\(Self.relationName(position))\""
        if !hasAlias(at: range.upperBound) {
            // Of tables of one name, the later ones of a FROM clause keep their namespaces.
            let alias = taken.insert(reference.alias).inserted ? reference.alias : reference.description
            text += " AS " + Self.quoted(alias)
            unaliased[reference] = alias
        }
        let bytes = tokens[range.lowerBound].range.lowerBound..<tokens[range.upperBound - 1].range.upperBound
        edits.append(Edit(range: bytes, text: text))
        consumed.formUnion(range)
    }

    private func splitMetadata(_ name: String) throws(FirnError) -> (String, MetadataTable?) {
        // Dead letters are a table of their own, not a view of their table's metadata.
        guard let dollar = name.lastIndex(of: "$"), !name.hasSuffix(TableIdentifier.deadLettersSuffix) else {
            return (name, nil)
        }
        let suffix = String(name[name.index(after: dollar)...])
        guard let metadata = MetadataTable(rawValue: suffix.lowercased()) else {
            let known = MetadataTable.allCases.map { "$" + $0.rawValue }.joined(separator: ", ")
            throw FirnError(
                .notFound, "unknown_metadata_table", "there is no metadata table '$\(suffix)'; there are \(known)",
                context: ["table": name])
        }
        return (String(name[..<dollar]), metadata)
    }

    private static let afterTable: Set<String> = [
        "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "WINDOW", "UNION", "EXCEPT", "INTERSECT", "JOIN",
        "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "OUTER", "ON", "USING", "FOR", "INDEXED", "NOT",
    ]

    private func hasAlias(at index: Int) -> Bool {
        guard let token = token(index) else { return false }
        if token.kind == .quotedIdentifier || token.kind == .string { return true }
        return token.kind == .word && !token.isKeyword(in: Self.afterTable)
    }

    static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    // MARK: Versions

    /// Reads `[FOR] VERSION|TIMESTAMP AS OF value` (also with SYSTEM_VERSION and SYSTEM_TIME) and moves `end` past it.
    private func version(_ end: inout Int) throws(FirnError) -> VersionSelector {
        let word = token(end)?.isKeyword("FOR") == true ? end + 1 : end
        guard let keyword = token(word),
            keyword.isKeyword(in: ["VERSION", "SYSTEM_VERSION", "TIMESTAMP", "SYSTEM_TIME"]),
            token(word + 1)?.isKeyword("AS") == true, token(word + 2)?.isKeyword("OF") == true
        else { return .current }
        end = word + 3
        return try selector(&end, isTime: keyword.isKeyword(in: ["TIMESTAMP", "SYSTEM_TIME"]))
    }

    /// Reads `FOR CHANGES|APPENDS` with `BETWEEN a AND b`, `SINCE a`, or nothing for all of the history.
    private func changes(_ end: inout Int) throws(FirnError) -> ChangeRange? {
        guard token(end)?.isKeyword("FOR") == true, let keyword = token(end + 1),
            keyword.isKeyword(in: ["CHANGES", "APPENDS"])
        else { return nil }
        let appendsOnly = keyword.isKeyword("APPENDS")
        var position = end + 2
        var from: VersionSelector?
        var to = VersionSelector.current
        if token(position)?.isKeyword("SINCE") == true {
            position += 1
            from = try selector(&position, isTime: false)
        } else if token(position)?.isKeyword("BETWEEN") == true {
            position += 1
            from = try selector(&position, isTime: false)
            guard token(position)?.isKeyword("AND") == true else { throw bad("AND is missing after BETWEEN") }
            position += 1
            to = try selector(&position, isTime: false)
        }
        end = position
        return ChangeRange(from: from, to: to, appendsOnly: appendsOnly)
    }

    /// Reads a snapshot id, a 'branch or tag', or with TIMESTAMP before it (or `isTime`) a time.
    private func selector(_ end: inout Int, isTime: Bool) throws(FirnError) -> VersionSelector {
        let hasKeyword = token(end)?.isKeyword("TIMESTAMP") == true
        if hasKeyword { end += 1 }
        guard let value = token(end) else { throw bad("a version is missing") }
        end += 1
        switch (isTime || hasKeyword, value.kind) {
        case (false, .number):
            guard let id = Int64(value.text) else { throw bad("'\(value.text)' is not a snapshot id") }
            return .snapshot(id)
        case (false, .string): return .ref(value.text)
        case (true, .number):
            guard let ms = Int64(value.text) else { throw bad("'\(value.text)' is not a time in milliseconds") }
            return .timestamp(ms: ms)
        case (true, .string):
            guard let ms = TemporalText.instant(value.text).flatMap({ $0.floorDivided(by: 1_000_000) }) else {
                throw bad("'\(value.text)' is not an ISO 8601 date or time, such as '2026-01-31T10:00:00Z'")
            }
            return .timestamp(ms: ms)
        default:
            throw bad("write a snapshot id, a 'branch or tag', or TIMESTAMP and an ISO 8601 'time'")
        }
    }

    private func bad(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_version", message) }

    // MARK: Columns

    /// Drops the namespace of `namespace.table.column`, `namespace.table.column.member` and `namespace.table.*`.
    private mutating func shortenColumnNames() {
        guard !unaliased.isEmpty else { return }
        let aliases = Dictionary(
            unaliased.map { ($0.key.description, $0.value) }, uniquingKeysWith: { first, _ in first })
        var index = 0
        while let first = token(index) {
            guard first.isIdentifier, !consumed.contains(index) else {
                index += 1
                continue
            }
            var parts = [first.text]
            var end = index + 1
            while token(end)?.isSymbol(".") == true, let part = token(end + 1), part.isIdentifier || part.isSymbol("*")
            {
                parts.append(part.text)
                end += 2
                if part.isSymbol("*") { break }
            }
            for count in 1..<parts.count where count > 1 || first.text.contains(".") {
                guard let alias = aliases[parts.prefix(count).joined(separator: ".")] else { continue }
                let range = first.range.lowerBound..<tokens[index + 2 * (count - 1)].range.upperBound
                edits.append(Edit(range: range, text: Self.quoted(alias)))
                break
            }
            index = end
        }
    }

    private func applyEdits() -> String {
        let bytes = Array(sql.utf8)
        var out: [UInt8] = []
        var position = 0
        for edit in edits.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            out.append(contentsOf: bytes[position..<edit.range.lowerBound])
            out.append(contentsOf: edit.text.utf8)
            position = edit.range.upperBound
        }
        // Semicolons and comments at the end say nothing.
        let end = tokens.last { !$0.isSymbol(";") }?.range.upperBound ?? bytes.count
        let isOne = !tokens.prefix { $0.range.upperBound <= end }.contains { $0.isSymbol(";") }
        out.append(contentsOf: bytes[position..<(isOne ? end : bytes.count)])
        return String(decoding: out, as: UTF8.self)
    }
}
