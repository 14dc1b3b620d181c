import Testing

@testable import firn

@Suite struct LineEditorTests {
    private func editor(_ history: [String] = []) -> LineEditor {
        LineEditor(history: History(history), isComplete: SQLShell.isComplete)
    }

    /// Types keys as a terminal sends them and answers the actions.
    @discardableResult
    private func type(_ bytes: String, into editor: inout LineEditor) -> [LineEditor.Action] {
        var parser = KeyParser()
        return (parser.feed(Array(bytes.utf8)) + parser.timeOut()).map { editor.handle($0) }
    }

    /// Text with `|` at the cursor.
    private func shown(_ editor: LineEditor) -> String {
        let characters = editor.buffer.characters
        return String(characters[..<editor.buffer.cursor]) + "|" + String(characters[editor.buffer.cursor...])
    }

    @Test(arguments: [
        ("abc\u{1b}[D\u{1b}[Dx", "ax|bc"), ("abc\u{01}x", "x|abc"), ("abc\u{1b}[Hx\u{1b}[Fy", "xabcy|"),
        ("abc\u{01}\u{05}x", "abcx|"), ("one two\u{1b}b\u{1b}bx", "x|one two"), ("one two\u{01}\u{1b}fx", "onex| two"),
        ("one two\u{1b}[1;5Dx", "one x|two"), ("one two\u{01}\u{1b}[1;5C\u{0b}", "one|"), ("one two\u{17}x", "one x|"),
        ("a.b-c\u{1b}\u{7f}", "a.b-|"), ("a b.c\u{17}", "a |"), ("one\u{1b}[D\u{15}", "|e"),
        ("one\u{15}x\u{19}", "xone|"),
        ("abc\u{7f}\u{08}", "a|"), ("abc\u{01}\u{1b}[3~", "|bc"), ("abc\u{01}\u{04}", "|bc"),
        ("abc\u{02}\u{06}\u{02}", "ab|c"),
        ("\u{1b}[1~x\u{1b}[4~\u{1b}OH\u{1b}OFy", "xy|"), ("a\u{1b}[99;9~\u{1b}[?1;2cb", "ab|"),
        ("one two\u{01}\u{1b}d", "| two"),
        ("日本\u{1b}[D語", "日語|本"), ("e\u{301}x\u{1b}[D\u{7f}", "|x"), ("👩‍👩‍👧\u{7f}", "|"),
        ("ab\u{1b}[D\u{301}", "a\u{301}|b"),
    ])
    func edits(keys: String, expected: String) {
        var editor = editor()
        type(keys, into: &editor)
        #expect(shown(editor) == expected)
    }

    @Test func enterRunsOnlyWhatIsComplete() {
        var editor = editor()
        #expect(type("SELECT ';'\r", into: &editor).last == .redraw)
        #expect(shown(editor) == "SELECT ';'\n|")
        #expect(type(", 2;\r", into: &editor).last == .submit("SELECT ';'\n, 2;"))
        #expect(editor.buffer.isEmpty)
        #expect(type(".tables\r", into: &editor).last == .submit(".tables"))
        #expect(type("quit\r", into: &editor).last == .submit("quit"))
        #expect(type("\r", into: &editor).last == .submit(""))
        #expect(type("SELECT 'a;\r", into: &editor).last == .redraw)
    }

    @Test func controlCGivesUpAndControlDLeaves() {
        var editor = editor()
        #expect(type("abc\u{03}", into: &editor).last == .abandon)
        #expect(editor.buffer.isEmpty)
        #expect(type("\u{04}", into: &editor) == [.leave])
        #expect(type("\u{0c}", into: &editor) == [.clearScreen])
        #expect(type("\u{1a}", into: &editor) == [.suspend])
        #expect(type("\u{18}", into: &editor) == [.beep])
    }

    @Test func arrowsMoveInTheTextFirstAndThenInTime() {
        var editor = editor(["one;", "two\n2;"])
        type("draft", into: &editor)
        type("\u{1b}[A", into: &editor)
        #expect(shown(editor) == "two\n2;|")
        type("\u{1b}[A", into: &editor)
        #expect(shown(editor) == "tw|o\n2;")
        type("\u{1b}[A", into: &editor)
        #expect(shown(editor) == "one;|")
        #expect(type("\u{1b}[A", into: &editor) == [.beep])
        type("\u{1b}[B\u{0e}", into: &editor)
        #expect(shown(editor) == "draft|")
        #expect(type("\u{1b}[B", into: &editor) == [.beep])
    }

