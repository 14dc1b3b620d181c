import Base
import Catalog
import Columnar
import Iceberg
import Logging
import Synchronization

/// Owns what one table has accepted and not yet committed.
///
/// 1. The log thread hands over each batch in log order once it is durable (`accept`): it joins the open micro-batch.
/// 2. The service asks `needsFlush`; when it is due, a pool thread calls `flush`, which writes the data files of all
///    batches at hand and commits them with the log position they reach, in one catalog transaction.
/// 3. A failed flush keeps the batches, discards its files and is tried again later; the log still holds everything.
final class TableIngestor: Sendable {
    /// What one request brought for this table; durable.
    struct Chunk: Sendable {
        enum Rows: Sendable {
            case batch(RecordBatch)
            /// Refused records of another table.
            case deadLetters(DeadLetters)

            var count: Int {
                switch self {
                case .batch(let batch): batch.rowCount
                case .deadLetters(let letters): letters.records.count
                }
            }
        }

        let position: UInt64
        let rows: Rows
        /// Bytes reserved in the memory budget.
        let bytes: Int
        let stamp: ProducerStamp
        let answer: StoredAnswer
        let arrivedNanos: Int64
        let event: EventMark?
        /// The other tables of the request: all of it is committed in one transaction.
        let partners: [UUID]
    }

    /// What a batch says about event time.
    struct EventMark: Sendable {
        let policy: EventTimePolicy
        let maxMicros: Int64?
        let seenMs: Int64
    }

    enum Condition: Sendable {
        case open
        /// The table is gone; its records with it.
        case dropped
        /// Another process commits this table's log; nothing more is accepted.
        case fenced
    }

    struct State {
        var table: Table
        var ledger: ProducerLedger
        var condition = Condition.open
        var chunks: [Chunk] = []
        /// Of all chunks.
        var partners: Set<UUID> = []
        var bytes = 0
        var rows = 0
        var flushing = false
        var flushWanted = false
        var failures = 0
        /// The last flush failed, and the catalog has not been asked yet whether it happened all the same.
        var unsure = false
        var retryAtNanos: Int64 = 0
        var attempt = 0
        var committedPosition: UInt64
        var committedSnapshotId: Int64?
        var waiters: [Waiter] = []
        /// The catalog's version when the table was last looked up.
        var version: Int64 = -1
        /// Requests that found their own batch in flight; run again when it has landed or failed.
        var retries: [@Sendable () -> Void] = []
        var policy: (metadata: Int64, policy: IngestPolicy)
        var lastCommitNanos: Int64
        /// Far in the past before the first.
        var flushBeganNanos: Int64
        /// Of everything accepted, which decides what is late.
        var watermarks: Watermarks
        var committedWatermarks: Watermarks
        /// All that `accept` has taken.
        var landedRows = 0
        var landedBytes = 0
    }

    struct Waiter {
        let position: UInt64
        /// The distance that a commit which only this one asks for keeps from the one before.
        let gapNanos: Int64
        let completion: @Sendable (Result<Int64?, any Error>) -> Void
    }

    /// Of senders that wait.
    static let waiterGapMs = 100

    let tableUUID: UUID
    let decoders = DecoderCache()
    let warehouse: Warehouse
    let options: IngestOptions
    let budget: MemoryBudget
    let logger: Logger
    /// Tells the files of this process from those of its predecessors on the same part of the log.
    let processTag: String
    let state: Mutex<State>

    init(table: Table, warehouse: Warehouse, options: IngestOptions, budget: MemoryBudget, logger: Logger) throws {
        tableUUID = table.metadata.tableUUID
        self.warehouse = warehouse
        self.options = options
        self.budget = budget
        self.logger = logger
        processTag = Hex.encode(warehouse.environment.random.next() >> 32, width: 8)
        // Asked first: what is settled in between is looked for once more, and found to be committed.
        let unsure = try table.isAttached && warehouse.hasOpenCommit(tableUUID)
        let known = try warehouse.ingestState(tableUUID)
        let now = warehouse.environment.clock.monotonicNanos()
        let watermarks = Watermarks(
            marks: known.watermarks, table: SnapshotSummary.watermarkMicros(of: table.metadata))
        state = Mutex(
            State(
                table: table, ledger: try ProducerLedger(committed: known.producers),
                unsure: unsure, committedPosition: known.position,
                policy: (table.metadata.lastUpdatedMs, IngestPolicy(table.metadata)), lastCommitNanos: now,
                flushBeganNanos: .min / 2, watermarks: watermarks, committedWatermarks: watermarks
            ))
    }

