import Base
import Catalog
import Hummingbird
import Ingest
import Logging
import Maintenance
import NIOCore
import Query

/// Every listener of one warehouse, and the order in which its parts start and stop.
///
/// Start: catalog, log replay, HTTP, background maintenance. Stop, on SIGTERM or SIGINT: HTTP drains, maintenance
/// ends its run, what was acknowledged is committed, the log closes.
public final class FirnServer: Sendable {
    public struct Options: Sendable {
        public var host: String
        public var port: Int
        public var bodyBytesMax: Int
        public var ingest: IngestOptions
        /// Background compaction, expiry and garbage collection.
        public var compacts: Bool

        public init(host: String, port: Int, bodyBytesMax: Int, ingest: IngestOptions, compacts: Bool) {
            self.host = host
            self.port = port
            self.bodyBytesMax = bodyBytesMax
            self.ingest = ingest
            self.compacts = compacts
        }
    }

    private let warehouse: Warehouse
    private let options: Options
    private let logger: Logger
    private let ingest: IngestService
    private let scheduler: MaintenanceScheduler

    /// Opens the ingest path, which replays the log. Throws what `IngestService.open` throws.
    public init(warehouse: Warehouse, options: Options, logger: Logger) throws {
        self.warehouse = warehouse
        self.options = options
        self.logger = logger
        ingest = try IngestService.open(warehouse: warehouse, options: options.ingest, logger: logger)
        scheduler = MaintenanceScheduler(warehouse: warehouse) { event in MaintenanceLog.write(event, to: logger) }
    }

    /// Serves until a signal asks to stop. `onReady` gets the bound port.
    public func run(onReady: @escaping @Sendable (Int) throws -> Void) async throws {
        let application = Application(
            router: routes(),
            configuration: ApplicationConfiguration(
                address: .hostname(options.host, port: options.port), serverName: "firn"),
            onServerRunning: { [logger] channel in
                do {
                    try onReady(channel.localAddress?.port ?? 0)
                } catch {
                    logger.error("the port file cannot be written", metadata: ["error": "\(error)"])
                }
            },
            logger: logger)
        if options.compacts { scheduler.start() }
        do {
            try await application.runService()
        } catch {
            stop()
            throw FirnError(
                .io, "listen_failed",
                "cannot listen on \(options.host):\(options.port) (\(error)); is another server there? choose a --port",
                cause: error)
        }
        stop()
    }

    private func stop() {
        scheduler.stop()
        ingest.close()
    }

    private func routes() -> Router<BasicRequestContext> {
        let pool = WorkerPool(name: "http", threads: 4)
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: ErrorMiddleware())
        RecordRoutes(ingest: ingest, bodyBytesMax: options.bodyBytesMax, pool: pool).add(to: router)
        TableRoutes(warehouse: warehouse, ingest: ingest, pool: pool).add(to: router)
        DeadLetterRoutes(warehouse: warehouse, ingest: ingest, pool: pool).add(to: router)
        SchemaRoutes(warehouse: warehouse, ingest: ingest, pool: pool).add(to: router)
        MaintenanceRoutes(warehouse: warehouse, ingest: ingest).add(to: router)
        QueryRoutes(warehouse: warehouse, ingest: ingest).add(to: router)
        HealthRoutes(warehouse: warehouse, ingest: ingest, pool: pool, openAPI: OpenAPIDocument.bytes).add(to: router)
        return router
    }
}

/// Maintenance as log lines: what changed at info, what failed as a warning.
private enum MaintenanceLog {
    static func write(_ event: MaintenanceEvent, to logger: Logger) {
        switch event {
        case .compacted(let report, let reason):
            guard report.groups > 0 else { return }
            logger.info(
                "compacted",
                metadata: ["table": "\(report.table)", "reason": "\(reason)", "report": "\(report.json.text)"])
        case .expired(let report, let reason):
            guard report.snapshotsExpired > 0 else { return }
            logger.info(
                "expired",
                metadata: ["table": "\(report.table)", "reason": "\(reason)", "report": "\(report.json.text)"])
        case .collected(let report):
            guard report.deleted > 0 || report.failed > 0 else { return }
            logger.info("collected garbage", metadata: ["deleted": "\(report.deleted)", "failed": "\(report.failed)"])
        case .failed(let table, let kind, let error):
            logger.warning(
                "maintenance failed", metadata: ["table": "\(table ?? "-")", "kind": "\(kind)", "error": "\(error)"])
        }
    }
}
