import Query
import Testing

@testable import firn

@Suite struct EditorViewTests {
    private func editor(_ text: String, left: Int = 0) -> LineEditor {
        var editor = LineEditor(isComplete: { _ in false })
        _ = editor.handle(.paste(text))
        for _ in 0..<left { _ = editor.handle(.left) }
        return editor
    }

    private func frame(_ editor: LineEditor, _ columns: Int = 20, _ rows: Int = 10) -> EditorFrame {
        EditorView(columns: columns, rows: rows).frame(of: editor)
    }

    @Test func textWrapsAtTheWidth() {
        let shown = frame(editor("SELECT 12345678901234567890", left: 1))
        #expect(shown.rows == ["firn> SELECT 1234567", "8901234567890"])
        #expect(shown.cursorRow == 1 && shown.cursorColumn == 12)
    }

    @Test func afterAFullRowTheCursorIsInTheNext() {
        let shown = frame(editor("12345678901234"))
        #expect(shown.rows == ["firn> 12345678901234", ""])
        #expect(shown.cursorRow == 1 && shown.cursorColumn == 0)
    }

    @Test func wideCharactersAreNotHalved() {
        let shown = frame(editor("x日本語日本語日本"), 11)
        #expect(shown.rows == ["firn> x日本", "語日本語日", "本"])
        #expect(shown.widths == [11, 10, 2])
        #expect(shown.cursorColumn == 2)
    }

    @Test func linesHaveAContinuation() {
        let shown = frame(editor("a\n\tb"))
        #expect(shown.rows == ["firn> a", "   ->     b"])
        #expect(shown.cursorRow == 1 && shown.cursorColumn == 11)
    }

    @Test func ofATallTextThePartAroundTheCursorIsShown() {
        let text = (0..<30).map { "line \($0)" }.joined(separator: "\n")
        let end = frame(editor(text), 20, 5)
        #expect(end.rows.count == 5)
        #expect(end.rows.last == "   -> line 29" && end.cursorRow == 4)
        let start = frame(editor(text, left: text.count), 20, 5)
        #expect(start.rows.first == "firn> line 0" && start.cursorRow == 0)
    }

    @Test func theSearchShowsWhatItFound() {
        var editor = LineEditor(history: History(["SELECT one;"]), isComplete: { _ in true })
        _ = editor.handle(.control("r"))
        #expect(frame(editor, 60).rows == ["(search) : "])
        _ = editor.handle(.text("ne"))
        #expect(frame(editor, 60).rows == ["(search) ne: SELECT one;"])
        _ = editor.handle(.text("x"))
        #expect(frame(editor, 60).rows == ["(no such entry) nex: "])
    }

    @Test func notesStandBelowInColumns() {
        var editor = editor("SELECT c")
        let names = (0..<7).map { "c\($0)" }
        func list(_ names: [String]) {
            _ = editor.offer(Completion(range: 7..<8, candidates: names))
            _ = editor.handle(.tab)
        }
        list(names)
        #expect(frame(editor).rows == ["firn> SELECT c", "c0  c2  c4  c6", "c1  c3  c5"])
        list((0..<100).map { "c\($0)" })
        let rows = frame(editor, 20, 8).rows
        #expect(rows.count == 5)
        #expect(rows.last == "… and 88 more")
    }

    @Test func noRowIsWiderThanTheTerminal() {
        var editor = editor("SELECT 日本 e\u{301} 👩‍👩‍👧 \n\t'x' \u{202e}", left: 3)
        _ = editor.offer(Completion(range: 0..<0, candidates: ["日本語 a", "日本語 b" + String(repeating: "x", count: 90)]))
        for columns in 1...60 {
            for row in frame(editor, columns).rows where columns > 1 {
                #expect(DisplayWidth.of(row) <= columns)
            }
        }
    }

    // MARK: Painting

    @Test func aFrameReplacesTheOneBefore() {
        var painter = FramePainter()
        let first = EditorFrame(rows: ["ab", "cd", "ef"], widths: [2, 2, 2], cursorRow: 1, cursorColumn: 1)
        #expect(painter.paint(first) == "\r\u{1b}[Jab\r\ncd\r\nef\r\u{1b}[1A\u{1b}[1C")
        let second = EditorFrame(rows: ["x"], widths: [1], cursorRow: 0, cursorColumn: 0)
        #expect(painter.paint(second) == "\r\u{1b}[1A\u{1b}[Jx\r")
        #expect(painter.leave() == "\r\n")
        #expect(painter.paint(first).hasPrefix("\r\u{1b}[J"))
        #expect(painter.leave() == "\u{1b}[1B\r\n")
    }

    @Test func aNarrowerTerminalHasWrappedTheRows() {
        var painter = FramePainter()
        _ = painter.paint(EditorFrame(rows: ["0123456789", "ab"], widths: [10, 2], cursorRow: 1, cursorColumn: 2))
        painter.resized(columns: 4)
        #expect(painter.paint(EditorFrame(rows: ["x"], widths: [1])).hasPrefix("\r\u{1b}[3A\u{1b}[J"))
    }
}
