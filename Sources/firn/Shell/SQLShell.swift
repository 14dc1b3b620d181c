import Base
import Glibc
import Query

/// `firn sql`: runs statements and commands, from a person at a terminal or from a script.
final class SQLShell {
    private let session: any QuerySession
    private let clock: any Clock
    private let isInteractive: Bool
    private var form: ResultForm
    private var isTiming: Bool
    private var isWide: Bool
    private var outputFile: OutputFile?

    /// A file that results go to.
    private final class OutputFile {
        let path: String
        private let file: any File
        private var offset = 0

        init(_ path: String) throws {
            self.path = path
            file = try Environment.live.files.open(path, .replace)
        }

        deinit { file.close() }

        func write(_ bytes: [UInt8]) throws {
            try file.write(bytes, at: offset)
            offset += bytes.count
        }
    }

    init(session: any QuerySession, form: ResultForm, isWide: Bool, isInteractive: Bool) {
        self.session = session
        self.form = form
        self.isWide = isWide
        self.isInteractive = isInteractive
        isTiming = isInteractive
        clock = Environment.live.clock
    }

    // MARK: A person

    /// Until the person leaves. Errors are shown, and the shell goes on.
    func converse(on terminal: Terminal) {
        Interrupts.installForShell(onResize: { terminal.noteResize() }, beforeEnd: { terminal.restore() })
        let file = HistoryFile.path(Console.environment).map { HistoryFile(path: $0, files: Environment.live.files) }
        var history = History()
        var keepsHistory = file != nil
        /// The first failure is told, and then the history is of this run alone.
        func keep(_ body: () throws -> Void) {
            guard keepsHistory else { return }
            do {
                try body()
            } catch {
                keepsHistory = false
                complain("the history is not kept: \(error); FIRN_HISTORY names another file")
            }
        }
        Console.out("firn \(Firn.version) on \(DisplayWidth.visible(session.place)); .help helps, Ctrl-D leaves\n")
        keep { history = try file!.load() }
        let words = SessionWords(session)
        let reader = LineReader(
            terminal: terminal, history: history, completer: Completer(source: words), isComplete: Self.isComplete)
        while let text = reader.next() {
            let entry = String(text.reversed().drop(while: \.isWhitespace).reversed())
            if reader.remember(entry) { keep { try file!.append(entry) } }
            do {
                guard try run(entry) else { return }
            } catch {
                show(error)
            }
            words.forget()
        }
    }

    /// Whether Enter runs a text: commands of the shell at once, statements when they are complete.
    static func isComplete(_ text: String) -> Bool {
        guard let first = text.first(where: { !$0.isWhitespace }) else { return true }
        if first == "." || ["exit", "quit", "help"].contains(text.lowercased()) { return true }
        return StatementSplitter(text).isComplete
    }

    private func show(_ error: any Error) {
        guard let error = error as? FirnError else { return complain("\(error)") }
        if error.code == Interrupts.cancelled.code { return Console.error(Interrupts.message) }
        complain("\(error)")
        let hint: String? =
            switch error.code {
            case "table_not_found", "table_without_namespace": ".tables lists the tables"
            case "not_a_query": "\"firn ingest\", \"firn upsert\" and \"firn delete\" change rows"
            case "sql_error" where error.message.hasPrefix("no such column"): ".schema TABLE lists the columns"
            default: nil
            }
        if let hint { Console.error("  \(hint)") }
    }

    /// Messages quote what was entered and what files hold.
    private func complain(_ message: String) { Console.error("error: " + DisplayWidth.visible(message)) }

    // MARK: A script

    /// Runs what standard input holds, one statement after the other, each as soon as it is complete.
    ///
    /// - Throws: the first error, with its line.
    func runScript() throws {
        Interrupts.install()
        let lines = InputLines()
        var script = ScriptReader()
        while let line = try lines.next() {
            for step in try script.take(line) where try !runStep(step) { return }
        }
        for step in script.finish() where try !runStep(step) { return }
    }

    private func runStep(_ step: ScriptReader.Step) throws -> Bool {
        do {
            return try run(step)
        } catch let error as FirnError {
            throw error.adding(["line": String(step.line)])
        }
    }

