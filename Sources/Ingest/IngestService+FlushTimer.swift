import Base

/// The thread that says when a table is flushed, and what of the log may be forgotten.
extension IngestService {
    private static let keyExpiryIntervalNanos: Int64 = 600_000_000_000
    /// The longest the timer sleeps: what arrives is due after an interval, not at once.
    private static let sleepNanosMax: Int64 = 20_000_000
    /// A table that is due may wait for another one's flush; this keeps the timer from spinning meanwhile.
    private static let sleepNanosMin: Int64 = 1_000_000

    func runTimer() {
        let clock = warehouse.environment.clock
        var keysForgottenNanos: Int64?
        var sleepNanos = Self.sleepNanosMax
        while true {
            _ = tick.wait(milliseconds: Int((sleepNanos + 999_999) / 1_000_000))
            let now = clock.monotonicNanos()
            if keysForgottenNanos.map({ now - $0 > Self.keyExpiryIntervalNanos }) ?? true {
                keysForgottenNanos = now
                forgetKeys()
            }
            let (open, closed, running) = tables.withLock { tables in
                tables.registry.prune()
                return (tables.registry.all, tables.closed, tables.flushesRunning)
            }
            let pressed = closed || budget.bytesUsed > budget.limit / 2
            sleepNanos = Self.sleepNanosMax
            for ingestor in open {
                guard let due = ingestor.flushDue(pressed: pressed) else { continue }
                if due == 0 { startFlush(ingestor) }
                sleepNanos = min(sleepNanos, max(due, Self.sleepNanosMin))
            }
            if closed, running == 0, open.allSatisfy({ $0.oldestUncommitted == nil || $0.condition != .open }) { break }
        }
        stopped.signal()
    }

    /// Idempotency keys older than their window are of no use any more.
    private func forgetKeys() {
        flushPool.submit { [self] in
            do {
                try warehouse.forgetKeys(nowMs: keyClock.now(warehouse.environment.clock)) { table in
                    IngestPolicy.keyWindowMs(table?.metadata.properties ?? [:]) ?? options.idempotencyWindowMs
                }
            } catch {
                logger.warning("old idempotency keys could not be removed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func startFlush(_ ingestor: TableIngestor) {
        if ingestor.beginReconcile() {
            tables.withLock { $0.flushesRunning += 1 }
            return flushPool.submit { [self] in
                ingestor.reconcile()
                tables.withLock { $0.flushesRunning -= 1 }
                tick.signal()
            }
        }
        let gather = assembly.withLock { _ in
            TableFlush(ingestor) { uuid in tables.withLock { $0.registry[uuid] } }
        }
        guard let flush = gather else { return }
        tables.withLock { $0.flushesRunning += 1 }
        flushPool.submit { [self] in
            if !flush.run(warehouse, committed: { counters.flushed($0) }) { counters.flushFailed() }
            releaseLog()
            tables.withLock { $0.flushesRunning -= 1 }
            tick.signal()
        }
    }

    /// Everything handed over and no longer waiting in any table is committed: the log may forget it.
    private func releaseLog() {
        let position = tables.withLock { tables -> UInt64 in
            let oldest = tables.registry.all.compactMap(\.oldestUncommitted).min()
            return min(tables.delivered, oldest.map { $0 - 1 } ?? .max)
        }
        log.release(through: position)
    }
}
