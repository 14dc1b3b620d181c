import ArgumentParser
import Base
import Catalog
import Query

struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Run a SQL query over tables and their snapshots.",
        discussion: """
            The language is SQLite's; tables are written namespace.table:

              firn query "SELECT country, count(*) FROM web.clicks GROUP BY country"
              firn query "SELECT * FROM web.clicks FOR VERSION AS OF 123456789 LIMIT 5"
              firn query "SELECT count(*) FROM web.clicks FOR TIMESTAMP AS OF '2026-01-31T10:00:00Z'"
              firn query "SELECT count(*) FROM web.clicks FOR VERSION AS OF 'a branch or tag'"
              firn query "SELECT * FROM web.clicks FOR CHANGES SINCE 'yesterday'"   (BETWEEN a AND b; APPENDS)
              firn query 'SELECT * FROM "web.clicks$snapshots"'  ($files $history $manifests $partitions $refs too)
              firn query --chart "SELECT country, count(*) FROM web.clicks GROUP BY country"
              firn query "SELECT * FROM web.clicks" --to clicks.parquet   (.arrow .csv .ndjson .json too)

            A table on a terminal is cut to its width, the widest columns first; --wide cuts nothing.

            Columns that only come by name: _file, _pos and, in format version 3, _row_id and \
            _last_updated_sequence_number.

            It sees everything acknowledged: beside a running server it first asks that one to commit what is still \
            on its way (not with --no-flush). With --url the server runs the query.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: ResultDestination
    @OptionGroup var engine: DuckDBOptions
    @Argument(help: "A SELECT statement.") var sql: String
    @Option(help: "End the query after so many seconds.") var timeout: Int?
    @Flag(help: "Beside a running server, see only what is committed already.") var noFlush = false
    @Flag(help: "Say on standard error what was read and what was skipped.") var stats = false
    @Flag(help: "Cut no column of a table, however narrow the terminal is.") var wide = false
    @Flag(help: "Draw a bar for each row; the query gives a label or time and a number.") var chart = false

    func validate() throws {
        guard chart else { return }
        if output.output != nil { throw ValidationError("--chart is a form of output: leave --output out") }
        if output.to != nil { throw ValidationError("--chart is drawn on the terminal: leave --to out") }
        if engine.isChosen { throw ValidationError("--chart draws what Firn's own engine answers: leave --engine out") }
    }

    func run() throws {
        let format = try output.format
        if Self.isShown(format, output), !engine.isChosen { Interrupts.install() }
        if let address = server.address, !engine.isChosen { return try runOnServer(address, format) }
        let warehouse = try location.open()
        if !noFlush { LiveServer.flush(beside: warehouse) }
        if engine.isChosen { return try engine.run(sql, warehouse, output, timeoutSeconds: timeout, stats: stats) }
        let result = try QueryEngine(warehouse: warehouse).execute(
            sql, options: QueryOptions(timeLimitMs: timeout.map { $0 * 1000 }))
        if Self.isShown(format, output) {
            var printer = printer(format)
            try printer.print(result)
        } else {
            try output.write(ResultStream(result, format: format))
        }
        guard stats else { return }
        let counters = result.counters
        Console.error(
            "files \(counters.filesTotal), skipped \(counters.filesSkipped), read \(counters.filesRead); "
                + "rows read \(Human.count(counters.rowsRead)), \(Human.bytes(counters.bytesRead))")
    }

    /// Whether the result is text on standard output; a file has a way of its own with signals.
    private static func isShown(_ format: ResultFormat, _ output: ResultDestination) -> Bool {
        !format.isBinary && output.to == nil
    }

    private func printer(_ format: ResultFormat) -> ResultPrinter {
        var form = ResultForm.chart
        if !chart, case .text(let text) = format { form = .rows(text) }
        return ResultPrinter(form: form, style: .console(isWide: wide, wideHint: "--wide")) { Console.out($0) }
    }

    private func runOnServer(_ address: String, _ format: ResultFormat) throws {
        if Self.isShown(format, output) {
            var printer = printer(format)
            return try printer.print(sql, from: ServerSession(address))
        }
        try output.receive { take in
            try FirnClient(address).stream(
                "POST", "/v1/query",
                headers: ["Content-Type": "application/json", "Accept": format.contentType],
                body: JSONValue.object([.init("sql", .string(sql))]).serialize(), onBody: take)
        }
    }
}

/// `firn snapshots` and `firn files`: the metadata tables by their shortest name.
struct Snapshots: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the snapshots of a table.")
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "namespace.table") var table: String

    func run() throws {
        let metadata = try location.open().loadTable(TableIdentifier(parsing: table)).metadata
        var printer = RowPrinter(
            columns: [
                "snapshot-id", "committed-at", "operation", "current", "added-records", "total-records",
                "total-data-files",
            ], format: output.format)
        for snapshot in metadata.snapshots {
            func number(_ key: String) -> Cell {
                snapshot.summary[key].flatMap { Int64($0) }.map { .integer($0) } ?? .null
            }
            try printer.print([
                .integer(snapshot.snapshotId),
                .text(CivilTime.formatTimestamp(micros: snapshot.timestampMs * 1000, utc: true)),
                .text(snapshot.operation ?? ""), .boolean(snapshot.snapshotId == metadata.currentSnapshotId),
                number("added-records"), number("total-records"), number("total-data-files"),
            ])
        }
        try printer.finish()
    }
}

struct Files: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the data files of a table's current snapshot.")
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "namespace.table") var table: String

    func run() throws {
        let identifier = try TableIdentifier(parsing: table)
        let result = try QueryEngine(warehouse: try location.open()).execute("SELECT * FROM \"\(identifier)$files\"")
        var printer = ResultPrinter(form: .rows(output.format), style: .console()) { Console.out($0) }
        try printer.print(result)
    }
}
