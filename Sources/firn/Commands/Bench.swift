import ArgumentParser
import Base
import Glibc
import Synchronization

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure this machine.", subcommands: [IngestBench.self, CommitBench.self, SustainedBench.self],
        defaultSubcommand: IngestBench.self)

    struct IngestBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ingest",
            abstract: "Acknowledged MB/s per core and p99 acknowledgement time, from HTTP to committed rows.",
            discussion: """
                Starts a server on an empty warehouse, posts generated NDJSON over loopback with one producer a \
                connection, waits until everything is committed, and divides the bytes by the server's CPU time.
                """)
        @Option(help: "clicks or flights.") var workload = Workload.clicks
        @Option(help: "Records to send.") var rows = 1_000_000
        @Option(help: "Connections, each a producer of its own.") var connections = 4
        @Option(help: "Bytes of a request body.") var bodyBytes = 256 << 10
        @Option(help: "Use and keep this warehouse instead of a temporary one.") var warehouse: String?

        func validate() throws {
            guard rows > 0, (1...256).contains(connections), (1...(32 << 20)).contains(bodyBytes) else {
                throw ValidationError("--rows, --connections (1 to 256) and --body-bytes (1 to 32 MiB) must make sense")
            }
        }

        func run() throws {
            let directory = try warehouse.map(AbsolutePath.make) ?? TemporaryDirectory.make("firn-bench")
            defer { if warehouse == nil { TemporaryDirectory.remove(directory) } }
            let batches = makeBatches()
            let server = try ServerProcess(warehouse: directory)
            let client = try FirnClient(server.address)
            try client.call(
                "POST", "/v1/tables",
                body: JSONValue.object([
                    .init("namespace", .string(String(workload.table.split(separator: ".")[0]))),
                    .init("name", .string(String(workload.table.split(separator: ".")[1]))),
                    .init("schema", .string(workload.schema)),
                ]).serialize())
            let clock = Environment.live.clock
            let start = clock.monotonicNanos()
            let cpuBefore = server.cpuSeconds
            let outcome = try send(batches, to: server.address)
            let acknowledged = Double(clock.monotonicNanos() - start) / 1e9
            try client.call(
                "POST", "/v1/tables/" + workload.table.split(separator: ".").joined(separator: "/") + "/flush")
            let cpu = server.cpuSeconds - cpuBefore
            let peak = server.peakResidentBytes
            server.stop(SIGTERM)
            report(outcome, cpu: cpu, wall: acknowledged, peak: peak)
        }

        /// The bodies of each connection, made before the clock starts.
        private func makeBatches() -> [[(bytes: [UInt8], records: Int)]] {
            (0..<connections).map { connection in
                let share = rows / connections + (connection < rows % connections ? 1 : 0)
                var generator = RecordGenerator(
                    workload, seed: UInt64(connection + 1), firstId: Int64(connection) << 40,
                    startMicros: 1_767_225_600_000_000)
                var batches: [(bytes: [UInt8], records: Int)] = []
                var left = share
                while left > 0 {
                    let batch = generator.body(bytes: bodyBytes, records: left)
                    batches.append(batch)
                    left -= batch.records
                }
                return batches
            }
        }

        private func send(_ batches: [[(bytes: [UInt8], records: Int)]], to address: String) throws -> Sender.Outcome {
            let senders = batches.map { _ in Sender() }
            let failure = Mutex<FirnError?>(nil)
            let done = Semaphore()
            let shared = Sender.Address(address)
            for (index, work) in batches.enumerated() {
                Thread.spawn(name: "bench-\(index)") { [workload] in
                    var client: FirnClient?
                    do {
                        for (sequence, batch) in work.enumerated() {
                            try senders[index].send(
                                batch.bytes, records: batch.records, table: workload.table, producer: "bench-\(index)",
                                sequence: sequence, to: shared, client: &client)
                        }
                    } catch { failure.withLock { $0 = error as? FirnError } }
                    done.signal()
                }
            }
            for _ in batches { done.wait() }
            if let error = failure.withLock({ $0 }) { throw error }
            return senders.map(\.snapshot).reduce(Sender.Outcome(), +)
        }

        private func report(_ outcome: Sender.Outcome, cpu: Double, wall: Double, peak: Int) {
            let megabytes = Double(outcome.bytes) / 1e6
            Console.out(
                """
                workload            \(workload.rawValue): \(workload.summary), \(Human.count(outcome.records)) records, \
                \(Human.oneDecimal(megabytes)) MB of NDJSON, \(Human.count(outcome.batches)) requests of \
                \(Human.bytes(bodyBytes)) over \(connections) connections, log synced before each answer
                acknowledged        \(Human.oneDecimal(megabytes / max(cpu, 0.001))) MB/s per core \
                (server CPU from request to committed rows: \(Human.oneDecimal(cpu * 1000)) ms)
                p99 acknowledgement \(Human.oneDecimal(outcome.ackMs(quantile: 0.99))) ms \
                (p50 \(Human.oneDecimal(outcome.ackMs(quantile: 0.5))) ms)
                besides             \(Human.oneDecimal(megabytes / wall)) MB/s wall, \
                \(Human.bytes(peak)) peak resident, \(outcome.retries) retries

                """)
        }
    }
}

enum TemporaryDirectory {
    static func make(_ name: String) throws -> String {
        let base = Console.environment("TMPDIR") ?? "/tmp"
        let path = "\(base)/\(name)-\(Environment.live.uuid())"
        try Environment.live.files.createDirectories(path)
        return path
    }

    /// Best effort: a leftover in the temporary folder harms nobody.
    static func remove(_ path: String) {
        let files = Environment.live.files
        guard let entries = try? files.list(path) else { return }
        for entry in entries {
            if entry.isDirectory { remove(path + "/" + entry.name) } else { try? files.remove(path + "/" + entry.name) }
        }
        try? files.removeEmptyDirectory(path)
    }
}
