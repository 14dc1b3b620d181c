import Base

/// One word of a SQL statement. Blanks and comments are not tokens.
struct Token: Equatable {
    enum Kind: Equatable {
        /// A bare word: keyword or identifier.
        case word
        /// `"x"`, `[x]` or `` `x` ``.
        case quotedIdentifier
        /// `'x'` or `x'…'`.
        case string
        case number
        /// `?`, `?1`, `:x`, `@x`.
        case parameter
        /// One byte of anything else.
        case symbol
    }

    let kind: Kind
    /// The content: without quotes and with doubled quotes undone; as written for other kinds.
    let text: String
    /// Bytes of the statement.
    let range: Range<Int>

    func isSymbol(_ character: String) -> Bool { kind == .symbol && text == character }
    func isKeyword(_ keyword: String) -> Bool {
        kind == .word && text.utf8.count == keyword.utf8.count && text.uppercased() == keyword
    }
    func isKeyword(in keywords: Set<String>) -> Bool { kind == .word && keywords.contains(text.uppercased()) }
    var isIdentifier: Bool { kind == .word || kind == .quotedIdentifier }
}

/// Splits a statement into tokens by SQLite's rules, so that nothing inside strings, quoted names and comments is
/// taken for syntax.
///
/// Source: https://www.sqlite.org/draft/tokenreq.html
struct Tokenizer {
    private let bytes: [UInt8]
    private var position = 0

    /// Throws `.invalidInput` (`sql_error`) for a quote or comment without an end.
    static func tokens(of sql: String) throws(FirnError) -> [Token] {
        var tokenizer = Tokenizer(bytes: Array(sql.utf8))
        var tokens: [Token] = []
        while let token = try tokenizer.next() { tokens.append(token) }
        return tokens
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func byte(at index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }

    private mutating func next() throws(FirnError) -> Token? {
        skipBlanksAndComments()
        guard position < bytes.count else { return nil }
        let start = position
        switch bytes[start] {
        case UInt8(ascii: "'"): return try quoted(.string, open: start, close: UInt8(ascii: "'"))
        case UInt8(ascii: "\""): return try quoted(.quotedIdentifier, open: start, close: UInt8(ascii: "\""))
        case UInt8(ascii: "`"): return try quoted(.quotedIdentifier, open: start, close: UInt8(ascii: "`"))
        case UInt8(ascii: "["): return try quoted(.quotedIdentifier, open: start, close: UInt8(ascii: "]"))
        case UInt8(ascii: "x") where byte(at: start + 1) == UInt8(ascii: "'"),
            UInt8(ascii: "X") where byte(at: start + 1) == UInt8(ascii: "'"):
            return try quoted(.string, open: start + 1, close: UInt8(ascii: "'"), from: start)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return number(start)
        case UInt8(ascii: ".") where isDigit(byte(at: start + 1)): return number(start)
        case UInt8(ascii: "?"), UInt8(ascii: ":"), UInt8(ascii: "@"):
            position += 1
            while position < bytes.count, isWord(bytes[position]) { position += 1 }
            return token(position == start + 1 && bytes[start] != UInt8(ascii: "?") ? .symbol : .parameter, start)
        case let first where isWord(first):
            while position < bytes.count, isWord(bytes[position]) { position += 1 }
            return token(.word, start)
        default:
            position += 1
            return token(.symbol, start)
        }
    }

    private mutating func skipBlanksAndComments() {
        while position < bytes.count {
            if bytes[position] == 0x20 || (0x09...0x0d).contains(bytes[position]) {
                position += 1
            } else if bytes[position] == UInt8(ascii: "-"), byte(at: position + 1) == UInt8(ascii: "-") {
                while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
            } else if bytes[position] == UInt8(ascii: "/"), byte(at: position + 1) == UInt8(ascii: "*") {
                // An unfinished comment ends with the statement.
                position += 2
                while position < bytes.count,
                    !(bytes[position] == UInt8(ascii: "*") && byte(at: position + 1) == UInt8(ascii: "/"))
                {
                    position += 1
                }
                position = min(position + 2, bytes.count)
            } else {
                return
            }
        }
    }

    private mutating func quoted(
        _ kind: Token.Kind, open: Int, close: UInt8, from start: Int? = nil
    ) throws(FirnError) -> Token {
        var content: [UInt8] = []
        position = open + 1
        while position < bytes.count {
            if bytes[position] == close {
                // Brackets have no way to hold their own end.
                guard close != UInt8(ascii: "]"), byte(at: position + 1) == close else {
                    position += 1
                    let text = String(decoding: content, as: UTF8.self)
                    return Token(kind: kind, text: text, range: (start ?? open)..<position)
                }
                position += 1
            }
            content.append(bytes[position])
            position += 1
        }
        throw FirnError(
            .invalidInput, "sql_error", "the quote has no end", context: ["offset": String(open)])
    }

    private mutating func number(_ start: Int) -> Token {
        while position < bytes.count {
            let byte = bytes[position]
            let isSign = byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
            let afterExponent = position > start && bytes[position - 1] | 0x20 == UInt8(ascii: "e")
            guard isWord(byte) || byte == UInt8(ascii: ".") || (isSign && afterExponent) else { break }
            position += 1
        }
        return token(.number, start)
    }

    private func token(_ kind: Token.Kind, _ start: Int) -> Token {
        Token(kind: kind, text: String(decoding: bytes[start..<position], as: UTF8.self), range: start..<position)
    }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// Letters, digits, `_`, `$` and everything beyond ASCII.
    private func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
            || byte >= 0x80
    }
}