    var now: Int64 { warehouse.environment.clock.monotonicNanos() }

    /// The table's name as last seen; a rename changes it.
    var identifier: TableIdentifier { state.withLock { $0.table.identifier } }
    var isAttached: Bool { state.withLock { $0.table.isAttached } }
    var schema: Schema { state.withLock { $0.table.metadata.currentSchema } }
    var metadata: TableMetadata { state.withLock { $0.table.metadata } }
    /// The table as last seen, and how it takes records.
    var target: (metadata: TableMetadata, policy: IngestPolicy) {
        state.withLock { state in
            let metadata = state.table.metadata
            if state.policy.metadata != metadata.lastUpdatedMs {
                state.policy = (metadata.lastUpdatedMs, IngestPolicy(metadata))
            }
            return (metadata, state.policy.policy)
        }
    }
    var condition: Condition { state.withLock { $0.condition } }
    var committedPosition: UInt64 { state.withLock { $0.committedPosition } }
    var uncommittedRows: Int { state.withLock { $0.rows } }
    var uncommittedBytes: Int { state.withLock { $0.bytes } }
    /// The log must be kept from here on; nil when everything is committed.
    var oldestUncommitted: UInt64? { state.withLock { $0.chunks.first?.position } }

    /// A commit that reaches this position covers all that is acknowledged now; nil when everything is committed.
    var newestUncommitted: UInt64? { state.withLock { $0.chunks.last?.position } }

    /// The same, but nil also while the oldest of what is uncommitted is younger than that.
    func newestUncommitted(olderThanMs ageMs: Int) -> UInt64? {
        let latest = now - Int64(ageMs) * 1_000_000
        return state.withLock { state in
            guard let oldest = state.chunks.first, oldest.arrivedNanos <= latest else { return nil }
            return state.chunks.last?.position
        }
    }

    /// Event times below this are late now; nil while there is no watermark.
    func cutoff(_ policy: EventTimePolicy, nowMs: Int64) -> Int64? {
        state.withLock { state in
            state.watermarks.advance(nowMs: nowMs, policy: policy)
            return state.watermarks.cutoff(policy)
        }
    }

    /// The table's watermark in microseconds; nil before the first event time.
    var watermark: Int64? { state.withLock { $0.watermarks.table } }

    // MARK: Identity of batches

    func begin(_ stamp: ProducerStamp) throws -> ProducerLedger.Decision {
        let decision = state.withLock { $0.ledger.begin(stamp) }
        guard case .key(let key) = stamp, decision == .fresh else { return decision }
        // A committed key lives in the catalog alone. The reservation above comes first, so that two requests cannot
        // both find nothing.
        do {
            guard let known = try warehouse.idempotencyAnswer(tableUUID, key: key) else { return .fresh }
            abandon(stamp)
            return .duplicate(try StoredAnswer(decoding: known))
        } catch {
            abandon(stamp)
            throw error
        }
    }

    func abandon(_ stamp: ProducerStamp) {
        let retries = state.withLock { state in
            state.ledger.abandon(stamp)
            return state.takeRetries()
        }
        for retry in retries { retry() }
    }

    /// Calls back once when a batch in flight has landed or failed; at once when none is in flight any more.
    func whenSettled(_ stamp: ProducerStamp, _ retry: @escaping @Sendable () -> Void) {
        let waits = state.withLock { state in
            guard state.condition == .open, state.ledger.isInFlight(stamp) else { return false }
            state.retries.append(retry)
            return true
        }
        if !waits { retry() }
    }

    /// Durable and committed sequence of a producer; nil when it has never been seen.
    func producer(_ id: String) -> ProducerLedger.Producer? { state.withLock { $0.ledger.producer(id) } }

    // MARK: The open micro-batch

    /// Takes a durable batch. Called in log order. False when the table has been dropped, and the batch with it.
    func accept(_ chunk: Chunk) -> Bool {
        let (taken, retries) = state.withLock { state in
            guard state.condition != .dropped else { return (false, state.takeRetries()) }
            state.ledger.durable(chunk.stamp, answer: chunk.answer)
            if let event = chunk.event {
                state.watermarks.observe(
                    producer: chunk.stamp.producer, maxEventMicros: event.maxMicros, nowMs: event.seenMs)
            }
            state.chunks.append(chunk)
            if !chunk.partners.isEmpty { state.partners.formUnion(chunk.partners) }
            state.bytes += chunk.bytes
            state.rows += chunk.rows.count
            state.landedRows += chunk.rows.count
            state.landedBytes += chunk.bytes
            return (true, state.takeRetries())
        }
        if !taken { budget.release(chunk.bytes) }
        for retry in retries { retry() }
        return taken
    }

