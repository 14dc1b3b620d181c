import Base
import Catalog
import Columnar
import Iceberg
import Logging
import Synchronization

/// The ingest path of one warehouse: decode → log → micro-batch → commit.
///
/// 1. `ingest` reserves memory, settles the batch's identity, decodes it on a pool thread, appends it to the log and
///    returns when the log is synced (G1).
/// 2. The log thread hands the rows to their table's `TableIngestor` in log order.
/// 3. The flush thread wakes every `tickMs`, starts the flushes that are due on the flush pool, and releases the part
///    of the log that every table has committed.
/// 4. `open` replays the log above each table's committed position before anything new is accepted (G2).
///
/// One process holds a warehouse's log at a time.
public final class IngestService: Sendable {
    static let tickMs = 20
    static let keyExpiryIntervalNanos: Int64 = 600_000_000_000

    struct Tables {
        var byIdentifier: [TableIdentifier: TableIngestor] = [:]
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
        logger: Logger, ingestors: [TableIdentifier: TableIngestor], delivered: UInt64
    ) {
        self.warehouse = warehouse
        self.options = options
        self.budget = budget
        self.log = log
        self.logger = logger
        decodePool = WorkerPool(name: "decode", threads: options.decodeThreads)
        flushPool = WorkerPool(name: "flush", threads: options.flushThreads)
        tables.withLock {
            $0.byIdentifier = ingestors
            $0.delivered = delivered
        }
    }

    private func start() {
        Thread.spawn(name: "flush-timer") { [self] in runTimer() }
    }

    // MARK: Ingest

