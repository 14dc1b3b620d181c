import Base
import Synchronization

/// A clock that moves only when told to. The wall clock may be set backwards, the monotonic one only advances.
public final class SimulatedClock: Clock {
    private struct Time {
        var wallMicros: Int64
        var monotonicNanos: Int64
    }

    private let time: Mutex<Time>

    /// Starts at 2026-01-01T00:00:00Z unless told otherwise.
    public init(wallMicros: Int64 = 1_767_225_600_000_000) {
        time = Mutex(Time(wallMicros: wallMicros, monotonicNanos: 1_000_000_000))
    }

    public func nowMicros() -> Int64 { time.withLock { $0.wallMicros } }
    public func monotonicNanos() -> Int64 { time.withLock { $0.monotonicNanos } }

    /// Lets time pass on both clocks.
    public func advance(milliseconds: Int64) {
        precondition(milliseconds >= 0)
        time.withLock { time in
            time.wallMicros += milliseconds * 1000
            time.monotonicNanos += milliseconds * 1_000_000
        }
    }

    /// Steps the wall clock alone, in any direction.
    public func set(wallMicros: Int64) { time.withLock { $0.wallMicros = wallMicros } }
}
