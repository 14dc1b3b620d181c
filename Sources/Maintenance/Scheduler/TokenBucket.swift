import Base
import Synchronization

/// A rate with a little room for bursts: what may be used of something in any span of time is the capacity, and the
/// rate times the span. Pure.
struct TokenBucket: Hashable, Sendable {
    let perSecond: Double
    let capacity: Double
    private(set) var level: Double
    private var nanos: Int64?

    init(perSecond: Double, capacity: Double) {
        precondition(perSecond > 0 && capacity > 0, "a rate is positive")
        self.perSecond = perSecond
        self.capacity = capacity
        level = capacity
    }

    /// Takes what was used, and answers how long to wait before more is: work is counted when it is done, so the level
    /// may fall below zero by as much as one step of the work.
    mutating func take(_ amount: Double, nowNanos: Int64) -> Int64 {
        let elapsed = Double(max(0, nowNanos - (nanos ?? nowNanos))) / 1e9
        nanos = max(nowNanos, nanos ?? nowNanos)
        level = min(capacity, level + elapsed * perSecond) - amount
        return level >= 0 ? 0 : Int64(min(-level / perSecond * 1e9, 1e17))
    }
}

/// What the runs of one schedule may use, together.
///
/// Bytes have room for one minute's worth, so a run of any hour reads at most 61/60 of the budget and one batch, also
/// when the process starts anew; processor time for one second's.
public final class JobBudget: Sendable {
    private struct Buckets: Sendable {
        var bytes: TokenBucket?
        var processor: TokenBucket?
    }

    private let buckets: Mutex<Buckets>

    /// Nil when the schedule has no budget.
    public init?(_ spec: ScheduleSpec, processors: Int) {
        guard spec.bytesPerHour != nil || spec.cpuPercent != nil else { return nil }
        buckets = Mutex(
            Buckets(
                bytes: spec.bytesPerHour.map {
                    TokenBucket(perSecond: Double($0) / 3600, capacity: max(1, Double($0) / 60))
                },
                processor: spec.cpuPercent.map {
                    let perSecond = Double($0) / 100 * Double(max(1, processors)) * 1e9
                    return TokenBucket(perSecond: perSecond, capacity: perSecond)
                }))
    }

    /// Counts what was used; answers the nanoseconds to wait.
    func take(bytes: Int64, processorNanos: Int64, nowNanos: Int64) -> Int64 {
        buckets.withLock { buckets in
            max(
                buckets.bytes?.take(Double(bytes), nowNanos: nowNanos) ?? 0,
                buckets.processor?.take(Double(processorNanos), nowNanos: nowNanos) ?? 0)
        }
    }
}
