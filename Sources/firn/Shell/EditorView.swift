import Query

/// What the terminal shows of the editor: lines that are no wider than it, and where the cursor stands.
struct EditorFrame: Equatable {
    var rows: [String] = []
    /// Columns of each row.
    var widths: [Int] = []
    var cursorRow = 0
    var cursorColumn = 0
}

/// Lays out prompt, text and notes for a terminal of a size.
struct EditorView {
    static let prompt = "firn> "
    static let continuation = "   -> "
    private static let tab = "    "

    let columns: Int
    let rows: Int

    /// The frame; of a text that is taller than the terminal, the part around the cursor.
    func frame(of editor: LineEditor) -> EditorFrame {
        var layout = Layout(columns: max(columns, 1))
        let characters: [Character]
        let cursor: Int
        if let search = editor.search {
            let state = search.index == nil && !search.text.isEmpty ? "no such entry" : "search"
            layout.add("(\(state)) \(search.text): ")
            characters = Array(editor.shownText)
            cursor = characters.count
        } else {
            layout.add(Self.prompt)
            characters = editor.buffer.characters
            cursor = editor.buffer.cursor
        }
        for (index, character) in characters.enumerated() {
            if index == cursor { layout.markCursor() }
            switch character {
            case "\n":
                layout.newLine()
                layout.add(Self.continuation)
            case "\t": layout.add(Self.tab)
            default: layout.add(DisplayWidth.visible(String(character)))
            }
        }
        if cursor == characters.count { layout.markCursor() }
        var frame = layout.frame
        let height = max(rows, 1)
        if frame.rows.count > height {
            let first = min(max(0, frame.cursorRow - height / 2), frame.rows.count - height)
            frame.rows = Array(frame.rows[first..<first + height])
            frame.widths = Array(frame.widths[first..<first + height])
            frame.cursorRow -= first
        }
        let notes = noteRows(editor.notes, room: min(height / 2, height - frame.rows.count))
        frame.rows += notes
        frame.widths += notes.map { DisplayWidth.of($0) }
        return frame
    }

    /// Notes in as many columns as fit, down and then right; what has no room is counted.
    private func noteRows(_ notes: [String], room: Int) -> [String] {
        guard !notes.isEmpty, room > 0 else { return [] }
        let texts = notes.map { note -> String in
            let text = DisplayWidth.visible(note)
            let (cut, _) = DisplayWidth.prefix(of: text, columns: max(1, columns - 1))
            return String(cut)
        }
        let cell = texts.reduce(0) { max($0, DisplayWidth.of($1)) } + 2
        let across = max(1, columns / cell)
        let needed = (texts.count + across - 1) / across
        let lines = min(needed, needed > room ? room - 1 : room)
        var rows = (0..<max(0, lines)).map { line -> String in
            stride(from: line, to: min(texts.count, lines * across), by: lines).map { index in
                texts[index] + String(repeating: " ", count: cell - DisplayWidth.of(texts[index]))
            }.joined()
        }.map { row in String(row.reversed().drop { $0 == " " }.reversed()) }
        if needed > room { rows.append("… and \(texts.count - max(0, lines) * across) more".prefixed(by: columns)) }
        return rows
    }

    private struct Layout {
        let columns: Int
        private(set) var frame = EditorFrame(rows: [""], widths: [0])

        init(columns: Int) { self.columns = columns }

        mutating func add(_ text: String) {
            for character in text {
                let width = DisplayWidth.of(character)
                if frame.widths[frame.widths.count - 1] + width > columns { newLine() }
                frame.rows[frame.rows.count - 1].append(character)
                frame.widths[frame.widths.count - 1] += width
            }
        }

        mutating func newLine() {
            frame.rows.append("")
            frame.widths.append(0)
        }

        /// The cursor stands on the next character's place, which after a full row is in the next.
        mutating func markCursor() {
            if frame.widths.last! >= columns { newLine() }
            frame.cursorRow = frame.rows.count - 1
            frame.cursorColumn = frame.widths.last!
        }
    }
}

extension String {
    fileprivate func prefixed(by columns: Int) -> String {
        String(DisplayWidth.prefix(of: self, columns: columns).text)
    }
}

/// Brings frames to the terminal, each over the one before.
struct FramePainter {
    private var last: EditorFrame?

    /// Escape sequences that replace the last frame.
    mutating func paint(_ frame: EditorFrame) -> String {
        var out = toTop() + "\u{1b}[J" + frame.rows.joined(separator: "\r\n") + "\r"
        let below = frame.rows.count - 1 - frame.cursorRow
        if below > 0 { out += "\u{1b}[\(below)A" }
        if frame.cursorColumn > 0 { out += "\u{1b}[\(frame.cursorColumn)C" }
        last = frame
        return out
    }

    /// Clears the screen and shows the frame at its top.
    mutating func paintOnClearScreen(_ frame: EditorFrame) -> String {
        last = nil
        return "\u{1b}[H\u{1b}[2J" + paint(frame)
    }

    /// Leaves the last frame standing and goes to the line below it.
    mutating func leave() -> String {
        guard let last else { return "" }
        self.last = nil
        let below = last.rows.count - 1 - last.cursorRow
        return (below > 0 ? "\u{1b}[\(below)B" : "") + "\r\n"
    }

    /// The terminal has a new width and has wrapped the rows that no longer fit.
    mutating func resized(columns: Int) {
        guard var frame = last, columns > 0 else { return }
        let above = frame.widths[..<frame.cursorRow].reduce(0) { $0 + max(1, ($1 + columns - 1) / columns) }
        frame.cursorRow = above + frame.cursorColumn / columns
        last = frame
    }

    private func toTop() -> String {
        guard let last, last.cursorRow > 0 else { return "\r" }
        return "\r\u{1b}[\(last.cursorRow)A"
    }
}
