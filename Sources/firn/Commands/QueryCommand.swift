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

            Columns that only come by name: _file, _pos and, in format version 3, _row_id and \
            _last_updated_sequence_number.

            It sees everything acknowledged: beside a running server it first asks that one to commit what is still \
            on its way (not with --no-flush). With --url the server runs the query.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "A SELECT statement.") var sql: String
    @Option(help: "End the query after so many seconds.") var timeout: Int?
    @Flag(help: "Beside a running server, see only what is committed already.") var noFlush = false
    @Flag(help: "Say on standard error what was read and what was skipped.") var stats = false

    func run() throws {
        if let address = server.address { return try runOnServer(address) }
        let warehouse = try location.open()
        if !noFlush, let live = LiveServer.find(warehouse: warehouse.directory) {
            do {
                try live.flush()
            } catch {
                Console.error("firn: the server at \(live.url) could not commit what it has acknowledged: \(error)")
            }
        }
        let result = try QueryEngine(warehouse: warehouse).execute(
            sql, options: QueryOptions(timeLimitMs: timeout.map { $0 * 1000 }))
        let stream = QueryStream(
            result, format: output.format, terminalWidth: Console.outputIsTerminal ? Console.width : nil)
        while let piece = try stream.next() { Console.out(piece) }
        guard stats else { return }
        let counters = result.counters
        Console.error(
            "files \(counters.filesTotal), skipped \(counters.filesSkipped), read \(counters.filesRead); "
                + "rows read \(Human.count(counters.rowsRead)), \(Human.bytes(counters.bytesRead))")
    }

    private func runOnServer(_ address: String) throws {
        let answer = try FirnClient(address).send(
            "POST", "/v1/query",
            headers: ["Content-Type": "application/json", "Accept": output.format.contentType],
            body: JSONValue.object([.init("sql", .string(sql))]).serialize())
        guard answer.status < 400 else { throw FirnClient.problem(answer) }
        Console.out(answer.body)
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
        let stream = QueryStream(
            result, format: output.format, terminalWidth: Console.outputIsTerminal ? Console.width : nil)
        while let piece = try stream.next() { Console.out(piece) }
    }
}
