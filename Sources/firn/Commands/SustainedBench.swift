import ArgumentParser
import Base
import Catalog
import Glibc
import Query
import Synchronization

extension Bench {
    /// Ingest at full rate into many partitions, without and with compaction.
    ///
    /// 1. A server on an empty warehouse takes records for `seconds` on some connections, each as fast as it is
    ///    answered. A flush a second leaves a file in every partition.
    /// 2. Meanwhile `FileBoundWatch` reads every snapshot as a reader would, and holds the files of each partition
    ///    against the bound that the compaction policy promises.
    /// 3. The same again on a fresh warehouse, with compaction; what it costs ingest is the difference.
    struct SustainedBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sustained",
            abstract: "Ingest at full rate for minutes: what compaction costs it, and how many files there are.",
            discussion: """
                Exits with 1 when a snapshot after the warm-up has more files in a partition than promised, or a \
                request failed.
                """)
        @Option(help: "clicks or flights.") var workload = Workload.clicks
        @Option(help: "Seconds of each of the two runs.") var seconds = 600
        @Option(help: "Partitions; each flush writes into all of them.") var partitions = 50
        @Option(help: "Connections, each a producer of its own.") var connections = 4
        @Option(help: "Bytes of a request body.") var bodyBytes = 256 << 10
        @Option(help: "Largest rate in MB of NDJSON a second; 0 sends as fast as it is answered.") var rate = 0.0
        @Option(help: "Seconds before the files are held against the bound.") var warmUpSeconds = 30
        @Flag(help: "Only the run with compaction.") var onlyCompacting = false
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard seconds > 0, (1...1000).contains(partitions), (1...256).contains(connections),
                (1...(32 << 20)).contains(bodyBytes), rate >= 0
            else { throw ValidationError("--seconds, --partitions, --connections and --body-bytes must make sense") }
        }

        func run() throws {
            let pools = makePools()
            var printer = RowPrinter(
                columns: [
                    "compaction", "MB/s", "p50 ms", "p99 ms", "server CPU s", "retries", "commits", "snapshots seen",
                    "files a partition", "bound", "over it", "amplification", "expected at most",
                ], format: output.format)
            var failures: [String] = []
            for compacts in onlyCompacting ? [true] : [false, true] {
                let result = try measure(pools, compacts: compacts)
                try printer.print(result.cells(compacts: compacts, seconds: Double(seconds)))
                failures += result.failures(compacts: compacts)
            }
            try printer.finish()
            for failure in failures { Console.error("firn: \(failure)") }
            guard failures.isEmpty else { throw ExitCode.failure }
        }

        /// Bodies of each connection, sent round and round: what is measured is not their making.
        private func makePools() -> [[Batch]] {
            (0..<connections).map { connection in
                var generator = RecordGenerator(
                    workload, seed: UInt64(connection + 1), firstId: Int64(connection) << 40,
                    startMicros: 1_767_225_600_000_000)
                return (0..<64).map { _ in
                    let (bytes, records) = generator.body(bytes: bodyBytes)
                    return Batch(bytes: bytes, records: records)
                }
            }
        }

        struct Batch: Sendable {
            let bytes: [UInt8]
            let records: Int
        }

        private func measure(_ pools: [[Batch]], compacts: Bool) throws -> Result {
            let directory = try TemporaryDirectory.make("firn-bench")
            defer { TemporaryDirectory.remove(directory) }
            let server = try ServerProcess(
                warehouse: directory, arguments: compacts ? [] : ["--no-compaction"])
            let client = try FirnClient(server.address)
            try createTable(client)
            let table = try TableIdentifier(parsing: workload.table)
            let watch = FileBoundWatch(
                warehouse: try Warehouse(directory: directory, environment: .live, create: false), table: table,
                warmUpMs: Int64(warmUpSeconds) * 1000)
            watch.start()
            let cpuBefore = server.cpuSeconds
            let outcome = try send(pools, to: server.address)
            let path = "/v1/tables/" + workload.table.split(separator: ".").joined(separator: "/")
            let cpu = server.cpuSeconds - cpuBefore
            try client.call("POST", path + "/flush")
            let seen = watch.stop()
            let metrics = String(decoding: try client.send("GET", "/metrics").body, as: UTF8.self)
            server.stop(SIGTERM)
            return Result(outcome: outcome, cpu: cpu, seen: seen, metrics: metrics)
        }

        private func createTable(_ client: FirnClient) throws {
            let name = workload.table.split(separator: ".").map(String.init)
            try client.call(
                "POST", "/v1/tables",
                body: JSONValue.object([
                    .init("namespace", .string(name[0])), .init("name", .string(name[1])),
                    .init("schema", .string(workload.schema)),
                    .init("partition", .string("bucket(\(partitions), id)")),
                    // Files of expired snapshots go at once, or the disk would hold every rewrite of the run.
                    .init("properties", .object([.init("history.expire.max-snapshot-age-ms", .string("60000"))])),
                ]).serialize())
        }

        private func send(_ pools: [[Batch]], to address: String) throws -> Sender.Outcome {
            let senders = pools.map { _ in Sender() }
            let failure = Mutex<FirnError?>(nil)
            let done = Semaphore()
            let shared = Sender.Address(address)
            let clock = Environment.live.clock
            let start = clock.monotonicNanos()
            let end = start + Int64(seconds) * 1_000_000_000
            for (index, pool) in pools.enumerated() {
                Thread.spawn(name: "bench-\(index)") { [workload, rate, connections] in
                    var client: FirnClient?
                    var sequence = 0
                    var sent = 0
                    do {
                        while clock.monotonicNanos() < end {
                            let batch = pool[sequence % pool.count]
                            try senders[index].send(
                                batch.bytes, records: batch.records, table: workload.table, producer: "bench-\(index)",
                                sequence: sequence, to: shared, client: &client)
                            sequence += 1
                            sent += batch.bytes.count
                            guard rate > 0 else { continue }
                            let due = start + Int64(Double(sent * connections) / rate * 1000)
                            let wait = due - clock.monotonicNanos()
                            if wait > 0 { _ = Semaphore().wait(milliseconds: Int(wait / 1_000_000)) }
                        }
                    } catch { failure.withLock { $0 = error as? FirnError } }
                    done.signal()
                }
            }
            for _ in pools { done.wait() }
            if let error = failure.withLock({ $0 }) { throw error }
            return senders.map(\.snapshot).reduce(Sender.Outcome(), +)
        }
    }
}

