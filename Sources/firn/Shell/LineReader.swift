/// Reads texts from a person: brings keys to the editor, and what the editor says to the terminal.
final class LineReader {
    /// Keys of one sequence come closer together than this.
    private static let escapeMs = 50

    private let terminal: Terminal
    private let completer: Completer
    private var editor: LineEditor
    private var parser = KeyParser()
    private var painter = FramePainter()
    /// Keys that came after the one that ended the last text.
    private var waiting: ArraySlice<Key> = []

    init(terminal: Terminal, history: History, completer: Completer, isComplete: @escaping (String) -> Bool) {
        self.terminal = terminal
        self.completer = completer
        editor = LineEditor(history: history, isComplete: isComplete)
    }

    /// Keeps a text in the history; false when it is not worth keeping.
    func remember(_ text: String) -> Bool { editor.history.add(text) }

    /// The next text; nil when the person leaves, or the terminal has gone.
    func next() -> String? {
        terminal.makeRaw()
        defer { terminal.restore() }
        show()
        while true {
            while let key = waiting.popFirst() {
                // What ends a text leaves it standing on the screen, whatever part of it was shown last.
                if key == .enter || key == .control("c") { show() }
                switch act(editor.handle(key)) {
                case .goOn: continue
                case .text(let text):
                    // As long as the terminal is raw, Ctrl-C is a key.
                    Interrupts.begin()
                    return text
                case .leave: return nil
                }
            }
            switch terminal.read(milliseconds: parser.isUndecided ? Self.escapeMs : nil) {
            case .bytes(let bytes): waiting += parser.feed(bytes)
            case .timeOut: waiting += parser.timeOut()
            case .end:
                Console.out(painter.leave())
                return nil
            case .resized:
                painter.resized(columns: terminal.size.columns)
                show()
            }
        }
    }

    private enum Step {
        case goOn
        case text(String)
        case leave
    }

    private func act(_ action: LineEditor.Action) -> Step {
        switch action {
        case .redraw: if waiting.isEmpty { show() }
        case .beep:
            show()
            Console.out("\u{07}")
        case .complete:
            let completion = completer.complete(editor.buffer.text, cursor: editor.buffer.cursorOffset)
            return act(editor.offer(completion))
        case .clearScreen: Console.out(painter.paintOnClearScreen(frame))
        case .suspend:
            Console.out(painter.leave())
            terminal.suspend()
            show()
        case .abandon:
            Console.out("^C" + painter.leave())
            show()
        case .submit(let text):
            Console.out(painter.leave())
            return .text(text)
        case .leave:
            Console.out(painter.leave())
            return .leave
        }
        return .goOn
    }

    private var frame: EditorFrame {
        let (columns, rows) = terminal.size
        return EditorView(columns: columns, rows: rows).frame(of: editor)
    }

    private func show() { Console.out(painter.paint(frame)) }
}
