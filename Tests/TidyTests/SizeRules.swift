/// Files, functions and lines that have grown too long to read.
enum SizeRules {
    static let fileLinesMax = 600
    /// The aim is 70: a screen. This is where the test gives up.
    static let functionLinesMax = 100
    static let lineCharactersMax = 120

    static func check(_ file: SourceFile) -> [Finding] {
        checkLines(file) + checkLength(file) + checkFunctions(file)
    }

    /// The insides of string literals do not count: the formatter cannot wrap them.
    static func checkLines(_ file: SourceFile) -> [Finding] {
        file.lines.enumerated().compactMap { index, line in
            guard line.utf8.count > lineCharactersMax, line.count > lineCharactersMax else { return nil }
            let literal = file.code[index].utf8.count { $0 == SourceFile.stringMark }
            guard line.count - literal > lineCharactersMax else { return nil }
            return Finding(
                path: file.path, line: index + 1, message: "\(line.count) characters, more than \(lineCharactersMax)")
        }
    }

    static func checkLength(_ file: SourceFile) -> [Finding] {
        // The text ends with a newline, after which there is one empty piece.
        let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
        guard count > fileLinesMax else { return [] }
        return [Finding(path: file.path, line: 1, message: "\(count) lines, more than \(fileLinesMax)")]
    }

    static func checkFunctions(_ file: SourceFile) -> [Finding] {
        functions(of: file).compactMap { name, line, count in
            guard count > functionLinesMax, !file.isAllowed(line: line) else { return nil }
            return Finding(
                path: file.path, line: line + 1, message: "\(name) has \(count) lines, more than \(functionLinesMax)")
        }
    }

    /// Functions and initialisers with a body: name, 0-based first line and number of lines. Nested ones count both
    /// for themselves and for what surrounds them.
    static func functions(of file: SourceFile) -> [(name: String, line: Int, count: Int)] {
        let tokens = Tokens.of(file.code)
        return tokens.indices.compactMap { index in
            guard let name = declaredName(tokens, index), let open = bodyStart(tokens, after: index) else { return nil }
            var depth = 0
            for position in open..<tokens.count {
                if tokens[position].text == "{" { depth += 1 }
                if tokens[position].text == "}" {
                    depth -= 1
                    if depth == 0 {
                        return (name, tokens[index].line, tokens[position].line - tokens[index].line + 1)
                    }
                }
            }
            return nil
        }
    }

    /// The name when a function's declaration starts here.
    private static func declaredName(_ tokens: [Token], _ index: Int) -> String? {
        switch tokens[index].text {
        case "func": return index + 1 < tokens.count ? tokens[index + 1].text : nil
        case "init", "deinit":
            // `self.init(…)`, `.init(…)` and `T.init` are uses.
            guard index == 0 || tokens[index - 1].text != "." else { return nil }
            return tokens[index].text
        default: return nil
        }
    }

    /// The brace that opens the body; nil for a requirement of a protocol, which has none.
    private static func bodyStart(_ tokens: [Token], after index: Int) -> Int? {
        let declarations: Set<String> = [
            "func", "init", "deinit", "var", "let", "case", "subscript", "struct", "class", "enum", "extension",
            "protocol", "associatedtype", "typealias", "return",
        ]
        var depth = 0
        for position in (index + 1)..<tokens.count {
            let text = tokens[position].text
            switch text {
            case "(", "[": depth += 1
            case ")", "]":
                depth -= 1
                if depth < 0 { return nil }
            case "{" where depth == 0: return position
            case "}" where depth == 0: return nil
            default: if depth == 0, position > index + 1, declarations.contains(text) { return nil }
            }
        }
        return nil
    }
}

struct Token: Equatable {
    let text: String
    /// 0-based.
    let line: Int
}

enum Tokens {
    /// Words and single symbols of masked code.
    static func of(_ code: [String]) -> [Token] {
        var tokens: [Token] = []
        for (index, line) in code.enumerated() {
            var word: [UInt8] = []
            func endWord() {
                guard !word.isEmpty else { return }
                tokens.append(Token(text: String(decoding: word, as: UTF8.self), line: index))
                word = []
            }
            for byte in line.utf8 {
                if CallRules.isWord(byte) {
                    word.append(byte)
                } else {
                    endWord()
                    if byte > 0x20 { tokens.append(Token(text: String(UnicodeScalar(byte)), line: index)) }
                }
            }
            endWord()
        }
        return tokens
    }
}
