/// What a statement that is still being written says so far, for those who offer words to go on with.
public struct StatementOutline: Sendable {
    /// What may stand at the cursor.
    public enum Place: Sendable, Hashable {
        /// A table's name.
        case table
        /// A column, keyword or function.
        case expression
        /// Whatever the author likes: the cursor is inside a string.
        case text
    }

    public struct Table: Sendable, Hashable {
        /// As written, without quotes: `web.clicks`, `web.clicks$files`.
        public let name: String
        public let alias: String?
    }

    /// The tables that the whole statement names, also those behind the cursor.
    public let tables: [Table]
    public let place: Place
    /// Bytes of the word that the cursor is at the end of, dots included, an opening quote not.
    public let wordRange: Range<Int>
    /// What stands in `wordRange`.
    public let word: String
    /// True when a double quote, or another quote of names, stands before the word.
    public let isQuoted: Bool

    /// - Parameter cursor: an offset in the statement's UTF-8.
    public init(_ statement: String, cursor: Int) {
        let bytes = Array(statement.utf8)
        let cursor = min(max(0, cursor), bytes.count)
        let (head, openQuote) = Tokenizer.tokens(before: cursor, of: bytes)
        var start = cursor
        if let openQuote {
            start = openQuote + 1
        } else {
            while start > 0, Self.isWord(bytes[start - 1]) { start -= 1 }
        }
        // An open quote would swallow what stands behind the cursor.
        let whole = openQuote.map { bytes[..<$0] + Array(" x ".utf8) + bytes[cursor...] }.map(Array.init) ?? bytes
        tables = TableWalk(Tokenizer.tokens(before: whole.count, of: whole).tokens).tables
        let before = TableWalk(head.filter { $0.range.upperBound <= start })
        if let openQuote, bytes[openQuote] == UInt8(ascii: "'") {
            place = .text
        } else {
            place = before.expectsTable ? .table : .expression
        }
        isQuoted = openQuote != nil
        wordRange = start..<cursor
        word = String(decoding: bytes[start..<cursor], as: UTF8.self)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), UInt8(ascii: "."), 0x80...:
            true
        default: false
        }
    }
}

/// Finds where tables stand, as `StatementRewriter` does, but in statements that need not be right.
private struct TableWalk {
    private(set) var tables: [StatementOutline.Table] = []
    /// Whether a table's name is next.
    private(set) var expectsTable = false

    private struct Frame {
        var inFrom = false
        var expectsTable = false
    }

    private static let endOfFrom: Set<String> = [
        "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "WINDOW", "UNION", "EXCEPT", "INTERSECT", "SELECT", "VALUES",
    ]
    private static let notAnAlias = endOfFrom.union([
        "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "OUTER", "ON", "USING", "FOR", "INDEXED", "NOT",
    ])

    init(_ tokens: [Token]) {
        var frames = [Frame()]
        var index = 0
        while index < tokens.count {
            let token = tokens[index]
            let depth = frames.count - 1
            if token.isSymbol(";") {
                frames = [Frame()]
            } else if token.isSymbol("(") {
                frames.append(Frame(inFrom: frames[depth].expectsTable, expectsTable: frames[depth].expectsTable))
                frames[depth].expectsTable = false
            } else if token.isSymbol(")") {
                if depth > 0 { frames.removeLast() }
            } else if token.isSymbol(",") {
                frames[depth].expectsTable = frames[depth].inFrom
            } else if token.isKeyword("FROM") {
                frames[depth] = Frame(inFrom: true, expectsTable: true)
            } else if token.isKeyword("JOIN") {
                frames[depth] = Frame(inFrom: true, expectsTable: true)
            } else if token.isKeyword(in: Self.endOfFrom) {
                frames[depth] = Frame()
            } else if frames[depth].expectsTable, token.isIdentifier {
                frames[depth].expectsTable = false
                index = table(at: index, tokens)
                continue
            }
            index += 1
        }
        expectsTable = frames.last!.expectsTable
    }

    private mutating func table(at start: Int, _ tokens: [Token]) -> Int {
        var name = tokens[start].text
        var end = start + 1
        while end + 1 < tokens.count, tokens[end].isSymbol("."), tokens[end + 1].isIdentifier {
            name += "." + tokens[end + 1].text
            end += 2
        }
        var alias = end
        if alias < tokens.count, tokens[alias].isKeyword("AS") { alias += 1 }
        let hasAlias =
            alias < tokens.count && tokens[alias].isIdentifier && !tokens[alias].isKeyword(in: Self.notAnAlias)
        tables.append(StatementOutline.Table(name: name, alias: hasAlias ? tokens[alias].text : nil))
        return end
    }
}
