/// Rows as a table of GitHub Flavored Markdown.
///
/// Source: https://github.github.com/gfm/#tables-extension-
enum MarkdownTable {
    /// The heading and the line below it, which says how columns are aligned; the first row decides for columns whose
    /// type does not tell.
    static func head(_ columns: [OutputColumn], firstRow: [Cell]?) -> [UInt8] {
        let alignment = columns.enumerated().map { index, column in
            column.isNumeric ?? firstRow?[index].isNumber ?? false ? "---:" : "---"
        }
        return line(columns.map { escaped($0.name) }) + line(alignment)
    }

    static func line(_ row: [Cell]) -> [UInt8] { line(row.map { $0.isNull ? "NULL" : escaped($0.plain) }) }

    private static func line(_ texts: [String]) -> [UInt8] {
        Array(("| " + texts.joined(separator: " | ") + " |\n").utf8)
    }

    private static let special = Set("\\|`*<[~&#")

    /// The text with a backslash before all that Markdown would take for markup.
    static func escaped(_ text: String) -> String {
        let visible = DisplayWidth.visible(text)
        guard visible.contains(where: { special.contains($0) || $0 == "_" }) else { return visible }
        let characters = Array(visible)
        var out = ""
        for (index, character) in characters.enumerated() {
            if special.contains(character) || (character == "_" && !isInsideWord(index, characters)) {
                out.append("\\")
            }
            out.append(character)
        }
        return out
    }

    /// An underscore between letters is just that.
    private static func isInsideWord(_ index: Int, _ characters: [Character]) -> Bool {
        guard index > 0, index + 1 < characters.count else { return false }
        return [characters[index - 1], characters[index + 1]].allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
    }
}
