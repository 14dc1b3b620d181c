import Base

/// The thread that says when a table is flushed, and what of the log may be forgotten.
extension IngestService {
    func runTimer() {
        let clock = warehouse.environment.clock
        var keysForgottenNanos: Int64?
        while true {
            _ = tick.wait(milliseconds: Self.tickMs)
            let now = clock.monotonicNanos()
            if keysForgottenNanos.map({ now - $0 > Self.keyExpiryIntervalNanos }) ?? true {
                keysForgottenNanos = now
                forgetKeys()
            }
            let (open, closed, running) = tables.withLock {
                (Array($0.byIdentifier.values), $0.closed, $0.flushesRunning)
            }
            let pressed = closed || budget.bytesUsed > budget.limit / 2
            for ingestor in open where ingestor.needsFlush(pressed: pressed) { startFlush(ingestor) }
            if closed, running == 0, open.allSatisfy({ $0.oldestUncommitted == nil || $0.condition != .open }) { break }
        }
        stopped.signal()
    }

    /// Idempotency keys older than their window are of no use any more.
    private func forgetKeys() {
        let oldest = warehouse.environment.clock.nowMs() - options.idempotencyWindowMs
        flushPool.submit { [self] in
            do {
                try warehouse.forgetKeys(olderThanMs: oldest)
            } catch {
                logger.warning("old idempotency keys could not be removed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func startFlush(_ ingestor: TableIngestor) {
        tables.withLock { $0.flushesRunning += 1 }
        flushPool.submit { [self] in
            let releasable = ingestor.flush()
            if releasable { releaseLog() }
            tables.withLock { $0.flushesRunning -= 1 }
        }
    }

    /// Everything handed over and no longer waiting in any table is committed: the log may forget it.
    private func releaseLog() {
        let position = tables.withLock { tables -> UInt64 in
            let oldest = tables.byIdentifier.values.compactMap(\.oldestUncommitted).min()
            return min(tables.delivered, oldest.map { $0 - 1 } ?? .max)
        }
        log.release(through: position)
    }
}
