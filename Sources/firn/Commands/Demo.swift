import ArgumentParser
import Base
import Catalog
import Glibc
import Synchronization

/// The whole product in half a minute: stream, kill, recover, query, travel in time, compact.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show everything once: stream events, kill the server, recover, query, compact.")
    @Option(help: "Seconds to stream.") var seconds = 8
    @Option(help: "Where to put the demo's warehouse; emptied at every run.") var warehouse = "demo-warehouse"

    private static let marker = ".firn-demo"
    private static let table = "web.clicks"
    private static let path = "/v1/tables/web/clicks"

    func validate() throws {
        guard (2...600).contains(seconds) else { throw ValidationError("--seconds must be 2 to 600") }
    }

    func run() throws {
        let directory = AbsolutePath.make(warehouse)
        try prepare(directory)
        title("1. A server on an empty warehouse, and a table")
        var server = try ServerProcess(warehouse: directory)
        let address = Sender.Address(server.address)
        say("firn serve --warehouse \(warehouse)    (process \(server.process))")
        say("firn table create web.clicks '\(Workload.clicks.schema)' --partition 'day(ts)'")
        try createTable(server.address)

        title("2. \(seconds) seconds of click events over HTTP, with a kill -9 half-way")
        let outcome = try stream(directory: directory, address: address, server: &server)
        var client = try FirnClient(server.address)
        try client.call("POST", Self.path + "/flush")

        title("3. What arrived")
        let totals =
            "SELECT count(*) AS events, count(DISTINCT id) AS ids, sum(duration_ms) AS total_ms FROM web.clicks"
        let before = try query(&client, totals)
        let acknowledged = Int64(outcome.records)
        guard before["events"]?.intValue == acknowledged, before["ids"]?.intValue == acknowledged else {
            throw FirnError(
                .internal, "demo_lost_records", "\(acknowledged) events were acknowledged, the table has \(before.text)"
            )
        }
        say(
            "acknowledged \(Human.count(outcome.records)), in the table \(Human.count(outcome.records)): none lost, none twice"
        )
        _ = try query(
            &client,
            "SELECT country, count(*) AS events, avg(duration_ms) AS avg_ms FROM web.clicks GROUP BY country ORDER BY events DESC LIMIT 3"
        )

        title("4. Back in time")
        let snapshots = try client.call("GET", Self.path + "/snapshots")["snapshots"]?.arrayValue ?? []
        let first = snapshots.first?["snapshot-id"]?.intValue ?? 0
        let travel = "SELECT count(*) AS events FROM web.clicks FOR VERSION AS OF \(first)"
        let then = try query(&client, travel)

        title("5. Compaction")
        say("firn compact web.clicks")
        let report = try client.call("POST", Self.path + "/compact")
        say(
            "data files \(report["table-files-before"]?.intValue ?? 0) -> \(report["table-files-after"]?.intValue ?? 0), bytes "
                + "\(Human.bytes(Int(report["table-bytes-before"]?.intValue ?? 0))) -> \(Human.bytes(Int(report["table-bytes-after"]?.intValue ?? 0)))"
        )
        guard try query(&client, totals) == before, try query(&client, travel) == then else {
            throw FirnError(.internal, "demo_compaction_changed_rows", "compaction changed a result")
        }
        say("the same totals, now and in the first snapshot")
        let metadata = try client.call("GET", Self.path)["metadata-location"]?.stringValue ?? ""
        server.stop(SIGTERM)
        finish(metadata: metadata, directory: directory)
    }

    /// Empties an earlier demo's folder, and touches nothing else.
    private func prepare(_ directory: String) throws {
        let files = Environment.live.files
        let entries = try files.list(directory)
        guard entries.isEmpty || entries.contains(where: { $0.name == Self.marker }) else {
            throw FirnError(
                .alreadyExists, "not_a_demo",
                "\(directory) is not empty and not a demo's; name another with --warehouse")
        }
        TemporaryDirectory.remove(directory)
        try files.createDirectories(directory)
        try files.writeAll([], to: directory + "/" + Self.marker)
    }

    private func createTable(_ address: String) throws {
        try FirnClient(address).call(
            "POST", "/v1/tables",
            body: JSONValue.object([
                .init("namespace", "web"), .init("name", "clicks"), .init("schema", .string(Workload.clicks.schema)),
                .init("partition", "day(ts)"),
                // The demo compacts by hand, to show the difference.
                .init("properties", ["firn.compaction.enabled": "false"]),
            ]).serialize())
    }

    // MARK: Streaming

    private func stream(
        directory: String, address: Sender.Address, server: inout ServerProcess
    ) throws -> Sender.Outcome {
        let clock = Environment.live.clock
        let start = clock.monotonicNanos()
        let end = start + Int64(seconds) * 1_000_000_000
        let sender = Sender()
        let failure = Mutex<String?>(nil)
        let done = Semaphore()
        for index in 0..<2 {
            Thread.spawn(name: "demo-\(index)") {
                var generator = RecordGenerator(
                    .clicks, seed: UInt64(index + 1), firstId: Int64(index) << 40 + 1,
                    startMicros: clock.nowMicros() - Int64(index) << 40 * 137)
                var client: FirnClient?
                var sequence = 0
                do {
                    while clock.monotonicNanos() < end {
                        let batch = generator.body(bytes: 64 << 10)
                        sequence += 1
                        try sender.send(
                            batch.bytes, records: batch.records, table: Self.table, producer: "demo-\(index)",
                            sequence: sequence, to: address, client: &client)
                        usleep(4000)
                    }
                } catch { failure.withLock { $0 = "\(error)" } }
                done.signal()
            }
        }
        var progress = ProgressLine()
        var killed = false
        while clock.monotonicNanos() < end {
            usleep(250_000)
            let elapsed = Double(clock.monotonicNanos() - start) / 1e9
            if !killed, elapsed > Double(seconds) / 2 {
                killed = true
                try crash(&server, directory: directory, address: address, sender: sender)
            }
            progress.show(line(sender.snapshot, elapsed: elapsed, address: address.current))
        }
        for _ in 0..<2 { done.wait() }
        if let message = failure.withLock({ $0 }) { throw FirnError(.internal, "demo_failed", message) }
        let outcome = sender.snapshot
        say(line(outcome, elapsed: Double(clock.monotonicNanos() - start) / 1e9, address: address.current))
        return outcome
    }

    private func crash(
        _ server: inout ServerProcess, directory: String, address: Sender.Address, sender: Sender
    ) throws {
        let clock = Environment.live.clock
        let before = sender.snapshot.records
        server.stop(SIGKILL)
        let down = clock.monotonicNanos()
        server = try ServerProcess(warehouse: directory)
        address.current = server.address
        let millis = (clock.monotonicNanos() - down) / 1_000_000
        say("kill -9 after \(Human.count(before)) acknowledged events; back, with the log replayed, in \(millis) ms")
    }

    private func line(_ outcome: Sender.Outcome, elapsed: Double, address: String) -> String {
        let table = try? FirnClient(address).call("GET", Self.path)
        return "\(Human.count(outcome.records)) events, \(Human.count(Int(Double(outcome.records) / elapsed)))/s, "
            + "ack p99 \(Human.oneDecimal(outcome.ackMs(quantile: 0.99))) ms, "
            + "\(table?["snapshots"]?.intValue ?? 0) snapshots, \(table?["total-data-files"]?.intValue ?? 0) files"
    }

    // MARK: Words

    private func title(_ text: String) { Console.out("\n\(text)\n") }
    private func say(_ text: String) { Console.out("   \(text)\n") }

    /// Runs a statement through the server, shows it and its rows, and returns the first row.
    private func query(_ client: inout FirnClient, _ sql: String) throws -> JSONValue {
        say("> \(sql)")
        let answer = try client.call(
            "POST", "/v1/query", headers: ["Content-Type": "application/json", "Accept": "application/json"],
            body: JSONValue.object([.init("sql", .string(sql))]).serialize())
        let rows = answer.arrayValue ?? []
        for row in rows { say("  \(row.text)") }
        return rows.first ?? .null
    }

    private func finish(metadata: String, directory: String) {
        let binary = Console.environment("FIRN_BIN") ?? ".build/release/firn"
        title("Go on with")
        say("\(binary) serve --warehouse \(warehouse)")
        say("\(binary) query --warehouse \(warehouse) \"SELECT * FROM web.clicks ORDER BY price DESC LIMIT 5\"")
        say("\(binary) query --warehouse \(warehouse) 'SELECT * FROM \"web.clicks$snapshots\"'")
        say("\(binary) inspect \(metadata.hasPrefix("file://") ? String(metadata.dropFirst(7)) : metadata)")
        say(
            "python3 -m venv /tmp/firn-readers && /tmp/firn-readers/bin/pip install 'pyiceberg[sql-sqlite,pyarrow]==0.12.0'"
        )
        say(
            "/tmp/firn-readers/bin/python -c \"from pyiceberg.catalog.sql import SqlCatalog; "
                + "print(SqlCatalog('firn', uri='sqlite:///\(directory)/catalog.db').load_table('web.clicks').scan(limit=5).to_arrow())\""
        )
        Console.out("\n")
    }
}
