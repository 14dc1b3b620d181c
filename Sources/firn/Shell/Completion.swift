import Query

/// Words that may stand where the one before the cursor stands.
struct Completion: Equatable {
    /// Bytes of the text that a candidate replaces.
    let range: Range<Int>
    let candidates: [String]
    /// What follows the only candidate.
    var ending = " "

    static func none(at cursor: Int) -> Completion { Completion(range: cursor..<cursor, candidates: []) }

    static func commonBeginning(_ texts: [String]) -> String {
        guard var common = texts.first.map({ Substring($0) }) else { return "" }
        for text in texts.dropFirst() {
            while !text.hasPrefix(common) { common.removeLast() }
        }
        return String(common)
    }
}

/// What there is to complete with. Nothing here fails: what cannot be found out is not offered.
protocol CompletionSource {
    /// All tables, as `namespace.table`.
    func tables() -> [String]
    /// The columns of a table or metadata table; empty when there is none.
    func columns(of table: String) -> [String]
}

/// Finds completions of statements and of the shell's own commands.
struct Completer {
    let source: any CompletionSource

    static let keywords: [String] = [
        "ALL", "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "COLLATE", "CROSS", "DESC", "DISTINCT", "ELSE",
        "END",
        "ESCAPE", "EXCEPT", "EXISTS", "EXPLAIN", "FILTER", "FOLLOWING", "FROM", "FULL", "GLOB", "GROUP", "HAVING", "IN",
        "INNER", "INTERSECT", "IS", "ISNULL", "JOIN", "LEFT", "LIKE", "LIMIT", "NATURAL", "NOT", "NOTNULL", "NULL",
        "NULLS", "OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER", "PARTITION", "PRECEDING", "RANGE", "RECURSIVE",
        "RIGHT", "ROW", "ROWS", "SELECT", "THEN", "UNBOUNDED", "UNION", "USING", "VALUES", "WHEN", "WHERE", "WINDOW",
        "WITH", "FOR VERSION AS OF", "FOR TIMESTAMP AS OF", "FOR CHANGES", "FOR APPENDS", "SINCE",
    ]
    static let functions: [String] = [
        "abs", "avg", "coalesce", "count", "date", "datetime", "dense_rank", "first_value", "group_concat", "ifnull",
        "iif", "instr", "json_each", "json_extract", "lag", "last_value", "lead", "length", "lower", "ltrim", "max",
        "min", "nullif", "printf", "rank", "replace", "round", "row_number", "rtrim", "strftime", "substr", "sum",
        "time", "total", "trim", "typeof", "unixepoch", "upper",
    ]

    /// - Parameter cursor: an offset in the text's UTF-8.
    func complete(_ text: String, cursor: Int) -> Completion {
        if text.hasPrefix(".") { return completeCommand(text, cursor: cursor) }
        let outline = StatementOutline(text, cursor: cursor)
        switch outline.place {
        case .text: return .none(at: cursor)
        case .table:
            let quote = outline.isQuoted ? text.utf8.prefix(outline.wordRange.lowerBound).last : nil
            return tables(outline.word, range: outline.wordRange, quote: quote)
        case .expression: return expression(outline)
        }
    }

    private func completeCommand(_ text: String, cursor: Int) -> Completion {
        let head = String(decoding: text.utf8.prefix(cursor), as: UTF8.self)
        let words = head.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        let word = words.last!
        let range = cursor - word.utf8.count..<cursor
        guard words.count > 1 else {
            return Completion(range: range, candidates: ShellCommand.names.filter { $0.hasPrefix(word) })
        }
        switch words[0] {
        case ".schema", ".tables": return tables(word, range: range, quote: nil)
        case ".mode": return Completion(range: range, candidates: ResultForm.names.filter { $0.hasPrefix(word) })
        case ".timing", ".wide":
            return Completion(range: range, candidates: ["on", "off"].filter { $0.hasPrefix(word) })
        default: return .none(at: cursor)
        }
    }

    // MARK: Tables

    private func tables(_ word: String, range: Range<Int>, quote: UInt8?) -> Completion {
        var names = source.tables().filter { Self.begins($0, with: word) }
        if let dollar = word.lastIndex(of: "$"),
            let table = source.tables().first(where: {
                $0.lowercased() == word[..<dollar].lowercased()
            })
        {
            names += MetadataTable.allCases.map { "\(table)$\($0.rawValue)" }.filter { Self.begins($0, with: word) }
        }
        guard let quote else { return Completion(range: range, candidates: names.map(Self.quotedPath)) }
        let close = quote == UInt8(ascii: "[") ? "]" : String(UnicodeScalar(quote))
        return Completion(range: range, candidates: names, ending: close + " ")
    }

    private static func begins(_ name: String, with word: String) -> Bool {
        name.lowercased().hasPrefix(word.lowercased())
    }

    // MARK: Columns, keywords, functions

    private func expression(_ outline: StatementOutline) -> Completion {
        let word = outline.word
        if let dot = word.lastIndex(of: ".") {
            let qualifier = word[..<dot].lowercased()
            let table = outline.tables.first {
                $0.alias?.lowercased() == qualifier || $0.name.lowercased() == qualifier
                    || $0.name.lowercased().hasSuffix("." + qualifier)
            }
            let columns = table.map { source.columns(of: $0.name) } ?? []
            return Completion(
                range: outline.wordRange,
                candidates: columns.filter { Self.begins($0, with: String(word[word.index(after: dot)...])) }
                    .map { word[...dot] + Self.quoted($0) })
        }
        var candidates = outline.tables.flatMap { source.columns(of: $0.name) }.filter { Self.begins($0, with: word) }
        if outline.isQuoted {
            return Completion(range: outline.wordRange, candidates: Self.distinct(candidates), ending: "\" ")
        }
        candidates = candidates.map(Self.quoted)
        if !word.isEmpty {
            candidates += outline.tables.compactMap(\.alias).filter { Self.begins($0, with: word) }
            let isLower = word == word.lowercased()
            candidates += Self.keywords.filter { Self.begins($0, with: word) }.map { isLower ? $0.lowercased() : $0 }
            candidates += Self.functions.filter { Self.begins($0, with: word) }.map { $0 + "(" }
        }
        let distinct = Self.distinct(candidates)
        return Completion(
            range: outline.wordRange, candidates: distinct, ending: distinct.first?.hasSuffix("(") == true ? "" : " ")
    }

    private static func distinct(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    // MARK: Quotes

    private static let reserved = Set(keywords)

    /// The name as SQL takes it.
    static func quoted(_ name: String) -> String {
        let isPlain =
            name.first.map { $0.isLetter || $0 == "_" } ?? false
            && name.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "$" }
        if isPlain, !reserved.contains(name.uppercased()) { return name }
        return "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private static func quotedPath(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false).map { quoted(String($0)) }.joined(separator: ".")
    }
}
