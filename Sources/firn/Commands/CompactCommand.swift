import ArgumentParser
import Base
import Catalog
import Maintenance

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
