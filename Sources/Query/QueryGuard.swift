import Base
import Synchronization

/// Ends a statement that runs too long or that nobody wants any more.
final class QueryGuard: Sendable {
    private let clock: any Clock
    private let timeLimitMs: Int?
    private let deadlineNanos: Int64?
    private let isCancelled = Atomic<Bool>(false)

    init(clock: any Clock, timeLimitMs: Int?) {
        self.clock = clock
        self.timeLimitMs = timeLimitMs
        deadlineNanos = timeLimitMs.map { clock.monotonicNanos() + Int64($0) * 1_000_000 }
    }

    func cancel() { isCancelled.store(true, ordering: .relaxed) }

    /// Why the statement must stop, if it must.
    var reason: FirnError? {
        if isCancelled.load(ordering: .relaxed) {
            return FirnError(.cancelled, "query_cancelled", "the query was cancelled")
        }
        if let deadlineNanos, let timeLimitMs, clock.monotonicNanos() > deadlineNanos {
            return FirnError(
                .limitExceeded, "query_time_limit", "the query ran longer than \(timeLimitMs) ms",
                context: ["time_limit_ms": String(timeLimitMs)])
        }
        return nil
    }

    /// The reason behind an interruption; other errors as they are.
    func explained(_ error: any Error) -> any Error {
        guard let known = error as? FirnError, known.kind == .cancelled else { return error }
        return reason ?? known
    }

    func check() throws(FirnError) {
        if let reason { throw reason }
    }
}
