/// Splits the short form into words, numbers, quoted names, text and symbols.
struct ShortSchemaLexer {
    enum Kind { case word, number, quoted, text, symbol, end, unfinished }

    struct Token {
        var kind: Kind
        var text: String
        /// Characters before the token.
        var position: Int

        var shown: String {
            switch kind {
            case .end: "the end"
            case .unfinished: "a quote that is not closed"
            default: "'\(text)'"
            }
        }
    }

    let text: String
    private let characters: [Character]
    private var at = 0

    init(_ text: String) {
        self.text = text
        characters = Array(text)
    }

    mutating func next() -> Token {
        while at < characters.count, characters[at].isWhitespace { at += 1 }
        let start = at
        guard at < characters.count else { return Token(kind: .end, text: "", position: start) }
        let first = characters[at]
        if first == "\"" || first == "`" || first == "'" { return quoted(first) }
        guard Self.isWord(first) else {
            at += 1
            return Token(kind: .symbol, text: String(first), position: start)
        }
        while at < characters.count, Self.isWord(characters[at]) { at += 1 }
        let word = String(characters[start..<at])
        let isNumber = word.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return Token(kind: isNumber ? .number : .word, text: word, position: start)
    }

    private mutating func quoted(_ quote: Character) -> Token {
        let start = at
        at += 1
        var content = ""
        while at < characters.count {
            let character = characters[at]
            at += 1
            if character == quote {
                guard at < characters.count, characters[at] == quote else {
                    return Token(kind: quote == "'" ? .text : .quoted, text: content, position: start)
                }
                at += 1
            }
            content.append(character)
        }
        return Token(kind: .unfinished, text: content, position: start)
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_" || character == "-"
            || !character.isASCII && !character.isWhitespace && !character.isPunctuation
    }
}
