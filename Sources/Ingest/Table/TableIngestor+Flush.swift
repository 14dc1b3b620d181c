import Base
import Catalog
import Columnar
import Iceberg
import Logging

/// What a flush does with one table. `TableFlush` runs it, for one table or for several that are committed together.
extension TableIngestor {
    /// A table's part of a flush: its rows up to a position, taken but still here.
    struct Work: Sendable {
        let chunks: [Chunk]
        let table: Table
        let mark: IngestMark
        /// Names process and attempt in file names.
        let tag: String
    }

    /// The tables whose batches must be committed together with this one's.
    var partners: Set<UUID> { state.withLock { $0.partners } }

    /// Takes what is at hand; nil when there is nothing, or a flush is running. Ends with `finish` or `fail`, or with
    /// `putBack`.
    func beginFlush() -> Work? {
        let now = now
        let work = state.withLock { state -> (chunks: [Chunk], table: Table, attempt: Int, from: UInt64)? in
            guard !state.flushing, !state.unsure, state.condition == .open, !state.chunks.isEmpty else { return nil }
            state.flushing = true
            state.flushWanted = false
            state.flushBeganNanos = now
            state.attempt += 1
            return (state.chunks, state.table, state.attempt, state.committedPosition)
        }
        guard let work else { return nil }
        return Work(
            chunks: work.chunks, table: work.table, mark: ingestMark(work.chunks, expected: work.from),
            tag: "\(processTag)-\(work.attempt)")
    }

    /// Undoes `beginFlush`.
    func putBack() { state.withLock { $0.flushing = false } }

    /// True when a failed commit must be looked into before the next one; then the caller calls `reconcile`.
    func beginReconcile() -> Bool {
        state.withLock { state in
            guard state.unsure, !state.flushing, state.condition == .open else { return false }
            state.flushing = true
            return true
        }
    }

    /// After a failure whose outcome may be unknown, asks the catalog what was committed before anything is tried
    /// again: a commit that did happen must not happen twice.
    ///
    /// - Parameter isReplaying: not all batches that may be committed are here yet; then the question stays open.
    func reconcile(isReplaying: Bool = false) {
        do {
            // What is still open must be decided before anything is read: a later commit would decide it otherwise.
            _ = try warehouse.committer(for: identifier).settle()
            let position = try warehouse.logPosition(tableUUID)
            let (chunks, committed, last) = state.withLock { state in
                let last = state.chunks.last?.position ?? 0
                return (Array(state.chunks.prefix { $0.position <= position }), state.committedPosition, last)
            }
            guard !isReplaying || position <= max(committed, last) else { return putBack() }
            if position > committed, !chunks.isEmpty {
                let table = try warehouse.loadTable(identifier)
                finish(
                    chunks, mark: ingestMark(chunks, expected: committed), table: table,
                    snapshotId: table.metadata.currentSnapshotId)
            }
            state.withLock { state in
                state.unsure = false
                state.flushing = false
            }
        } catch {
            let retryAt = now + 100_000_000
            let waiters = state.withLock { state -> [Waiter] in
                state.flushing = false
                state.retryAtNanos = retryAt
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.completion(.failure(error)) }
            if (error as? FirnError)?.code == "table_not_found" { _ = try? locate() }
        }
    }

    private func ingestMark(_ chunks: [Chunk], expected: UInt64) -> IngestMark {
        var producers: [String: ProducerMark] = [:]
        var keys: [IdempotencyMark] = []
        var events: [String: WatermarkMark] = [:]
        let nowMs = warehouse.environment.clock.nowMs()
        let ageNanos = now - (chunks.map(\.arrivedNanos).max() ?? now)
        for chunk in chunks {
            switch chunk.stamp {
            case .none: break
            case .key(let key):
                keys.append(
                    IdempotencyMark(
                        key: key, position: chunk.position, answer: chunk.answer.encode(), createdMs: nowMs))
            case .sequence(let id, let epoch, let sequence):
                let known = producers[id]
                guard known.map({ (epoch, sequence) >= ($0.epoch, $0.sequence) }) ?? true else { continue }
                producers[id] = ProducerMark(
                    producer: id, epoch: epoch, sequence: sequence, position: chunk.position,
                    accepted: chunk.answer.accepted,
                    answer: state.withLock { $0.ledger.producer(id)?.recent.encode(through: sequence) ?? [] })
            }
        }
        for chunk in chunks {
            guard let event = chunk.event, let micros = event.maxMicros else { continue }
            let id = chunk.stamp.producer
            let known = events[id]
            events[id] = WatermarkMark(
                producer: id, eventMicros: max(micros, known?.eventMicros ?? micros),
                seenMs: max(event.seenMs, known?.seenMs ?? event.seenMs))
        }
        return IngestMark(
            expectedPosition: expected, position: chunks.last!.position,
            producers: producers.values.sorted { $0.producer < $1.producer }, keys: keys,
            watermarks: events.values.sorted { $0.producer < $1.producer },
            watermark: chunks.contains { $0.event != nil } ? watermarks(with: chunks, nowMs: nowMs).table : nil,
            arrivedMs: nowMs - (ageNanos + 999_999) / 1_000_000)
    }

