import Base
import Query

/// What a line that begins with a dot says.
enum ShellCommand: Equatable {
    case tables(pattern: String?)
    case schema(table: String)
    case timing(Bool)
    case wide(Bool)
    case mode(ResultForm)
    /// Nil for the terminal again.
    case output(path: String?)
    case help
    case quit

    static let names = [".help", ".mode", ".output", ".quit", ".schema", ".tables", ".timing", ".wide"]

    static let overview = """
        Statements end with ; and may have several lines. Tables are written namespace.table.

        .tables [PATTERN]   list the tables, those like PATTERN (* and ?)
        .schema TABLE       list the columns of a table
        .mode FORMAT        show results as \(ResultForm.names.joined(separator: ", "))
        .wide on|off        off cuts tables to the width of the terminal
        .timing on|off      say how long a statement took
        .output [FILE]      write results to a file; without one, to the terminal again
        .help               show this
        .quit               leave, as Ctrl-D does

        Tab completes, Ctrl-R searches what was entered before, Ctrl-C clears the line or cancels the statement.

        """

    /// - Throws: `.invalidInput` (`bad_command`), with what would be right.
    init(_ line: String) throws(FirnError) {
        let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
        let name = words.first ?? ""
        let argument = words.dropFirst().joined(separator: " ")
        func onOff() throws(FirnError) -> Bool {
            switch argument {
            case "on": return true
            case "off": return false
            default: throw FirnError(.invalidInput, "bad_command", "write \(name) on or \(name) off")
            }
        }
        switch name {
        case ".tables": self = .tables(pattern: argument.isEmpty ? nil : argument)
        case ".schema":
            guard !argument.isEmpty else {
                throw FirnError(.invalidInput, "bad_command", "write .schema and a table, as namespace.table")
            }
            self = .schema(table: argument)
        case ".timing": self = .timing(try onOff())
        case ".wide": self = .wide(try onOff())
        case ".mode":
            guard let form = ResultForm(argument) else {
                let forms = ResultForm.names.joined(separator: ", ")
                throw FirnError(.invalidInput, "bad_command", "write .mode and one of \(forms)")
            }
            self = .mode(form)
        case ".output": self = .output(path: argument.isEmpty ? nil : argument)
        case ".help": self = .help
        case ".quit", ".exit": self = .quit
        default:
            let close = NameSuggestion.closest(to: name, among: Self.names)
            throw FirnError(
                .invalidInput, "bad_command",
                "there is no command \(name)" + (close.map { "; did you mean \($0)?" } ?? "; .help lists them"))
        }
    }

    /// Whether a text matches a pattern of `*` and `?`, whatever the case.
    static func matches(_ text: String, _ pattern: String) -> Bool {
        let text = Array(text.lowercased())
        let pattern = Array(pattern.lowercased())
        var (at, next) = (0, 0)
        // Where the last star stands, and how much of the text it has taken.
        var star: (pattern: Int, text: Int)?
        while at < text.count {
            if next < pattern.count, pattern[next] == "*" {
                star = (next, at)
                next += 1
            } else if next < pattern.count, pattern[next] == "?" || pattern[next] == text[at] {
                at += 1
                next += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                (at, next) = (last.text + 1, last.pattern + 1)
            } else {
                return false
            }
        }
        return pattern[next...].allSatisfy { $0 == "*" }
    }
}
