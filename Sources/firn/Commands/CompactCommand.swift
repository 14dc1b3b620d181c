import ArgumentParser
import Base
import Catalog
import Maintenance

struct Compact: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Merge the small data files of a table now.",
        discussion: """
            Works beside a running server. No query result changes; older snapshots keep their files. Deletes are \
            applied, and rows that are deleted dropped.

              firn compact web.clicks --explain                        # plans, costs and gains; nothing runs
              firn compact web.clicks --policy                         # what the server would do by itself
              firn compact web.clicks --strategy sort                  # all rows, in the table's sort order
              firn compact web.clicks --strategy zorder --columns 'country, ts'
              firn compact web.clicks --partition ts_day=2026-11-21
              firn compact web.clicks --evolve                         # also files of older specs and orders
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "namespace.table") var table: String
    @Flag(help: "Print what would be done, its cost and its gain, and do nothing.") var explain = false
    @Flag(help: "Do only what the table's policy asks for, not whatever can be merged.") var policy = false
    @Option(help: "binpack, sort or zorder. Default: the table's firn.compaction.strategy.")
    var strategy: String?
    @Option(help: "The columns of --strategy zorder, separated by commas. Default: firn.compaction.zorder-columns.")
    var columns: String?
    @Option(help: "Only this partition, as its folders are named: ts_day=2026-11-21/country=DE.")
    var partition: String?
    @Flag(help: "Also rewrite large files of an older partition spec or another sort order.") var evolve = false
    @Option(help: "Groups of files rewritten at once. Default: one for each processor, at most 8.") var threads: Int?

    func validate() throws {
        if let threads, !(1...64).contains(threads) { throw ValidationError("--threads is a number from 1 to 64") }
        if let strategy, !["binpack", "sort", "zorder"].contains(strategy) {
            throw ValidationError("--strategy is binpack, sort or zorder, not \"\(strategy)\"")
        }
        if columns != nil, strategy != "zorder" { throw ValidationError("--columns goes with --strategy zorder") }
        if policy, strategy != nil || evolve {
            throw ValidationError("--policy does what the table's properties say: leave out --strategy and --evolve")
        }
    }

    func run() throws {
        let warehouse = try location.open()
        let identifier = try TableIdentifier(parsing: table)
        let request = try request(warehouse, identifier)
        if explain { return try explain(warehouse, identifier, request) }
        let bar = ProgressBar()
        var limits = RunLimits()
        limits.width = threads ?? RunLimits.widthOfRequests
        let report = try MaintenanceJobs(warehouse: warehouse).compact(
            identifier, request: request, reason: "firn compact", waitMs: 90_000, limits: limits,
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

    private func request(_ warehouse: Warehouse, _ identifier: TableIdentifier) throws -> CompactionRequest {
        let layout: CompactionOptions.Layout? =
            switch strategy {
            case "binpack": .binPack
            case "sort": .sort
            case "zorder": .zOrder(try zOrderColumns(warehouse, identifier))
            default: nil
            }
        return CompactionRequest(isForced: !policy, layout: layout, evolves: evolve, partition: partition)
    }

    private func zOrderColumns(_ warehouse: Warehouse, _ identifier: TableIdentifier) throws -> [String] {
        let properties = try warehouse.loadTable(identifier).metadata.properties
        let names = CompactionOptions.columnNames(
            columns ?? properties[CompactionOptions.zOrderColumnsProperty] ?? "")
        guard !names.isEmpty else {
            throw ValidationError(
                "name the columns: --columns 'a, b', or set \(CompactionOptions.zOrderColumnsProperty)")
        }
        return names
    }

    private func explain(
        _ warehouse: Warehouse, _ identifier: TableIdentifier, _ request: CompactionRequest
    ) throws {
        var run = CompactionRun(warehouse: warehouse, table: identifier)
        run.request = request
        let forecast = try run.forecast()
        switch output.format {
        case .json, .ndjson:
            Console.out(forecast.json.serialize(pretty: output.format == .json) + [UInt8(ascii: "\n")])
        default: Console.out(forecast.text())
        }
    }
}

/// A progress line shared with a callback.
final class ProgressBar: @unchecked Sendable {
    private var line = ProgressLine()
    func show(done: Int, total: Int, _ text: String) { line.show(done: done, total: total, text) }
    func show(_ text: String) { line.show(text) }
}
