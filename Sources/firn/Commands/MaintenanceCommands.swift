import ArgumentParser
import Base
import Catalog
import Maintenance
import Query

struct Compact: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Merge the small data files of a table now.",
        discussion: "Works beside a running server. No query result changes; older snapshots keep their files. "
            + "Deletes are applied, and rows that are deleted dropped.")
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "namespace.table") var table: String
    @Flag(help: "Print what would be done, and do nothing.") var explain = false

    func run() throws {
        let warehouse = try location.open()
        let identifier = try TableIdentifier(parsing: table)
        if explain {
            let plans = try CompactionRun(warehouse: warehouse, table: identifier, isForced: true).plan().map(\.text)
            Console.out(plans.isEmpty ? "nothing to do\n" : plans.joined(separator: "\n") + "\n")
            return
        }
        let bar = ProgressBar()
        let report = try MaintenanceJobs(warehouse: warehouse).compact(
            identifier, isForced: true, reason: "firn compact", waitMs: 90_000,
            onProgress: { progress in
                bar.show(
                    done: Int(progress.bytesDone), total: Int(progress.bytesTotal),
                    "\(progress.groupsDone) of \(progress.groupsTotal) groups")
            })
        guard output.format == .table else {
            Console.out(report.json.serialize() + [UInt8(ascii: "\n")])
            return
        }
        Console.out(
            """
            data files  \(report.tableFilesBefore) -> \(report.tableFilesAfter)
            bytes       \(Human.bytes(Int(report.tableBytesBefore))) -> \(Human.bytes(Int(report.tableBytesAfter)))
            rewritten   \(report.filesBefore) files into \(report.filesAfter), \(Human.count(Int(report.rows))) rows, \
            \(report.durationMs) ms

            """)
    }
}

/// A progress line shared with a callback.
final class ProgressBar: @unchecked Sendable {
    private var line = ProgressLine()
    func show(done: Int, total: Int, _ text: String) { line.show(done: done, total: total, text) }
    func show(_ text: String) { line.show(text) }
}

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

struct Expire: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget old snapshots and delete the files only they reach.",
        discussion: "Without options the table's history.expire.* properties decide.")
    @OptionGroup var location: WarehouseOptions
    @Argument(help: "namespace.table") var table: String
    @Option(help: "Expire snapshots older than this: 30m, 12h, 5d.") var olderThan: String?
    @Option(help: "Keep at least so many newest snapshots.") var retainLast: Int?

    func run() throws {
        let warehouse = try location.open()
        let identifier = try TableIdentifier(parsing: table)
        let now = warehouse.environment.clock.nowMs()
        let request = TableCommitter.ExpiryRequest(
            olderThanMs: try olderThan.map { $0 == "0s" ? now : now - (try DurationText.milliseconds($0)) },
            retainLast: retainLast)
        let report = try MaintenanceJobs(warehouse: warehouse).expire(
            identifier, request: request, reason: "firn expire", waitMs: 90_000)
        Console.out("expired \(report.snapshotsExpired) snapshots, deleted \(report.filesDeleted) files\n")
    }
}

struct CollectGarbage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Delete files that no table needs any more.",
        discussion: "Knows them from the file ledger: expired files, and what crashed processes left. Safe at any time."
    )
    @OptionGroup var location: WarehouseOptions
    @Flag(help: "List the files, and delete nothing.") var dryRun = false

    func run() throws {
        let warehouse = try location.open()
        if dryRun {
            for entry in try warehouse.ledger.collectable() { Console.out("\(entry.path)\n") }
            return
        }
        try warehouse.recover()
        let report = try warehouse.collectGarbage()
        Console.out("deleted \(report.deleted) files\n")
        guard report.failed == 0 else {
            throw FirnError(.io, "gc_incomplete", "\(report.failed) files could not be deleted; run firn gc again")
        }
    }
}
