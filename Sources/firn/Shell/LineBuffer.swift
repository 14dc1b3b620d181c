/// Text with a cursor in it, moved and cut by what people see as characters.
struct LineBuffer {
    private(set) var characters: [Character] = []
    /// 0 before the first character.
    private(set) var cursor = 0
    /// What was cut last.
    private(set) var clipboard = ""

    var text: String { String(characters) }
    var isEmpty: Bool { characters.isEmpty }
    /// The cursor as an offset in the text's UTF-8.
    var cursorOffset: Int { String(characters[..<cursor]).utf8.count }

    mutating func set(_ text: String) {
        characters = Array(text)
        cursor = characters.count
    }

    mutating func insert(_ text: String) {
        // A combining mark joins the character before it, so what is before the cursor is cut into characters again.
        let before = Array(String(characters[..<cursor]) + text)
        characters = before + characters[cursor...]
        cursor = before.count
    }

    /// Replaces bytes of the text's UTF-8, which must be whole characters, and stands behind what came.
    mutating func replace(_ bytes: Range<Int>, with new: String) {
        let utf8 = Array(text.utf8)
        let before = String(decoding: utf8[..<bytes.lowerBound], as: UTF8.self) + new
        characters = Array(before) + Array(String(decoding: utf8[bytes.upperBound...], as: UTF8.self))
        cursor = Array(before).count
    }

    // MARK: Moves

    private static func isWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }

    private var wordStart: Int {
        var at = cursor
        while at > 0, !Self.isWord(characters[at - 1]) { at -= 1 }
        while at > 0, Self.isWord(characters[at - 1]) { at -= 1 }
        return at
    }

    private var wordEnd: Int {
        var at = cursor
        while at < characters.count, !Self.isWord(characters[at]) { at += 1 }
        while at < characters.count, Self.isWord(characters[at]) { at += 1 }
        return at
    }

    private var lineStart: Int { (characters[..<cursor].lastIndex(of: "\n") ?? -1) + 1 }
    private var lineEnd: Int { characters[cursor...].firstIndex(of: "\n") ?? characters.count }

    mutating func moveLeft() { cursor = max(0, cursor - 1) }
    mutating func moveRight() { cursor = min(characters.count, cursor + 1) }
    mutating func moveWordLeft() { cursor = wordStart }
    mutating func moveWordRight() { cursor = wordEnd }
    mutating func moveHome() { cursor = lineStart }
    mutating func moveEnd() { cursor = lineEnd }
    mutating func moveToEnd() { cursor = characters.count }

    /// To the line above, at the same distance from its start as far as it goes; false on the first line.
    mutating func moveUp() -> Bool {
        let start = lineStart
        guard start > 0 else { return false }
        let distance = cursor - start
        cursor = start - 1
        cursor = min(lineStart + distance, cursor)
        return true
    }

    /// To the line below; false on the last line.
    mutating func moveDown() -> Bool {
        let distance = cursor - lineStart
        guard lineEnd < characters.count else { return false }
        cursor = lineEnd + 1
        cursor = min(cursor + distance, lineEnd)
        return true
    }

    // MARK: Cuts

    mutating func backspace() { cut(max(0, cursor - 1)..<cursor, keep: false) }
    mutating func delete() { cut(cursor..<min(characters.count, cursor + 1), keep: false) }
    mutating func cutWordBefore() { cut(wordStart..<cursor) }
    mutating func cutWordAfter() { cut(cursor..<wordEnd) }
    mutating func cutToStart() { cut(lineStart..<cursor) }

    /// To the end of the line; at its end, the newline, so that the next line comes up.
    mutating func cutToEnd() {
        let end = lineEnd
        cut(cursor..<(end == cursor ? min(characters.count, end + 1) : end))
    }

    /// To the blank before, as Ctrl-W does in a shell.
    mutating func cutBlankWordBefore() {
        var start = cursor
        while start > 0, characters[start - 1].isWhitespace { start -= 1 }
        while start > 0, !characters[start - 1].isWhitespace { start -= 1 }
        cut(start..<cursor)
    }

    private mutating func cut(_ range: Range<Int>, keep: Bool = true) {
        guard !range.isEmpty else { return }
        if keep { clipboard = String(characters[range]) }
        characters.removeSubrange(range)
        cursor = range.lowerBound
    }
}
