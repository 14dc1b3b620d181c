import Base

/// Cuts text into SQL statements at the semicolons that are not inside strings, quoted names or comments.
///
/// ```swift
/// let text = StatementSplitter("SELECT ';'; SELECT 2")
/// text.statements.map(\.sql)  // ["SELECT ';'"]
/// text.rest                   // " SELECT 2"
/// ```
public struct StatementSplitter: Sendable {
    public struct Statement: Sendable, Hashable {
        /// Without its semicolon, and without blanks and comments before its first word.
        public let sql: String
        /// The line of the text on which it begins, from 0.
        public let line: Int
    }

    /// Those that a semicolon ends; nothing between two semicolons is no statement.
    public private(set) var statements: [Statement] = []
    /// The beginning of one more statement, or of a comment that has no end yet; nil when only blanks and comments
    /// follow the last semicolon.
    public private(set) var rest: Statement?
    /// The byte without which more text cannot make the last statement complete: a semicolon, a quote, the end of a
    /// comment.
    public private(set) var awaited = UInt8(ascii: ";")

    /// True when there are statements, and no part of one more.
    public var isComplete: Bool { !statements.isEmpty && rest == nil }

    public init(_ text: String) {
        let bytes = Array(text.utf8)
        let (tokens, open) = Tokenizer.tokens(before: bytes.count, of: bytes)
        var counted = (bytes: 0, line: 0)
        func statement(_ range: Range<Int>) -> Statement {
            counted.line += bytes[counted.bytes..<range.lowerBound].count { $0 == UInt8(ascii: "\n") }
            counted.bytes = range.lowerBound
            return Statement(sql: String(decoding: bytes[range], as: UTF8.self), line: counted.line)
        }
        var start: Int?
        for token in tokens {
            if token.isSymbol(";") {
                if let start { statements.append(statement(start..<token.range.lowerBound)) }
                start = nil
            } else if start == nil {
                start = token.range.lowerBound
            }
        }
        if let open {
            rest = statement((start ?? open)..<bytes.count)
            awaited = bytes[open] == UInt8(ascii: "[") ? UInt8(ascii: "]") : bytes[open]
            return
        }
        let tail = tokens.last?.range.upperBound ?? 0
        if Self.endsInsideComment(bytes[tail...]) {
            rest = statement((start ?? tail)..<bytes.count)
            awaited = UInt8(ascii: "/")
        } else if let start {
            rest = statement(start..<bytes.count)
        }
    }

    /// Whether text without tokens has a comment that `*/` does not end.
    private static func endsInsideComment(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while let first = rest.first {
            if first == UInt8(ascii: "-") {
                rest = rest.drop { $0 != UInt8(ascii: "\n") }
            } else if first == UInt8(ascii: "/") {
                rest = rest.dropFirst(2)
                while !rest.isEmpty, !rest.starts(with: [UInt8(ascii: "*"), UInt8(ascii: "/")]) { rest.removeFirst() }
                guard !rest.isEmpty else { return true }
                rest = rest.dropFirst(2)
            } else {
                rest.removeFirst()
            }
        }
        return false
    }
}

extension Tokenizer {
    /// The tokens that end at or before an offset, as far as there are any: a quote that is still open ends them, and
    /// its place is told.
    static func tokens(before end: Int, of bytes: [UInt8]) -> (tokens: [Token], openQuote: Int?) {
        do {
            return (try tokens(of: String(decoding: bytes[..<end], as: UTF8.self)), nil)
        } catch {
            guard let open = error.context["offset"].flatMap({ Int($0) }), open < end else { return ([], nil) }
            return (tokens(before: open, of: bytes).tokens, open)
        }
    }
}
