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
    @Option(help: "Log level: trace, debug, info, notice, warning, error.") var logLevel = "notice"
    @Flag(help: "Do not compact in the background.") var noCompaction = false

    func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("--port must be 0 to 65535") }
        guard flushIntervalMs >= 10 else { throw ValidationError("--flush-interval-ms must be at least 10") }
        guard memoryLimitMb >= 16 else { throw ValidationError("--memory-limit-mb must be at least 16") }
        guard (1...60).contains(bodyLimitMb) else { throw ValidationError("--body-limit-mb must be 1 to 60") }
        guard Logger.Level(rawValue: logLevel) != nil else { throw ValidationError("unknown log level \(logLevel)") }
    }

    func run() async throws {
        var logger = Logger(label: "firn") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = Logger.Level(rawValue: logLevel)!
        var ingest = IngestOptions()
        ingest.flushIntervalMs = flushIntervalMs
        ingest.memoryBytesMax = memoryLimitMb << 20
        let warehouse = try location.open(create: true)
        let server = try FirnServer(
            warehouse: warehouse,
            options: FirnServer.Options(
                host: host, port: port, bodyBytesMax: bodyLimitMb << 20, ingest: ingest,
                compacts: !noCompaction),
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
