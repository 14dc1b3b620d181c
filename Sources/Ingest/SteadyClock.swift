import Base
import Synchronization

/// The wall clock without its jumps ahead: time that decides what is forgotten. It moves no faster than the monotonic
/// clock does, so that a clock set wrong for a moment forgets nothing.
final class SteadyClock: Sendable {
    private struct State {
        var wallMs: Int64
        var nanos: Int64
    }

    private let state = Mutex<State?>(nil)

    /// Milliseconds since 1970-01-01T00:00:00Z.
    func now(_ clock: any Clock) -> Int64 {
        let (wallMs, nanos) = (clock.nowMs(), clock.monotonicNanos())
        return state.withLock { state in
            let elapsed = state.map { $0.wallMs + (nanos - $0.nanos) / 1_000_000 } ?? wallMs
            let now = min(wallMs, elapsed)
            state = State(wallMs: now, nanos: nanos)
            return now
        }
    }
}