    // MARK: Both

    /// Runs a text of commands or statements; false when it says to leave.
    private func run(_ text: String) throws -> Bool {
        if ["exit", "quit"].contains(text.lowercased()) { return false }
        if text.lowercased() == "help" { return try run(.command(".help", line: 1)) }
        if text.drop(while: \.isWhitespace).first == "." { return try run(.command(text, line: 1)) }
        for statement in StatementSplitter(text).statements {
            _ = try run(.statement(statement.sql, line: statement.line + 1))
        }
        return true
    }

    private func run(_ step: ScriptReader.Step) throws -> Bool {
        switch step {
        case .statement(let sql, _): try runStatement(sql)
        case .command(let line, _): return try runCommand(ShellCommand(line))
        }
        return true
    }

    private func runStatement(_ sql: String) throws {
        let started = clock.monotonicNanos()
        var printer = makePrinter(form)
        try session.run(sql, onColumns: { try printer.begin($0) }, onRow: { try printer.take($0) })
        try printer.finish()
        let ms = (clock.monotonicNanos() - started) / 1_000_000
        var facts: [String] = []
        if isInteractive { facts.append("\(printer.rowCount) row\(printer.rowCount == 1 ? "" : "s")") }
        if isTiming { facts.append(ms < 10_000 ? "\(ms) ms" : "\(Human.oneDecimal(Double(ms) / 1000)) s") }
        guard !facts.isEmpty else { return }
        let place = outputFile.map { " to \(DisplayWidth.visible($0.path))" } ?? ""
        // Beside a script's results it would be read as one of them.
        let line = "(\(facts.joined(separator: ", ")))\(place)"
        if isInteractive { Console.out(line + "\n") } else { Console.error(line) }
    }

    private func makePrinter(_ form: ResultForm) -> ResultPrinter {
        if let outputFile {
            return ResultPrinter(form: form, style: TableStyle(hasFooter: false)) { try outputFile.write($0) }
        }
        return ResultPrinter(
            form: form, style: .console(isWide: isWide, hasFooter: !isInteractive, wideHint: ".wide on")
        ) { Console.out($0) }
    }

    /// False when the command is to leave.
    private func runCommand(_ command: ShellCommand) throws -> Bool {
        switch command {
        case .tables(let pattern):
            var printer = makePrinter(listForm)
            try printer.begin([OutputColumn(name: "table", typeName: "string")])
            for name in try session.tables() where pattern.map({ ShellCommand.matches(name, $0) }) ?? true {
                _ = try printer.take([.text(name)])
            }
            try printer.finish()
        case .schema(let table):
            var printer = makePrinter(listForm)
            let columns = try session.columns(of: table.filter { $0 != "\"" && $0 != ";" })
            try printer.begin(["column", "type"].map { OutputColumn(name: $0, typeName: "string") })
            for column in columns {
                _ = try printer.take([.text(column.name), column.typeName.map { .text($0) } ?? .null])
            }
            try printer.finish()
        case .timing(let isOn): isTiming = isOn
        case .wide(let isOn): isWide = isOn
        case .mode(let form): self.form = form
        case .output(let path): outputFile = try path.map { try OutputFile(AbsolutePath.make($0)) }
        case .help: Console.out(ShellCommand.overview)
        case .quit: return false
        }
        return true
    }

    /// Lists of names are no charts.
    private var listForm: ResultForm { form == .chart ? .rows(.table) : form }
}

/// What a session's tables and columns are called. Each is asked for once until `forget`.
private final class SessionWords: CompletionSource {
    private let session: any QuerySession
    private var known: [String]?
    private var knownColumns: [String: [String]] = [:]

    init(_ session: any QuerySession) { self.session = session }

    func forget() {
        known = nil
        knownColumns = [:]
    }

    func tables() -> [String] {
        if let known { return known }
        let found = (try? session.tables()) ?? []
        known = found
        return found
    }

    func columns(of table: String) -> [String] {
        if let known = knownColumns[table] { return known }
        let found = ((try? session.columns(of: table)) ?? []).map(\.name)
        knownColumns[table] = found
        return found
    }
}