    /// The watermarks once these batches are committed too. Those of batches that are only durable do not count: a
    /// snapshot must not claim a watermark that rows of the next one will fall behind.
    private func watermarks(with chunks: [Chunk], nowMs: Int64) -> Watermarks {
        var marks = state.withLock { $0.committedWatermarks }
        for chunk in chunks {
            guard let event = chunk.event else { continue }
            marks.observe(producer: chunk.stamp.producer, maxEventMicros: event.maxMicros, nowMs: event.seenMs)
            marks.advance(nowMs: nowMs, policy: event.policy)
        }
        return marks
    }

    /// The chunks are in the table: lets go of them and tells whoever waits.
    func finish(_ chunks: [Chunk], mark: IngestMark, table: Table, snapshotId: Int64?) {
        // Summed before the lock is taken: the log's thread waits for it with every batch it hands over.
        let bytes = chunks.reduce(0) { $0 + $1.bytes }
        let rows = chunks.reduce(0) { $0 + $1.rows.count }
        let now = now
        let marks = watermarks(with: chunks, nowMs: warehouse.environment.clock.nowMs())
        let ready = state.withLock { state -> [Waiter]? in
            // Dropped meanwhile: `close` has let go of everything.
            guard state.condition != .dropped else { return nil }
            if table.metadata.lastUpdatedMs >= state.table.metadata.lastUpdatedMs { state.table = table }
            state.chunks.removeFirst(chunks.count)
            state.bytes -= bytes
            state.rows -= rows
            if !state.partners.isEmpty { state.partners = Set(state.chunks.flatMap(\.partners)) }
            state.flushing = false
            state.failures = 0
            state.committedPosition = mark.position
            if let snapshotId { state.committedSnapshotId = snapshotId }
            state.lastCommitNanos = now
            state.committedWatermarks = marks
            state.ledger.committed(producers: mark.producers, keys: mark.keys)
            let split = state.waiters.partition { $0.position <= mark.position }
            defer { state.waiters.removeSubrange(split...) }
            return Array(state.waiters[split...])
        }
        guard let ready else { return }
        budget.release(bytes)
        for waiter in ready { waiter.completion(.success(snapshotId)) }
    }

    /// Decides what a failed flush means: gone, fenced, or tried again later with growing pauses.
    func fail(_ error: any Error) {
        let known = error as? FirnError
        // A table that was dropped with its files has no log position either, which looks like a fence at first.
        let mayBeGone = known?.kind == .fenced || known?.code == "table_not_found" || known?.code == "table_replaced"
        if mayBeGone, (try? locate()) == false { return }
        if known?.kind == .fenced, known?.context["table-uuid"] == tableUUID.description {
            close(.fenced)
            logger.error("flush stopped", metadata: ["table": "\(identifier)", "error": "\(error)"])
            return
        }
        let (failures, waiters) = state.withLock { state -> (Int, [Waiter]) in
            state.flushing = false
            state.failures += 1
            state.unsure = true
            let pauseMs = min(5000, 100 << min(state.failures - 1, 6))
            state.retryAtNanos = now + Int64(pauseMs) * 1_000_000
            defer { state.waiters = [] }
            return (state.failures, state.waiters)
        }
        // Whoever waits learns why; the records stay durable and are committed later.
        for waiter in waiters { waiter.completion(.failure(error)) }
        logger.warning(
            "flush failed, the log keeps the records and the flush is tried again",
            metadata: ["table": "\(identifier)", "failures": "\(failures)", "error": "\(error)"])
    }
}
