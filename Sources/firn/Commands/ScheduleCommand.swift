import ArgumentParser
import Base
import Catalog
import Maintenance
import Query

struct ScheduleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule", abstract: "Say when a table is compacted or its snapshots expire.",
        discussion: "Schedules live in the catalog; the running server follows them. Times are UTC.",
        subcommands: [Set.self, List.self, Show.self, Pause.self, Resume.self, Remove.self])

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add or replace a schedule.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table") var table: String
        @Argument(help: "A name for the schedule.") var name: String
        @Option(help: "An interval: 30s, 5m, 1h30m.") var every: String?
        @Option(help: "A cron expression: '*/5 * * * *', '@hourly'.") var cron: String?
        @Option(help: "compact or expire.") var action = "compact"

        func validate() throws {
            guard (every == nil) != (cron == nil) else { throw ValidationError("give either --every or --cron") }
        }

        func run() throws {
            guard let action = ScheduleSpec.Action(rawValue: action) else {
                throw ValidationError("--action must be compact or expire")
            }
            let timing = JSONValue.Member(every == nil ? "cron" : "every", .string(every ?? cron ?? ""))
            let view = try ScheduleView.set(
                try ScheduleSpec(json: .object([timing, .init("action", .string(action.rawValue))])), paused: false,
                name: name, table: TableIdentifier(parsing: table), in: location.open())
            try ScheduleCommand.show(view, output.format)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List schedules, of one table or of all.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table") var table: String?

        func run() throws {
            let warehouse = try location.open()
            let identifier = try table.map { try TableIdentifier(parsing: $0) }
            let columns = ["table", "name", "every", "cron", "action", "paused", "last-run", "next-runs"]
            var printer = RowPrinter(columns: columns, format: output.format)
            for row in try warehouse.listSchedules(table: identifier?.description) {
                let view = try ScheduleView(row, nowMs: warehouse.environment.clock.nowMs(), count: 1)
                try printer.print(Cell.row(view.json, columns))
            }
            try printer.finish()
        }
    }

    struct Named: ParsableArguments {
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table") var table: String
        @Argument(help: "The schedule's name.") var name: String

        func change(_ body: (inout ScheduleRow) -> Void) throws {
            let identifier = try TableIdentifier(parsing: table)
            try location.open().updateSchedule(table: identifier.description, name: name, body)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a schedule and its next five runs.")
        @OptionGroup var named: Named
        @OptionGroup var output: OutputOptions

        func run() throws {
            let view = try ScheduleView.find(
                named.name, table: TableIdentifier(parsing: named.table), in: named.location.open())
            try ScheduleCommand.show(view, output.format)
        }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Keep a schedule but do not run it.")
        @OptionGroup var named: Named

        func run() throws {
            try named.change { $0.paused = true }
            Console.out("paused \(named.name)\n")
        }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Run a paused schedule again.")
        @OptionGroup var named: Named

        func run() throws {
            let clock = Environment.live.clock
            try named.change { row in
                row.paused = false
                row.nextRunMs = (try? ScheduleSpec(row: row.spec))?.next(after: clock.nowMs())
            }
            Console.out("resumed \(named.name)\n")
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a schedule.")
        @OptionGroup var named: Named

        func run() throws {
            let identifier = try TableIdentifier(parsing: named.table)
            guard try named.location.open().removeSchedule(table: identifier.description, name: named.name) else {
                throw FirnError(
                    .notFound, "schedule_not_found", "there is no schedule \"\(named.name)\" for \(identifier)")
            }
            Console.out("removed \(named.name)\n")
        }
    }

    private static func show(_ view: ScheduleView, _ format: OutputFormat) throws {
        guard format == .table else { return Console.out(view.json.serialize() + [UInt8(ascii: "\n")]) }
        var lines: [String] = []
        for member in view.json.objectValue ?? [] where member.key != "next-runs" {
            lines.append(member.key + String(repeating: " ", count: 10 - member.key.count) + Cell(member.value).plain)
        }
        for ms in view.nextRuns { lines.append("next      " + CivilTime.formatTimestamp(micros: ms * 1000, utc: true)) }
        Console.out(lines.joined(separator: "\n") + "\n")
    }
}
