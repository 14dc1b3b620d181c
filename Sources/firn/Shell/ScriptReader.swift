import Base
import Glibc
import Query

/// Makes steps of the lines of a script, each as soon as it is complete.
struct ScriptReader {
    enum Step: Equatable {
        /// A line that begins with a dot.
        case command(String, line: Int)
        case statement(String, line: Int)

        /// From 1.
        var line: Int {
            switch self {
            case .command(_, let line), .statement(_, let line): line
            }
        }
    }

    /// The beginning of a statement.
    private var text = ""
    /// The line on which `text` begins, from 1.
    private var start = 1
    private var lineCount = 0
    /// Lines without this byte cannot complete the statement, and are not looked at twice.
    private var awaited = UInt8(ascii: ";")

    /// - Throws: `.limitExceeded` (`statement_too_long`).
    mutating func take(_ line: String) throws(FirnError) -> [Step] {
        lineCount += 1
        if line.hasPrefix("."), StatementSplitter(text).rest == nil {
            text = ""
            return [.command(line, line: lineCount)]
        }
        if text.isEmpty { start = lineCount }
        text += line + "\n"
        guard text.utf8.count <= LineEditor.textBytesMax else {
            throw FirnError(
                .limitExceeded, "statement_too_long",
                "a statement has more than \(LineEditor.textBytesMax >> 20) MiB; is a semicolon or a quote missing?",
                context: ["line": String(start)])
        }
        guard line.utf8.contains(awaited) else { return [] }
        let split = StatementSplitter(text)
        defer {
            awaited = split.awaited
            start += split.rest?.line ?? 0
            text = split.rest?.sql ?? ""
        }
        return steps(split)
    }

    /// What is left at the end: a last statement needs no semicolon.
    mutating func finish() -> [Step] {
        let split = StatementSplitter(text)
        return steps(split) + (split.rest.map { [.statement($0.sql, line: start + $0.line)] } ?? [])
    }

    private func steps(_ split: StatementSplitter) -> [Step] {
        split.statements.map { .statement($0.sql, line: start + $0.line) }
    }
}

/// Standard input by lines.
final class InputLines {
    /// No statement is longer, so no line of one is.
    private static let lineBytesMax = LineEditor.textBytesMax

    private var bytes: ArraySlice<UInt8> = []
    private var isAtEnd = false

    /// The next line, without its newline; nil at the end.
    ///
    /// - Throws: `.limitExceeded` (`statement_too_long`), `.io` (`read_failed`).
    func next() throws(FirnError) -> String? {
        while true {
            if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                var line = bytes[..<end]
                bytes = bytes[(end + 1)...]
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                return String(decoding: line, as: UTF8.self)
            }
            if isAtEnd {
                defer { bytes = [] }
                return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
            }
            guard bytes.count <= Self.lineBytesMax else {
                throw FirnError(
                    .limitExceeded, "statement_too_long",
                    "a line has more than \(Self.lineBytesMax >> 20) MiB; statements are no longer than that")
            }
            try receive()
        }
    }

    private func receive() throws(FirnError) {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(STDIN_FILENO, &piece, piece.count)
        guard count >= 0 else {
            if errno == EINTR { return }
            let reason = String(cString: strerror(errno))
            throw FirnError(.io, "read_failed", "standard input cannot be read: \(reason)")
        }
        isAtEnd = count == 0
        bytes = bytes + piece[..<count]
    }
}
