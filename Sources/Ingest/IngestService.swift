import Base
import Catalog
import Columnar
import Iceberg
import Logging
import Synchronization

/// The ingest path of one warehouse: decode → log → micro-batch → commit.
///
/// 1. `submit` reserves memory and hands the request to a decode thread (`Intake`), which settles its identity, decodes
///    it and appends it to the log; the sender is answered when the log is synced (G1).
/// 2. The log thread hands the rows to their tables' `TableIngestor`s in log order.
/// 3. The flush thread starts the flushes that are due on the flush pool (`TableFlush`), and releases the part of the
///    log that every table has committed.
/// 4. `open` replays the log above each table's committed position before anything new is accepted (G2).
///
/// One process holds a warehouse's log at a time.
public final class IngestService: Sendable {
    struct Tables {
        var registry = TableRegistry()
        var closed = false
        /// The highest position the log thread has handed over.
        var delivered: UInt64 = 0
        var flushesRunning = 0
    }

    public let warehouse: Warehouse
    public let options: IngestOptions
    public let budget: MemoryBudget
    public let counters = IngestCounters()
    let log: WriteAheadLog
    let logger: Logger
    let decodePool: WorkerPool
    let flushPool: WorkerPool
    let tables = Mutex(Tables())
    /// Held while a request is handed to several tables, and while a flush gathers the tables that belong together, so
    /// that no flush sees half of a request.
    let assembly = Mutex(())
    /// The catalog's version, and when looking at it began.
    let catalogCheck = Mutex((version: Int64(-1), nanos: Int64.min))
    let keyClock = SteadyClock()
    let tick = Semaphore()
    let stopped = Semaphore()

    /// Takes the warehouse's log, replays it and starts working.
    ///
    /// Throws `.conflict` (`warehouse_locked`) when another process holds the log, `.corrupted` (`log_corrupted`) when
    /// acknowledged records are damaged.
    public static func open(warehouse: Warehouse, options: IngestOptions, logger: Logger) throws -> IngestService {
        let directory = warehouse.directory + "/wal"
        try warehouse.recover()
        let recovery = LogReplay(
            warehouse: warehouse, options: options, budget: MemoryBudget(limit: options.memoryBytesMax),
            logger: logger)
        let logOptions = LogOptions(
            maxBytes: options.logBytesMax, startPosition: try warehouse.highestLogPosition() + 1)
        let log: WriteAheadLog
        do {
            log = try WriteAheadLog.open(
                directory: directory, environment: warehouse.environment, options: logOptions
            ) { record in try recovery.replay(record) }
        } catch let error as FirnError where error.code == "log_locked" {
            throw FirnError(
                .conflict, "warehouse_locked",
                "another firn server is already running on this warehouse; stop it first, or use --url to reach it",
                context: ["warehouse": warehouse.directory])
        }
        let ingestors = try recovery.finish()
        let service = IngestService(
            warehouse: warehouse, options: options, budget: recovery.budget, log: log,
            logger: logger, ingestors: ingestors, delivered: recovery.lastPosition)
        service.start()
        return service
    }

    private init(
        warehouse: Warehouse, options: IngestOptions, budget: MemoryBudget, log: WriteAheadLog,
        logger: Logger, ingestors: [TableIngestor], delivered: UInt64
    ) {
        self.warehouse = warehouse
        self.options = options
        self.budget = budget
        self.log = log
        self.logger = logger
        decodePool = WorkerPool(name: "decode", threads: options.decodeThreads)
        flushPool = WorkerPool(name: "flush", threads: options.flushThreads, niceness: 3)
        tables.withLock {
            $0.registry = TableRegistry(ingestors)
            $0.delivered = delivered
        }
    }

    private func start() {
        Thread.spawn(name: "flush-timer") { [self] in runTimer() }
    }

    // MARK: Ingest

    /// Lands one request and calls back once, from any thread: when its records are durable, committed where the
    /// request waits for that, or refused. Never blocks.
    ///
    /// Fails with `.notFound` (`table_not_found`), `.overloaded` (`memory_limit`, `log_full`, `shutting_down`),
    /// `.conflict` (`producer_busy`, `in_flight`, `stamp_used`), `.fenced`, `.storageFull`, `.invalidInput`
    /// (`all_records_rejected` and `records_rejected` with `AllRecordsRejected` as their cause, `malformed_json`,
    /// `empty_body`, `table_twice`, `dead_letter_table`).
    public func submit(
        _ request: IngestRequest, completion: @escaping @Sendable (Result<IngestAnswer, any Error>) -> Void
    ) {
        let reserved = request.byteCount * 2 + 1024
        do {
            if let letters = request.parts.first(where: { $0.table.isDeadLetters }) {
                throw FirnError(
                    .invalidInput, "dead_letter_table", "\(letters.table) takes only what its table cannot")
            }
            guard !request.parts.isEmpty else {
                throw FirnError(.invalidInput, "empty_body", "the request names no table")
            }
            try reserveMemory(reserved)
        } catch {
            return completion(.failure(error))
        }
        let intake = Intake(request, service: self, reserved: reserved, completion: completion)
        decodePool.submit { intake.run() }
    }

    /// `submit` for a caller that waits.
    public func ingest(_ request: IngestRequest) async throws -> IngestAnswer {
        try await withCheckedThrowingContinuation { continuation in
            submit(request) { continuation.resume(with: $0) }
        }
    }

    private func reserveMemory(_ bytes: Int) throws(FirnError) {
        guard !tables.withLock({ $0.closed }) else {
            throw FirnError(.overloaded, "shutting_down", "the server is shutting down; try another in a moment")
        }
        do {
            try budget.reserve(bytes)
        } catch {
            counters.refused()
            tick.signal()
            throw error
        }
    }

    /// Hands durable batches to their tables; called in log order. False when none of the tables is there any more.
    func deliver(_ deliveries: [Delivery], position: UInt64) -> Bool {
        var taken = false
        if deliveries.count == 1 {
            taken = deliveries[0].ingestor.accept(deliveries[0].chunk)
        } else {
            assembly.withLock { _ in
                for delivery in deliveries where delivery.ingestor.accept(delivery.chunk) { taken = true }
            }
        }
        tables.withLock { $0.delivered = max($0.delivered, position) }
        return taken
    }

    // MARK: Shutdown

    /// Stops accepting, commits what was acknowledged (waiting at most `timeoutMs`), and closes the log.
    /// What cannot be committed in time stays in the log and is replayed by the next start.
    public func close(timeoutMs: Int = 30_000) {
        tables.withLock { $0.closed = true }
        tick.signal()
        if !stopped.wait(milliseconds: timeoutMs) {
            logger.warning("shutting down with records only in the log; the next start commits them")
        }
        log.close()
    }
}
