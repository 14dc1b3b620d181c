import Base
import CPlatform
import Catalog
import Hummingbird
import Ingest
import Logging
import Maintenance
import Query
import Synchronization

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
        public var front: FrontOptions

        public init(
            host: String, port: Int, bodyBytesMax: Int, ingest: IngestOptions, compacts: Bool,
            front: FrontOptions = FrontOptions()
        ) {
            self.host = host
            self.port = port
            self.bodyBytesMax = bodyBytesMax
            self.ingest = ingest
            self.compacts = compacts
            self.front = front
        }
    }

    private let warehouse: Warehouse
    private let options: Options
    private let logger: Logger
    private let ingest: IngestService
    private let scheduler: MaintenanceScheduler
    private let admission: Admission
    private let counters = HTTPCounters()
    private let maintenance = MaintenanceCounters()
    private let health: HealthProbe
    private let isStopping = Atomic(false)
    private let pool = WorkerPool(name: "http", threads: 4)

    /// Opens the ingest path, which replays the log. Throws what `IngestService.open` throws.
    public init(warehouse: Warehouse, options: Options, logger: Logger) throws {
        self.warehouse = warehouse
        self.options = options
        self.logger = logger
        ingest = try IngestService.open(warehouse: warehouse, options: options.ingest, logger: logger)
        admission = Admission(
            limits: Admission.Limits(
                requestsMax: options.front.requestsInFlightMax, bytesMax: options.front.bytesInFlightMax))
        health = HealthProbe(warehouse: warehouse)
        var maintaining = MaintenanceScheduler.Options()
        maintaining.load = { [ingest, admission] in IngestPressure.of(ingest, admission) }
        scheduler = MaintenanceScheduler(warehouse: warehouse, options: maintaining) { [maintenance] event in
            maintenance.count(event, nowMs: warehouse.environment.clock.nowMs())
            MaintenanceLog.write(event, to: logger)
        }
    }

    /// Serves until a signal asks to stop. `onReady` gets the bound port.
    ///
    /// SIGTERM or SIGINT lets the requests under way finish; a second one, or `FrontOptions.drainMs`, ends the wait.
    public func run(onReady: @escaping @Sendable (Int) throws -> Void) async throws {
        let signals = firn_count_stop_signals()
        firn_raise_descriptor_limit()
        let door: FrontDoor
        do {
            door = try openDoor()
        } catch {
            stop()
            throw error
        }
        door.start()
        let record = ServerRecord(host: options.host, port: door.port)
        do {
            try record.write(warehouse)
        } catch {
            logger.warning("commands cannot find this server", metadata: ["error": "\(error)"])
        }
        if options.compacts { scheduler.start() }
        do {
            try onReady(door.port)
        } catch {
            logger.error("the port file cannot be written", metadata: ["error": "\(error)"])
        }
        await withCheckedContinuation { continuation in
            Thread.spawn(name: "signals") { [self] in
                while firn_eventfd_take(signals) == 0 { _ = firn_eventfd_wait(signals, -1) }
                isStopping.store(true, ordering: .relaxed)
                drain(door, signals)
                continuation.resume()
            }
        }
        ServerRecord.remove(warehouse)
        stop()
    }

    private func openDoor() throws -> FrontDoor {
        let bridge = RouterBridge(responder: routes().buildResponder(), counters: counters, logger: logger)
        let clock = warehouse.environment.clock
        return try FrontDoor(
            host: options.host, port: options.port, options: options.front, bodyBytesMax: options.bodyBytesMax,
            parts: FrontDoor.Parts(
                ingest: ingest, bridge: bridge, http2: HTTP2Door(bridge: bridge, clock: clock, logger: logger),
                pool: pool, admission: admission, counters: counters, clock: clock, logger: logger))
    }

    /// Waits for the requests under way, for as long as the options and a second signal let it.
    private func drain(_ door: FrontDoor, _ signals: Int32) {
        let clock = warehouse.environment.clock
        let deadline = clock.monotonicNanos() + Int64(options.front.drainMs) * 1_000_000
        let http2 = door.parts.http2
        door.drain()
        http2.drain()
        var isDrained = false
        while !isDrained || http2.busyCount > 0 {
            guard clock.monotonicNanos() < deadline, firn_eventfd_take(signals) == 0 else {
                logger.warning("stopping with requests under way")
                break
            }
            if isDrained { _ = firn_eventfd_wait(signals, 20) } else { isDrained = door.waitDrained(timeoutMs: 50) }
        }
        door.stop()
        http2.stop()
    }

    private func stop() {
        scheduler.stop()
        ingest.close()
    }

    private func routes() -> Router<RouteContext> {
        let router = Router(context: RouteContext.self)
        router.add(middleware: ErrorMiddleware())
        RestRoutes(warehouse: warehouse, ingest: ingest).add(to: router)
        RecordRoutes(ingest: ingest, bodyBytesMax: options.bodyBytesMax, pool: pool, admission: admission).add(
            to: router)
        TableRoutes(warehouse: warehouse, ingest: ingest, pool: pool, health: health).add(to: router)
        DeadLetterRoutes(warehouse: warehouse, ingest: ingest, pool: pool).add(to: router)
        SchemaRoutes(warehouse: warehouse, ingest: ingest, pool: pool).add(to: router)
        MaintenanceRoutes(
            warehouse: warehouse, jobs: scheduler.jobs,
            isStopping: { [self] in isStopping.load(ordering: .relaxed) }
        ).add(to: router)
        QueryRoutes(warehouse: warehouse, ingest: ingest).add(to: router)
        HealthRoutes(
            warehouse: warehouse, ingest: ingest, openAPI: OpenAPIDocument.bytes,
            metrics: MetricsText(
                ingest: ingest, http: counters, admission: admission, maintenance: maintenance,
                health: health),
            isStopping: { [self] in isStopping.load(ordering: .relaxed) }
        ).add(to: router)
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
        case .ran(let kind, let table, let report, let reason):
            logger.info(
                "maintained",
                metadata: [
                    "kind": "\(kind)", "table": "\(table)", "reason": "\(reason)", "report": "\(report.text)",
                ])
        case .collected(let report):
            guard report.deleted > 0 || report.failed > 0 else { return }
            logger.info("collected garbage", metadata: ["deleted": "\(report.deleted)", "failed": "\(report.failed)"])
        case .failed(let table, let kind, let error):
            logger.warning(
                "maintenance failed", metadata: ["table": "\(table ?? "-")", "kind": "\(kind)", "error": "\(error)"])
        }
    }
}
