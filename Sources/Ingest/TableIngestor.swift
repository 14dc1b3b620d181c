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
    /// One durable batch of rows.
    struct Chunk: Sendable {
        let position: UInt64
        let batch: RecordBatch
        /// Bytes reserved in the memory budget.
        let bytes: Int
        let stamp: ProducerStamp
        let answer: StoredAnswer
        let arrivedNanos: Int64
    }

    enum Condition: Sendable {
        case open
        /// The table is gone; its records with it.
        case dropped
        /// Another process commits this table's log; nothing more is accepted.
        case fenced
    }

    private struct State {
        var table: Table
        var ledger: ProducerLedger
        var condition = Condition.open
        var chunks: [Chunk] = []
        var bytes = 0
        var rows = 0
        var flushing = false
        var flushWanted = false
        var failures = 0
        var retryAtNanos: Int64 = 0
        var attempt = 0
        var committedPosition: UInt64
        var committedSnapshotId: Int64?
        var waiters: [Waiter] = []
        var checkedNanos: Int64
    }

    private struct Waiter {
        let position: UInt64
        let continuation: CheckedContinuation<Int64?, any Error>
    }

    private static let checkIntervalNanos: Int64 = 1_000_000_000

    let tableUUID: UUID
    private let warehouse: Warehouse
    private let options: IngestOptions
    private let budget: MemoryBudget
    private let logger: Logger
    /// Tells the files of this process from those of its predecessors on the same part of the log.
    private let processTag: String
    private let state: Mutex<State>

    init(table: Table, warehouse: Warehouse, options: IngestOptions, budget: MemoryBudget, logger: Logger) throws {
        tableUUID = table.metadata.tableUUID
        self.warehouse = warehouse
        self.options = options
        self.budget = budget
        self.logger = logger
        processTag = Hex.encode(warehouse.environment.random.next() >> 32, width: 8)
        let ledger = try ProducerLedger(committed: warehouse.producers(tableUUID))
        let position = try warehouse.logPosition(tableUUID)
        state = Mutex(
            State(
                table: table, ledger: ledger, committedPosition: position,
                checkedNanos: warehouse.environment.clock.monotonicNanos()))
    }

    private var now: Int64 { warehouse.environment.clock.monotonicNanos() }

    /// The table's name as last seen; a rename changes it.
    var identifier: TableIdentifier { state.withLock { $0.table.identifier } }
    var schema: Schema { state.withLock { $0.table.metadata.currentSchema } }
    var metadata: TableMetadata { state.withLock { $0.table.metadata } }
    var condition: Condition { state.withLock { $0.condition } }
    var committedPosition: UInt64 { state.withLock { $0.committedPosition } }
    var uncommittedRows: Int { state.withLock { $0.rows } }
    var uncommittedBytes: Int { state.withLock { $0.bytes } }
    /// The log must be kept from here on; nil when everything is committed.
    var oldestUncommitted: UInt64? { state.withLock { $0.chunks.first?.position } }

    /// A commit that reaches this position covers all that is acknowledged now; nil when everything is committed.
    var newestUncommitted: UInt64? { state.withLock { $0.chunks.last?.position } }

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

    func abandon(_ stamp: ProducerStamp) { state.withLock { $0.ledger.abandon(stamp) } }

    /// Durable and committed sequence of a producer; nil when it has never been seen.
    func producer(_ id: String) -> ProducerLedger.Producer? { state.withLock { $0.ledger.producer(id) } }

    // MARK: The open micro-batch

    /// Takes a durable batch. Called in log order. False when the table has been dropped, and the batch with it.
    func accept(_ chunk: Chunk) -> Bool {
        let taken = state.withLock { state in
            guard state.condition != .dropped else { return false }
            state.ledger.durable(chunk.stamp, answer: chunk.answer)
            state.chunks.append(chunk)
            state.bytes += chunk.bytes
            state.rows += chunk.batch.rowCount
            return true
        }
        if !taken { budget.release(chunk.bytes) }
        return taken
    }

    /// True when a flush should start now.
    func needsFlush(pressed: Bool) -> Bool {
        let now = now
        return state.withLock { state in
            guard !state.flushing, state.condition == .open, let oldest = state.chunks.first,
                now >= state.retryAtNanos
            else { return false }
            return pressed || state.flushWanted || state.bytes >= options.flushBytes
                || state.rows >= options.flushRows
                || now - oldest.arrivedNanos >= Int64(options.flushIntervalMs) * 1_000_000
        }
    }

    /// Asks for a flush as soon as possible, whatever the age of the batch.
    func requestFlush() { state.withLock { $0.flushWanted = true } }

    /// Waits until everything up to `position` is in a snapshot; returns the newest snapshot's id. Throws what the
    /// flush threw when that fails; it is tried again all the same.
    func waitCommitted(_ position: UInt64) async throws -> Int64? {
        try await withCheckedThrowingContinuation { continuation in
            let settled: Result<Int64?, any Error>? = state.withLock { state in
                if state.committedPosition >= position { return .success(state.committedSnapshotId) }
                if let error = conditionError(state.condition) { return .failure(error) }
                state.waiters.append(Waiter(position: position, continuation: continuation))
                return nil
            }
            if let settled { continuation.resume(with: settled) }
        }
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

    // MARK: Flush

    /// Writes and commits what is at hand. Returns true when the log may have become releasable.
    func flush() -> Bool {
        guard reconcile() else { return false }
        let work = state.withLock { state -> (chunks: [Chunk], table: Table, attempt: Int, from: UInt64)? in
            guard !state.flushing, state.condition == .open, !state.chunks.isEmpty else { return nil }
            state.flushing = true
            state.flushWanted = false
            state.attempt += 1
            return (state.chunks, state.table, state.attempt, state.committedPosition)
        }
        guard let work else { return false }
        let mark = ingestMark(work.chunks, expected: work.from)
        do {
            let result = try MicroBatchWriter(
                warehouse: warehouse, table: work.table, tag: "\(processTag)-\(work.attempt)"
            )
            .commit(work.chunks.map(\.batch), mark: mark)
            finish(work.chunks, mark: mark, table: result.table, snapshotId: result.snapshotId)
            return true
        } catch {
            return fail(work.chunks, mark: mark, error: error)
        }
    }

    /// After a failure whose outcome may be unknown, asks the catalog what was committed before anything is tried
    /// again: a commit that did happen must not happen twice. False when the catalog cannot be asked.
    private func reconcile() -> Bool {
        guard state.withLock({ $0.failures > 0 }) else { return true }
        guard let position = try? warehouse.logPosition(tableUUID) else { return false }
        let chunks = state.withLock { state in
            position > state.committedPosition ? state.chunks.prefix { $0.position <= position } : []
        }
        guard !chunks.isEmpty, let table = try? warehouse.loadTable(identifier) else { return chunks.isEmpty }
        finish(
            Array(chunks), mark: ingestMark(Array(chunks), expected: committedPosition), table: table,
            snapshotId: table.metadata.currentSnapshotId)
        return true
    }

    private func ingestMark(_ chunks: [Chunk], expected: UInt64) -> IngestMark {
        var producers: [String: ProducerMark] = [:]
        var keys: [IdempotencyMark] = []
        let nowMs = warehouse.environment.clock.nowMs()
        for chunk in chunks {
            switch chunk.stamp {
            case .none: break
            case .key(let key):
                keys.append(
                    IdempotencyMark(
                        key: key, position: chunk.position, answer: chunk.answer.encode(), createdMs: nowMs))
            case .sequence(let id, let epoch, let sequence):
                producers[id] = ProducerMark(
                    producer: id, epoch: epoch, sequence: sequence, position: chunk.position,
                    accepted: chunk.answer.accepted, answer: chunk.answer.encode())
            }
        }
        return IngestMark(
            expectedPosition: expected, position: chunks.last!.position,
            producers: producers.values.sorted { $0.producer < $1.producer }, keys: keys)
    }

    private func finish(_ chunks: [Chunk], mark: IngestMark, table: Table, snapshotId: Int64?) {
        let bytes = chunks.reduce(0) { $0 + $1.bytes }
        let ready = state.withLock { state -> [Waiter]? in
            // Dropped meanwhile: `close` has let go of everything.
            guard state.condition != .dropped else { return nil }
            state.table = table
            state.chunks.removeFirst(chunks.count)
            state.bytes -= bytes
            state.rows -= chunks.reduce(0) { $0 + $1.batch.rowCount }
            state.flushing = false
            state.failures = 0
            state.committedPosition = mark.position
            state.committedSnapshotId = snapshotId
            state.ledger.committed(producers: mark.producers, keys: mark.keys)
            let split = state.waiters.partition { $0.position <= mark.position }
            defer { state.waiters.removeSubrange(split...) }
            return Array(state.waiters[split...])
        }
        guard let ready else { return }
        budget.release(bytes)
        for waiter in ready { waiter.continuation.resume(returning: snapshotId) }
    }

    /// Decides what a failed flush means: gone, fenced, or tried again later with growing pauses.
    private func fail(_ chunks: [Chunk], mark: IngestMark, error: any Error) -> Bool {
        let known = error as? FirnError
        if known?.kind == .fenced {
            close(.fenced)
            logger.error("flush stopped", metadata: ["table": "\(identifier)", "error": "\(error)"])
            return true
        }
        if known?.code == "table_not_found" || known?.code == "table_replaced", (try? locate()) == false { return true }
        let (failures, waiters) = state.withLock { state -> (Int, [Waiter]) in
            state.flushing = false
            state.failures += 1
            let pauseMs = min(5000, 100 << min(state.failures - 1, 6))
            state.retryAtNanos = now + Int64(pauseMs) * 1_000_000
            defer { state.waiters = [] }
            return (state.failures, state.waiters)
        }
        // Whoever waits learns why; the records stay durable and are committed later.
        for waiter in waiters { waiter.continuation.resume(throwing: error) }
        logger.warning(
            "flush failed, the log keeps the records and the flush is tried again",
            metadata: ["table": "\(identifier)", "failures": "\(failures)", "error": "\(error)"])
        return false
    }

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
        let (bytes, waiters) = state.withLock { state -> (Int, [Waiter]) in
            state.condition = condition
            state.flushing = false
            defer {
                state.waiters = []
                if condition == .dropped { state.chunks = [] }
                state.bytes = 0
                state.rows = 0
            }
            return (state.bytes, state.waiters)
        }
        budget.release(bytes)
        let error: any Error = conditionError(condition) ?? FirnError(.cancelled, "closed", "the table was closed")
        for waiter in waiters { waiter.continuation.resume(throwing: error) }
    }

    /// Open, and looked up in the catalog less than a second ago.
    var isFresh: Bool {
        let now = now
        return state.withLock { $0.condition == .open && now - $0.checkedNanos < Self.checkIntervalNanos }
    }

    /// True once a second: time to look whether the catalog still names this table.
    func dueForCheck() -> Bool {
        let now = now
        return state.withLock { state in
            guard now - state.checkedNanos >= Self.checkIntervalNanos, !state.flushing else { return false }
            state.checkedNanos = now
            return true
        }
    }

    /// Takes over a newer state of the same table, so that a foreign schema change is seen.
    func refresh(_ table: Table) {
        state.withLock { state in
            guard !state.flushing, table.metadata.lastSequenceNumber >= state.table.metadata.lastSequenceNumber else {
                return
            }
            state.table = table
        }
    }
}
