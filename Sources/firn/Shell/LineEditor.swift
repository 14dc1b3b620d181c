import Query

/// The line editor of `firn sql`, without a terminal: keys go in, and it says what is to be done.
///
/// It is in one of two states: editing, or searching the history for a text. `EditorView` shows either.
struct LineEditor {
    /// What the terminal's side does after a key.
    enum Action: Equatable {
        /// Shows the editor anew.
        case redraw
        /// Nothing could be done.
        case beep
        /// Runs the text. The editor is empty again.
        case submit(String)
        /// Shows that the text was given up. The editor is empty again.
        case abandon
        /// Leaves the shell.
        case leave
        /// Looks for completions and calls `offer`.
        case complete
        case clearScreen
        /// Stops the process until it is continued.
        case suspend
    }

    struct Search: Equatable {
        var text = ""
        /// The entry found, if any.
        var index: Int?
        /// What was being written.
        let before: String
    }

    /// No longer statement can be run.
    static let textBytesMax = 1 << 20

    private(set) var buffer = LineBuffer()
    var history: History
    /// Non-nil while searching.
    private(set) var search: Search?
    /// Lines below the text, until the next key.
    private(set) var notes: [String] = []
    private var offered: [String] = []
    /// Whether Enter runs the text rather than beginning a new line of it.
    private let isComplete: (String) -> Bool

    init(history: History = History(), isComplete: @escaping (String) -> Bool) {
        self.history = history
        self.isComplete = isComplete
    }

    mutating func handle(_ key: Key) -> Action {
        notes = []
        if key != .tab { offered = [] }
        if search != nil, let action = searching(key) { return action }
        switch key {
        case .text(let text), .paste(let text): return insert(text)
        case .enter: return enter()
        case .tab: return tab()
        case .escape: break
        case .backspace: buffer.backspace()
        case .delete: buffer.delete()
        case .left: buffer.moveLeft()
        case .right: buffer.moveRight()
        case .up: if !buffer.moveUp() { return showOlder() }
        case .down: if !buffer.moveDown() { return showNewer() }
        case .home: buffer.moveHome()
        case .end: buffer.moveEnd()
        case .wordLeft: buffer.moveWordLeft()
        case .wordRight: buffer.moveWordRight()
        case .wordBackspace: buffer.cutWordBefore()
        case .wordDelete: buffer.cutWordAfter()
        case .control(let letter): return control(letter)
        }
        return .redraw
    }

    private mutating func control(_ letter: Character) -> Action {
        switch letter {
        case "a": buffer.moveHome()
        case "b": buffer.moveLeft()
        case "c":
            buffer.set("")
            history.leave()
            return .abandon
        case "d":
            if buffer.isEmpty { return .leave }
            buffer.delete()
        case "e": buffer.moveEnd()
        case "f": buffer.moveRight()
        case "k": buffer.cutToEnd()
        case "l": return .clearScreen
        case "n": return showNewer()
        case "p": return showOlder()
        case "r": search = Search(before: buffer.text)
        case "u": buffer.cutToStart()
        case "w": buffer.cutBlankWordBefore()
        case "y": return insert(buffer.clipboard)
        case "z": return .suspend
        default: return .beep
        }
        return .redraw
    }

    private mutating func insert(_ text: String) -> Action {
        guard buffer.text.utf8.count + text.utf8.count <= Self.textBytesMax else {
            notes = ["a statement has at most \(Self.textBytesMax >> 20) MiB"]
            return .beep
        }
        buffer.insert(text)
        return .redraw
    }

    private mutating func enter() -> Action {
        let text = buffer.text
        guard isComplete(text) else { return insert("\n") }
        buffer.set("")
        return .submit(text)
    }

    private mutating func showOlder() -> Action {
        guard let entry = history.older(than: buffer.text) else { return .beep }
        buffer.set(entry)
        return .redraw
    }

    private mutating func showNewer() -> Action {
        guard let entry = history.newer() else { return .beep }
        buffer.set(entry)
        return .redraw
    }

    // MARK: Search

    /// Handles a key of the search; nil when the key ends the search and then means what it always does.
    private mutating func searching(_ key: Key) -> Action? {
        switch key {
        case .text(let text):
            search!.text += text
            find(before: search!.index.map { $0 + 1 } ?? history.entries.count)
        case .backspace:
            if !search!.text.isEmpty { search!.text.removeLast() }
            find(before: history.entries.count)
        case .control("r"):
            let older = history.search(search!.text, before: search!.index ?? history.entries.count)
            guard let older else { return .beep }
            search!.index = older
        case .control("c"), .control("g"):
            buffer.set(search!.before)
            search = nil
        default:
            if let index = search!.index { buffer.set(history.entries[index]) }
            search = nil
            return key == .escape ? .redraw : nil
        }
        return .redraw
    }

    private mutating func find(before index: Int) {
        search!.index = search!.text.isEmpty ? nil : history.search(search!.text, before: index)
    }

    /// What is shown: the entry that a search has found, else the text.
    var shownText: String {
        guard let search else { return buffer.text }
        return search.index.map { history.entries[$0] } ?? search.before
    }

    // MARK: Completion

    private mutating func tab() -> Action {
        guard offered.isEmpty else {
            notes = offered
            return .redraw
        }
        // At the start of a line, Tab is a blank like others, so that lines can be indented.
        let before = buffer.characters[..<buffer.cursor].reversed().prefix { $0 != "\n" }
        if before.allSatisfy(\.isWhitespace) { return insert("    ") }
        return .complete
    }

    /// Takes the completions of the word before the cursor: as much of it as all have in common is inserted; when that
    /// is nothing, the next Tab lists them.
    mutating func offer(_ completion: Completion) -> Action {
        guard let first = completion.candidates.first else { return .beep }
        if completion.candidates.count == 1 {
            buffer.replace(completion.range, with: first + completion.ending)
            return .redraw
        }
        let common = Completion.commonBeginning(completion.candidates)
        if common.utf8.count > completion.range.count {
            buffer.replace(completion.range, with: common)
            return .redraw
        }
        offered = completion.candidates
        return .beep
    }
}