    @Test func upAndDownKeepToTheLine() {
        var editor = editor()
        type("\u{1b}[200~long line\nab\nlonger line\u{1b}[201~", into: &editor)
        type("\u{1b}[A", into: &editor)
        #expect(shown(editor) == "long line\nab|\nlonger line")
        type("\u{1b}[B", into: &editor)
        #expect(shown(editor) == "long line\nab\nlo|nger line")
        type("\u{15}\u{0b}\u{7f}", into: &editor)
        #expect(shown(editor) == "long line\nab|")
        type("\u{01}\u{1b}[A\u{05}\u{0b}", into: &editor)
        #expect(shown(editor) == "long line|ab")
    }

    @Test func historyForgetsTheOldestAndTheSame() {
        var history = History((0..<2000).map { "\($0)" })
        #expect(history.entries.count == History.entriesMax)
        let entries = ["1999", "  \n", String(repeating: "x", count: History.entryBytesMax + 1), "new"]
        #expect(entries.map { history.add($0) } == [false, false, false, true])
        #expect(history.entries.first == "1001")
        #expect(history.entries.last == "new")
    }

    @Test(arguments: ["SELECT 1;", "a\nb\\n\\", "\\", "größe 日本\t;"])
    func entriesSurviveTheirFile(entry: String) {
        #expect(History.decode(History.encode(entry) + History.encode("next")) == [entry, "next"])
    }

    @Test func whateverTheFileHoldsIsNoError() {
        #expect(History.decode("a\\") == ["a"])
        #expect(History.decode("\u{1b}[2Jx\n\n\u{0}") == ["[2Jx", ""])
    }

    // MARK: Search

    @Test func searchFindsOlderEntries() {
        var editor = editor(["SELECT one;", "SELECT two;", "VALUES (1);", "SELECT three;"])
        type("draft\u{12}sel", into: &editor)
        #expect(editor.shownText == "SELECT three;")
        type("\u{12}", into: &editor)
        #expect(editor.shownText == "SELECT two;")
        type("ect o", into: &editor)
        #expect(editor.shownText == "SELECT one;")
        #expect(type("\u{12}", into: &editor) == [.beep])
        #expect(type("\r", into: &editor) == [.submit("SELECT one;")])
        #expect(editor.search == nil)
    }

    @Test func searchIsGivenUpOrTakenOver() {
        var editor = editor(["SELECT one;"])
        type("draft\u{12}one\u{07}", into: &editor)
        #expect(shown(editor) == "draft|")
        type("\u{12}one\u{1b}[D", into: &editor)
        #expect(shown(editor) == "SELECT one|;")
        type("\u{15}\u{0b}\u{12}nowhere\u{7f}\u{1b}", into: &editor)
        #expect(shown(editor) == "|")
    }

    // MARK: Bounds and completion

    @Test func aTextHasABound() {
        var editor = editor()
        #expect(editor.handle(.paste(String(repeating: "x", count: LineEditor.textBytesMax))) == .redraw)
        #expect(editor.handle(.text("y")) == .beep)
        #expect(editor.buffer.characters.count == LineEditor.textBytesMax)
    }

    @Test func completionsInsertWhatIsCertain() {
        var editor = editor()
        #expect(type("SELECT co\t", into: &editor).last == .complete)
        #expect(editor.offer(Completion(range: 7..<9, candidates: ["country", "county"])) == .redraw)
        #expect(shown(editor) == "SELECT count|")
        #expect(editor.handle(.tab) == .complete)
        #expect(editor.offer(Completion(range: 7..<12, candidates: ["country", "county"])) == .beep)
        #expect(editor.notes.isEmpty)
        #expect(editor.handle(.tab) == .redraw)
        #expect(editor.notes == ["country", "county"])
        type("r", into: &editor)
        #expect(editor.notes.isEmpty)
        #expect(editor.handle(.tab) == .complete)
        #expect(editor.offer(Completion(range: 7..<13, candidates: ["country"])) == .redraw)
        #expect(shown(editor) == "SELECT country |")
        #expect(editor.offer(.none(at: 15)) == .beep)
    }

    @Test func tabAtTheStartOfALineIndents() {
        var editor = editor()
        type("SELECT\r\t1", into: &editor)
        #expect(shown(editor) == "SELECT\n    1|")
    }
}