extension Bench.SustainedBench {
    struct Result {
        let outcome: Sender.Outcome
        let cpu: Double
        let seen: FileBoundWatch.Seen
        let metrics: String

        /// The sum of a metric over its labels.
        func metric(_ name: String) -> Int {
            metrics.split(separator: "\n").filter { $0.hasPrefix(name + " ") || $0.hasPrefix(name + "{") }.reduce(0) {
                $0 + (Double($1.split(separator: " ").last ?? "").map { Int($0) } ?? 0)
            }
        }

        func cells(compacts: Bool, seconds: Double) -> [Cell] {
            [
                .text(compacts ? "on" : "off"), .text(Human.oneDecimal(Double(outcome.bytes) / 1e6 / seconds)),
                .text(Human.oneDecimal(outcome.ackMs(quantile: 0.5))),
                .text(Human.oneDecimal(outcome.ackMs(quantile: 0.99))), .text(Human.oneDecimal(cpu)),
                .integer(Int64(outcome.retries)), .integer(Int64(metric("firn_commits_total"))),
                .integer(Int64(seen.snapshots)), .integer(Int64(seen.filesMax)), .integer(Int64(seen.boundThere)),
                .integer(Int64(seen.violations)), .text(Human.oneDecimal(seen.amplification)),
                .text(Human.oneDecimal(seen.amplificationMax)),
            ]
        }

        func failures(compacts: Bool) -> [String] {
            var found: [String] = []
            let failed = metric("firn_commit_failures_total")
            if failed > 0 { found.append("\(failed) ingest commits failed") }
            if let error = seen.error { found.append("the snapshots could not be read: \(error)") }
            if compacts, seen.violations > 0 {
                found.append("\(seen.violations) snapshots had more files in a partition than promised")
            }
            return found
        }
    }
}