    /// Nanoseconds until a flush should start: 0 for now, nil when there is nothing to flush or one is running.
    func flushDue(pressed: Bool) -> Int64? {
        let now = now
        return state.withLock { state in
            guard !state.flushing, state.condition == .open, let oldest = state.chunks.first else { return nil }
            guard now >= state.retryAtNanos else { return state.retryAtNanos - now }
            if pressed || state.flushWanted || state.bytes >= options.flushBytes || state.rows >= options.flushRows {
                return 0
            }
            let interval = Int64(options.flushIntervalMs) * 1_000_000
            var due = oldest.arrivedNanos + interval
            // Somebody waits: soon, but many who wait must not make as many snapshots.
            if let gap = state.waiters.lazy.map(\.gapNanos).min() {
                due = min(due, state.flushBeganNanos + min(interval, gap))
            }
            return max(0, due - now)
        }
    }

    /// Asks for a flush as soon as possible, whatever the age of the batch.
    func requestFlush() { state.withLock { $0.flushWanted = true } }

    /// Calls back once, with the newest snapshot's id when everything up to `position` is in a snapshot, or with what
    /// the flush threw when that fails; it is tried again all the same.
    ///
    /// - Parameter gapMs: how long after the start of the flush before one may start for this alone.
    func whenCommitted(
        _ position: UInt64, gapMs: Int = TableIngestor.waiterGapMs,
        _ completion: @escaping @Sendable (Result<Int64?, any Error>) -> Void
    ) {
        let settled: Result<Int64?, any Error>? = state.withLock { state in
            if state.committedPosition >= position { return .success(state.committedSnapshotId) }
            if let error = conditionError(state.condition) { return .failure(error) }
            state.waiters.append(
                Waiter(position: position, gapNanos: Int64(gapMs) * 1_000_000, completion: completion))
            return nil
        }
        if let settled { completion(settled) }
    }

    func conditionError(_ condition: Condition) -> FirnError? {
        switch condition {
        case .open: nil
        case .dropped:
            FirnError(.notFound, "table_not_found", "the table has been dropped")
        case .fenced:
            FirnError(
                .fenced, "log_fenced",
                "another process has committed this table's log; restart this server to take over again")
        }
    }

    // MARK: Life

    /// Looks for the table under any name; a rename is noted. False when it is gone, and this ingestor closed with it.
    /// Throws when the catalog cannot tell, and then changes nothing.
    func locate() throws -> Bool {
        if let table = try warehouse.findTable(tableUUID) {
            state.withLock { $0.table = table }
            return true
        }
        logger.warning(
            "a table was dropped with uncommitted records",
            metadata: ["table": "\(identifier)", "records": "\(uncommittedRows)"])
        close(.dropped)
        return false
    }

    /// Ends this ingestor; its uncommitted records leave memory (and stay in the log while the table exists).
    func close(_ condition: Condition) {
        let (bytes, waiters, retries) = state.withLock { state in
            state.condition = condition
            state.flushing = false
            defer {
                state.waiters = []
                if condition == .dropped { state.chunks = [] }
                state.bytes = 0
                state.rows = 0
            }
            return (state.bytes, state.waiters, state.takeRetries())
        }
        budget.release(bytes)
        let error: any Error = conditionError(condition) ?? FirnError(.cancelled, "closed", "the table was closed")
        for waiter in waiters { waiter.completion(.failure(error)) }
        for retry in retries { retry() }
    }

    /// True when the table is open and had this name in this version of the catalog.
    func isCurrent(_ identifier: TableIdentifier, at version: Int64) -> Bool {
        state.withLock { $0.condition == .open && $0.version == version && $0.table.identifier == identifier }
    }

    /// Takes over a newer state of the same table, so that a change of schema or properties is seen.
    ///
    /// - Parameter version: the catalog's, from before the table was loaded; nil when that is not known.
    func refresh(_ table: Table, version: Int64? = nil) {
        state.withLock { state in
            if let version { state.version = version }
            let isNewer = table.metadata.lastUpdatedMs >= state.table.metadata.lastUpdatedMs
            if isNewer || table.identifier != state.table.identifier { state.table = table }
        }
    }
}

extension TableIngestor.State {
    mutating func takeRetries() -> [@Sendable () -> Void] {
        defer { retries = [] }
        return retries
    }
}
