import ArgumentParser
import Base
import Catalog
import Query

/// `firn jobs`: what maintenance did, and does.
struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List, show and cancel maintenance jobs.",
        discussion: """
            Every compaction, expiry and clean-up is a job in the catalog, also those of a running server. A job that \
            was interrupted is taken up by the next process, under the same id. The history of one table is also the \
            SQL table "namespace.table$jobs".
            """,
        subcommands: [List.self, Show.self, Cancel.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List jobs, newest first.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table") var table: String?
        @Option(help: "Only jobs in this state: planned, running, done, failed, cancelled.") var state: String?
        @Option(help: "Only jobs of this kind: compact, expire, manifests, clean.") var kind: String?
        @Option(help: "So many at most.") var limit = 50

        func validate() throws {
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be 1 to 10000") }
        }

        func run() throws {
            let identifier = try table.map { try TableIdentifier(parsing: $0) }
            let wanted = try state.map { try JobRow.State(checking: $0) }
            let jobs = try location.open().listJobs(
                table: identifier?.description, kind: kind, state: wanted, limit: limit)
            let columns = [
                "id", "table", "kind", "state", "reason", "created", "runs", "files-before", "files-after",
                "bytes-before", "run-ms", "cpu-ms", "attempts", "error",
            ]
            var printer = RowPrinter(columns: columns, format: output.format)
            for job in jobs { try printer.print(Cell.row(job.json, columns)) }
            try printer.finish()
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show everything about a job.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "The job's id, or its first characters.") var id: String

        func run() throws {
            let json = try location.open().job(id).json
            guard output.format == .table else { return Console.out(json.serialize() + [UInt8(ascii: "\n")]) }
            for member in json.objectValue ?? [] where member.key != "report" {
                let name = member.key + String(repeating: " ", count: max(1, 18 - member.key.count))
                Console.out(name + Cell(member.value).plain + "\n")
            }
        }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask a job to stop.",
            discussion: """
                A running job stops within about a second, in whatever process it runs; what it has committed stays. \
                One that waits is cancelled at once. A cancelled compaction of the background is left alone for ten \
                minutes; pause its schedule, or set firn.compaction.enabled=false, to keep it away for longer.
                """)
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "The job's id, or its first characters.") var id: String

        func run() throws {
            let job = try location.open().cancelJob(id)
            Console.out(
                job.state == .cancelled
                    ? "cancelled \(job.id)\n" : "asked \(job.id) to stop; it does at its next checkpoint\n")
        }
    }
}
