import ArgumentParser
import Base
import Catalog
import Ingest
import Logging
import Server

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take records over HTTP, commit them, compact, answer queries.",
        discussion: """
            Creates the warehouse when it is missing. SIGTERM and Ctrl-C stop it cleanly: what was acknowledged is \
            committed before it exits.
            """)
    @OptionGroup var location: WarehouseOptions
    @Option(help: "Address to listen on.") var host = "127.0.0.1"
    @Option(help: "Port to listen on; 0 takes any free one.") var port = 8181
    @Option(help: "Write the bound port to this file once ready.") var portFile: String?
    @Option(help: "Commit a micro-batch when its oldest record is this old.") var flushIntervalMs = 1000
    @Option(help: "Memory for accepted, uncommitted records.") var memoryLimitMb = 512
    @Option(help: "Largest request body, after decompression.") var bodyLimitMb = 32
    @Option(help: "Write-ahead log for accepted, uncommitted records.") var logLimitMb = 4096
    @Option(help: "Connections at a time; more get 503.") var maxConnections = 1024
    @Option(help: "Ingest requests being worked on at a time; more get 429.") var maxInFlight = 1024
    @Option(help: "Bytes of ingest bodies on their way in; more get 429.") var inFlightMb = 256
    @Option(help: "How long an idempotency key is remembered.") var idempotencyWindowHours = 168
    @Option(help: "Threads that decode request bodies.") var decodeThreads = 2
    @Option(help: "How long stopping waits for requests under way.") var drainSeconds = 30
    @Option(help: "Log lines as text or json.") var logFormat = LogFormat.text
    @Option(help: "Log level: trace, debug, info, notice, warning, error.") var logLevel = "notice"
    @Flag(help: "Do not compact in the background.") var noCompaction = false

    func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("--port must be 0 to 65535") }
        guard flushIntervalMs >= 10 else { throw ValidationError("--flush-interval-ms must be at least 10") }
        guard memoryLimitMb >= 16 else { throw ValidationError("--memory-limit-mb must be at least 16") }
        guard (1...60).contains(bodyLimitMb) else { throw ValidationError("--body-limit-mb must be 1 to 60") }
        guard logLimitMb >= 256 else { throw ValidationError("--log-limit-mb must be at least 256") }
        guard maxConnections >= 1 else { throw ValidationError("--max-connections must be at least 1") }
        guard maxInFlight >= 2 else { throw ValidationError("--max-in-flight must be at least 2") }
        guard inFlightMb >= 1 else { throw ValidationError("--in-flight-mb must be at least 1") }
        guard (1...87_600).contains(idempotencyWindowHours) else {
            throw ValidationError("--idempotency-window-hours must be 1 to 87600")
        }
        guard (1...64).contains(decodeThreads) else { throw ValidationError("--decode-threads must be 1 to 64") }
        guard (0...3600).contains(drainSeconds) else { throw ValidationError("--drain-seconds must be 0 to 3600") }
        guard Logger.Level(rawValue: logLevel) != nil else { throw ValidationError("unknown log level \(logLevel)") }
    }

    func run() async throws {
        var logger = Logger(label: "firn") { [logFormat] label -> any LogHandler in
            switch logFormat {
            case .json: JSONLogHandler(label: label)
            case .text: StreamLogHandler.standardError(label: label)
            }
        }
        logger.logLevel = Logger.Level(rawValue: logLevel)!
        var ingest = IngestOptions()
        ingest.flushIntervalMs = flushIntervalMs
        ingest.memoryBytesMax = memoryLimitMb << 20
        ingest.logBytesMax = logLimitMb << 20
        ingest.idempotencyWindowMs = Int64(idempotencyWindowHours) * 3_600_000
        ingest.decodeThreads = decodeThreads
        var front = FrontOptions()
        front.connectionsMax = maxConnections
        front.requestsInFlightMax = maxInFlight
        front.bytesInFlightMax = inFlightMb << 20
        front.drainMs = drainSeconds * 1000
        let warehouse = try location.open(create: true)
        let server = try FirnServer(
            warehouse: warehouse,
            options: FirnServer.Options(
                host: host, port: port, bodyBytesMax: bodyLimitMb << 20, ingest: ingest,
                compacts: !noCompaction, front: front),
            logger: logger)
        try await server.run { port in
            if let portFile {
                try warehouse.environment.files.writeAll(
                    Array("\(port)\n".utf8), to: AbsolutePath.make(portFile))
            }
            Console.error("firn: listening on http://\(host):\(port)")
        }
    }
}

enum LogFormat: String, ExpressibleByArgument {
    case text, json
}
