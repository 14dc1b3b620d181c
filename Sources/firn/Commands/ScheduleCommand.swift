import ArgumentParser
import Base
import Catalog
import Maintenance
import Query

struct ScheduleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule", abstract: "Say when tables are compacted and their snapshots expire.",
        discussion: """
            Schedules live in the catalog; the running server follows them. TABLE is a table or a pattern such as \
            'events.*' or '*'. Of several schedules that match a table, those of the most specific name count: a \
            table's own before any pattern, and a longer pattern before a shorter one.

            Starts that were missed while no server ran, or while the window was closed, are made up for once: at \
            once inside the window, else when it opens next.
            """,
        subcommands: [Set.self, List.self, Show.self, Next.self, Pause.self, Resume.self, Remove.self])

    /// What a schedule says, as options.
    struct SpecOptions: ParsableArguments {
        @Option(help: "An interval: 30s, 5m, 1h30m.") var every: String?
        @Option(help: "A cron expression: '*/5 * * * *', '@hourly'.") var cron: String?
        @Flag(help: "As soon as commits leave something to compact.") var onCommit = false
        @Option(help: "The time zone of --cron and --window: Europe/Berlin. Default: UTC.") var zone: String?
        @Option(help: "Run only in this part of the day: 01:00-05:00, 22:00-04:00.") var window: String?

        func validate() throws {
            guard [every != nil, cron != nil, onCommit].filter({ $0 }).count == 1 else {
                throw ValidationError("give one of --every, --cron and --on-commit")
            }
        }

        var members: [JSONValue.Member] {
            var members: [JSONValue.Member] = onCommit ? [.init("on", "commit")] : []
            for (key, value) in [("every", every), ("cron", cron), ("zone", zone), ("window", window)] {
                if let value { members.append(.init(key, .string(value))) }
            }
            return members
        }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add or replace a schedule.",
            discussion: """
                firn schedule set web.clicks tidy --every 5m
                firn schedule set 'events.*' nightly --cron '0 1 * * *' --zone Europe/Berlin --window 01:00-05:00 \
                --bytes-per-hour 20GiB --cpu-share 50% --concurrency 2
                """)
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table, or a pattern: 'events.*', '*'") var table: String
        @Argument(help: "A name for the schedule.") var name: String
        @OptionGroup var spec: SpecOptions
        @Option(help: "compact, expire, manifests or clean.") var action = "compact"
        @Option(help: "Tables at once.") var concurrency: Int?
        @Option(help: "Bytes of input read an hour: 20GiB.") var bytesPerHour: String?
        @Option(help: "Share of all processors that its runs may use: 50%.") var cpuShare: String?
        @Option(help: "A table property for these runs, firn.compaction.… or write.…: KEY=VALUE; may be repeated.")
        var option: [String] = []
        @Flag(help: "Store it without running it.") var paused = false

        func validate() throws {
            guard ScheduleSpec.Action(rawValue: action) != nil else {
                throw ValidationError(
                    "--action must be " + ScheduleSpec.Action.allCases.map(\.rawValue).joined(separator: ", "))
            }
        }

        func run() throws {
            var members = spec.members + [.init("action", .string(action))]
            if let concurrency { members.append(.init("concurrency", .integer(Int64(concurrency)))) }
            if let bytesPerHour { members.append(.init("bytes-per-hour", .string(bytesPerHour))) }
            if let cpuShare { members.append(.init("cpu-share", .string(cpuShare))) }
            if !option.isEmpty {
                members.append(
                    .init(
                        "options",
                        .object(
                            try option.map { text in
                                let parts = text.split(separator: "=", maxSplits: 1)
                                guard parts.count == 2 else { throw ValidationError("--option takes KEY=VALUE") }
                                return .init(String(parts[0]), .string(String(parts[1])))
                            })))
            }
            let warehouse = try location.open()
            let view = try ScheduleView.set(
                try ScheduleSpec(json: .object(members)), paused: paused, name: name, table: table, in: warehouse)
            try ScheduleCommand.show(view, in: warehouse, output.format)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List schedules, of one table or pattern or of all.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table or a pattern") var table: String?

        func run() throws {
            let warehouse = try location.open()
            let pattern = try table.map { try TablePattern(checking: $0) }
            let columns = [
                "table", "name", "every", "cron", "on", "action", "zone", "window", "bytes-per-hour", "cpu-share",
                "paused", "last-run", "next-runs",
            ]
            var printer = RowPrinter(columns: columns, format: output.format)
            for row in try warehouse.listSchedules(table: pattern?.description) {
                let view = try ScheduleView(row, in: warehouse, count: 1)
                try printer.print(Cell.row(view.json, columns))
            }
            try printer.finish()
        }
    }

    struct Next: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print when a schedule would run, without setting one.",
            discussion: "firn schedule next --cron '30 2 * * *' --zone Europe/Berlin --count 3")
        @OptionGroup var spec: SpecOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Begin after this time: 2026-03-28T00:00:00Z. Default: now.") var after: String?
        @Option(help: "So many times.") var count = 5

        func validate() throws {
            guard (1...100_000).contains(count) else { throw ValidationError("--count must be 1 to 100000") }
        }

        func run() throws {
            let environment = Environment.live
            let timetable = try Timetable(
                try ScheduleSpec(json: .object(spec.members)), files: environment.files)
            let start = try after.map { text in
                guard let ms = CivilTime.parseInstant(text) else {
                    throw ValidationError("--after takes a time such as 2026-03-28T00:00:00Z")
                }
                return ms
            }
            var printer = RowPrinter(columns: ["utc", "zoned"], format: output.format)
            for ms in timetable.nextRuns(after: start ?? environment.clock.nowMs(), count: count) {
                try printer.print([.text(ScheduleView.utc(ms)), .text(timetable.zone.format(ms: ms))])
            }
            try printer.finish()
        }
    }

    struct Named: ParsableArguments {
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table or a pattern") var table: String
        @Argument(help: "The schedule's name.") var name: String
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a schedule, its next five runs, and what it would do now and why.")
        @OptionGroup var named: Named
        @OptionGroup var output: OutputOptions

        func run() throws {
            let warehouse = try named.location.open()
            try ScheduleCommand.show(
                try ScheduleView.find(named.name, table: named.table, in: warehouse), in: warehouse, output.format)
        }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a schedule but do not run it.",
            discussion: "It still keeps its tables from wider patterns and from the background compaction.")
        @OptionGroup var named: Named

        func run() throws {
            _ = try ScheduleView.pause(true, named.name, table: named.table, in: named.location.open())
            Console.out("paused \(named.name)\n")
        }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Run a paused schedule again.")
        @OptionGroup var named: Named

        func run() throws {
            _ = try ScheduleView.pause(false, named.name, table: named.table, in: named.location.open())
            Console.out("resumed \(named.name)\n")
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a schedule.")
        @OptionGroup var named: Named

        func run() throws {
            try ScheduleView.remove(named.name, table: named.table, in: named.location.open())
            Console.out("removed \(named.name)\n")
        }
    }

    private static func show(_ view: ScheduleView, in warehouse: Warehouse, _ format: OutputFormat) throws {
        let tables = try view.explainTables(in: warehouse)
        guard format == .table else {
            let members =
                (view.json.objectValue ?? []) + [
                    .init("tables", .object(tables.map { .init($0.table, .string($0.text)) }))
                ]
            return Console.out(JSONValue.object(members).serialize() + [UInt8(ascii: "\n")])
        }
        var lines: [String] = []
        func add(_ name: String, _ text: String) {
            lines.append(name + String(repeating: " ", count: max(1, 16 - name.count)) + text)
        }
        for member in view.json.objectValue ?? [] where !["next-runs", "next-runs-zoned"].contains(member.key) {
            add(member.key, Cell(member.value).plain)
        }
        for ms in view.nextRuns { add("next", ScheduleView.utc(ms) + "  " + view.zoned(ms)) }
        for (table, text) in tables { add("table", table + ": " + text) }
        Console.out(lines.joined(separator: "\n") + "\n")
    }
}

extension CivilTime {
    /// Milliseconds since 1970 of `2026-03-28T01:02:03Z`; nil for any other form.
    fileprivate static func parseInstant(_ text: String) -> Int64? {
        let parts = text.split(omittingEmptySubsequences: false, whereSeparator: { "-T:Z".contains($0) })
        guard text.utf8.count == 20, parts.count == 7, parts[6].isEmpty else { return nil }
        let numbers = parts.dropLast().compactMap { Int($0) }
        guard numbers.count == 6, (1...12).contains(numbers[1]), numbers[2] >= 1,
            numbers[2] <= daysInMonth(year: numbers[0], month: numbers[1]), (0..<24).contains(numbers[3]),
            (0..<60).contains(numbers[4]), (0..<60).contains(numbers[5])
        else { return nil }
        let days = days(year: numbers[0], month: numbers[1], day: numbers[2])
        return (Int64(days) * 86_400 + Int64(numbers[3] * 3600 + numbers[4] * 60 + numbers[5])) * 1000
    }
}
