import ArgumentParser
import Base
import Catalog
import Ingest
import Query

/// `firn dlq`: records that a table could not take.
struct DeadLetterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "List, show, redrive and discard dead letters.",
        discussion: """
            A table with the property firn.dead-letters.enabled=true keeps the records that it cannot take in the \
            table "<table>$dead_letters", with the reason. "redrive" moves those that fit by now back into the table, \
            in one commit. All of it works beside a running server, on what is committed.
            """,
        subcommands: [List.self, Show.self, Redrive.self, Discard.self])

    struct Selection: ParsableArguments {
        @Option(help: "Only this rejection code; may be repeated.") var code: [String] = []
        @Option(help: "Only letters whose fault is at this column path.") var column: String?
        @Option(help: "Only from this log position on.") var fromPosition: UInt64?
        @Option(help: "Only up to this log position.") var toPosition: UInt64?

        var value: DeadLetterSelection {
            get throws {
                var selection = DeadLetterSelection()
                selection.codes = Set(code)
                selection.column = column
                if fromPosition != nil || toPosition != nil {
                    let (from, to) = (fromPosition ?? 0, toPosition ?? .max)
                    guard from <= to else { throw ValidationError("--from-position is above --to-position") }
                    selection.positions = from...to
                }
                return selection
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Count dead letters, by table and code.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table") var table: String?

        func run() throws {
            let counts = try DeadLetterOffice(warehouse: location.open()).count(
                try table.map { try TableIdentifier(parsing: $0) })
            var printer = RowPrinter(columns: ["table", "code", "letters"], format: output.format)
            for count in counts {
                for (code, letters) in count.byCode.sorted(by: { $0.key < $1.key }) {
                    try printer.print([.text(count.table.description), .text(code), .integer(Int64(letters))])
                }
            }
            try printer.finish()
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show dead letters with their reasons.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var selection: Selection
        @Argument(help: "namespace.table") var table: String
        @Option(help: "So many at most.") var limit = 100

        func run() throws {
            let letters = try DeadLetterOffice(warehouse: location.open()).show(
                TableIdentifier(parsing: table), selection.value, limit: limit)
            let columns = ["position", "line", "received", "code", "column", "message", "producer", "payload"]
            var printer = RowPrinter(columns: columns, format: output.format)
            for letter in letters { try printer.print(Cell.row(letter.json, columns)) }
            try printer.finish()
        }
    }

    struct Redrive: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move dead letters that fit by now back into their table, in one commit.",
            discussion: "What still does not fit stays, and its reasons are printed.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var selection: Selection
        @Argument(help: "namespace.table") var table: String

        func run() throws {
            let report = try DeadLetterOffice(warehouse: location.open()).redrive(
                TableIdentifier(parsing: table), selection.value)
            DeadLetterCommand.print(report, "moved back", output.format)
        }
    }

    struct Discard: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete dead letters for good.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @OptionGroup var selection: Selection
        @Argument(help: "namespace.table") var table: String

        func run() throws {
            let report = try DeadLetterOffice(warehouse: location.open()).discard(
                TableIdentifier(parsing: table), selection.value)
            DeadLetterCommand.print(report, "discarded", output.format)
        }
    }

    private static func print(_ report: RedriveReport, _ verb: String, _ format: OutputFormat) {
        guard format == .table else {
            return Console.out(report.json.serialize() + [UInt8(ascii: "\n")])
        }
        var text = "\(Human.count(report.moved)) dead letters \(verb)\n"
        if report.stillRejected > 0 {
            text += "\(Human.count(report.stillRejected)) still do not fit:\n"
            for reason in report.reasons { text += "  line \(reason.line), \(reason.message) (\(reason.code))\n" }
        }
        Console.out(text)
    }
}