    /// Lands one body. Returns once its records are durable, or committed when `waitCommitted`.
    ///
    /// Throws `.notFound` (`table_not_found`), `.overloaded` (`memory_limit`, `log_full`), `.conflict`
    /// (`producer_busy`, `in_flight`), `.fenced`, `.invalidInput` (`all_records_rejected` with `AllRecordsRejected` as
    /// its cause, `malformed_json`, `empty_body`), `.storageFull`.
    public func ingest(
        _ body: [UInt8], format: RecordFormat, into identifier: TableIdentifier, stamp: ProducerStamp,
        waitCommitted: Bool
    ) async throws -> IngestAnswer {
        let arrived = warehouse.environment.clock.monotonicNanos()
        let reserved = body.count * 2 + 1024
        try reserveMemory(reserved)
        let handedOver = Mutex(false)
        defer { if !handedOver.withLock({ $0 }) { budget.release(reserved) } }

        let ingestor: TableIngestor
        if let known = tables.withLock({ $0.byIdentifier[identifier] }), known.isFresh {
            ingestor = known
        } else {
            ingestor = try await decodePool.run { [self] in
                try self.ingestor(for: identifier, creatingFrom: body, format: format)
            }
        }
        if let earlier = try await settleIdentity(stamp, with: ingestor) {
            return try await answer(
                earlier, duplicate: true, from: ingestor, waitCommitted: waitCommitted)
        }
        let landed: StoredAnswer
        do {
            landed = try await land(
                body, format: format, stamp: stamp, ingestor: ingestor, arrived: arrived, reserved: reserved,
                handedOver: { handedOver.withLock { $0 = true } })
        } catch {
            ingestor.abandon(stamp)
            throw error
        }
        counters.acknowledged(
            records: landed.accepted, bytes: body.count, rejected: landed.rejectedCount,
            nanos: warehouse.environment.clock.monotonicNanos() - arrived)
        return try await answer(landed, duplicate: false, from: ingestor, waitCommitted: waitCommitted)
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

    /// Nil for a new batch; the earlier answer for a duplicate. Waits while the same batch is in other hands.
    private func settleIdentity(_ stamp: ProducerStamp, with ingestor: TableIngestor) async throws -> StoredAnswer? {
        let deadline = warehouse.environment.clock.monotonicNanos() + 30_000_000_000
        while true {
            let decision: ProducerLedger.Decision
            if case .key = stamp {
                // Committed keys are looked up in the catalog, which blocks.
                decision = try await decodePool.run { try ingestor.begin(stamp) }
            } else {
                decision = try ingestor.begin(stamp)
            }
            switch decision {
            case .fresh: return nil
            case .duplicate(let answer):
                counters.duplicate()
                return answer
            case .fenced(let epoch):
                throw FirnError(
                    .fenced, "producer_fenced",
                    "a producer with epoch \(epoch) has taken over; this one must stop sending")
            case .busy:
                throw FirnError(
                    .conflict, "producer_busy",
                    "another batch of this producer is still in flight; send sequences one after the other")
            case .inFlight:
                guard warehouse.environment.clock.monotonicNanos() < deadline else {
                    throw FirnError(.conflict, "in_flight", "the same batch is still in flight; try again")
                }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    private func land(
        _ body: [UInt8], format: RecordFormat, stamp: ProducerStamp, ingestor: TableIngestor, arrived: Int64,
        reserved: Int, handedOver: @escaping @Sendable () -> Void
    ) async throws -> StoredAnswer {
        let decoded = try await decodePool.run { [options] in
            let metadata = ingestor.metadata
            // A record that can never be committed must not be acknowledged.
            guard metadata.formatVersion == 2 else {
                throw FirnError(
                    .unsupported, "format_version",
                    "tables of format version \(metadata.formatVersion) can only be read; records go into version 2")
            }
            var bounds = DecoderOptions()
            bounds.batchBytesMax = min(bounds.batchBytesMax, options.memoryBytesMax)
            return try decode(
                body, format: format, schema: metadata.currentSchema,
                settings: DecodeSettings(properties: metadata.properties, schema: metadata.currentSchema),
                options: bounds)
        }
        guard decoded.batch.rowCount > 0 else {
            throw FirnError(
                .invalidInput, decoded.rejectedCount == 0 ? "empty_body" : "all_records_rejected",
                decoded.rejectedCount == 0
                    ? "the body holds no record" : "none of the \(decoded.rejectedCount) records could be accepted",
                cause: AllRecordsRejected(rejections: decoded.rejections, rejectedCount: decoded.rejectedCount))
        }
        let record = BatchRecord(
            table: ingestor.tableUUID, schemaId: Int32(decoded.batch.schema.schemaId), format: format, stamp: stamp,
            acceptedCount: decoded.batch.rowCount, arrivalMicros: warehouse.environment.clock.nowMicros(), body: body)
        let entry = LogEntry(payload: try record.encode())
        return try await withCheckedThrowingContinuation { continuation in
            do {
                try log.append(entry) { [self] result in
                    switch result {
                    case .success(let position):
                        let answer = StoredAnswer(
                            accepted: decoded.batch.rowCount, rejections: decoded.rejections,
                            rejectedCount: decoded.rejectedCount, position: position)
                        let bytes = decoded.batch.byteCount
                        budget.adjust(from: reserved, to: bytes)
                        handedOver()
                        let taken = ingestor.accept(
                            TableIngestor.Chunk(
                                position: position, batch: decoded.batch, bytes: bytes, stamp: stamp, answer: answer,
                                arrivedNanos: arrived))
                        tables.withLock { $0.delivered = max($0.delivered, position) }
                        if taken {
                            continuation.resume(returning: answer)
                        } else {
                            continuation.resume(throwing: ingestor.conditionError(.dropped)!)
                        }
                    case .failure(let error): continuation.resume(throwing: error)
                    }
                }
            } catch { continuation.resume(throwing: error) }
        }
    }

    private func answer(
        _ stored: StoredAnswer, duplicate: Bool, from ingestor: TableIngestor, waitCommitted: Bool
    ) async throws -> IngestAnswer {
        var snapshotId: Int64?
        if waitCommitted {
            do {
                snapshotId = try await ingestor.waitCommitted(stored.position)
            } catch let error where ingestor.condition != .dropped {
                // The commit failed for now; what is durable must not be answered as an error, or it is sent again.
                logger.notice("answered durable instead of committed", metadata: ["error": "\(error)"])
            }
        }
        let committed = ingestor.committedPosition >= stored.position
        return IngestAnswer(
            accepted: stored.accepted, rejections: stored.rejections, rejectedCount: stored.rejectedCount,
            duplicate: duplicate, state: committed ? .committed : .durable, position: stored.position,
            snapshotId: snapshotId)
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
