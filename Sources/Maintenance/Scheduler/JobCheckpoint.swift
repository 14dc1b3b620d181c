// What a run does now and then, on each of its threads, about once a batch:
//
// 1. End, if the process stops or somebody cancelled the job. The catalog is asked twice a second at most, so a job is
//    cancelled from any process within a second.
// 2. Keep the lease, and once the run has lasted for a second, let the catalog show it.
// 3. Count what was read and the processor time that went by, and rest for as long as the budget and ingest ask for.
//    A rest is taken in short parts, with 1 and 2 between them.

import Base
import Catalog
import Synchronization

/// The way from a run to what it has to keep to. Its methods may be called by several threads.
public final class JobCheckpoint: Sendable {
    static let stoppedCode = "maintenance_stopped"
    static let cancelledCode = "job_cancelled"
    private static let lookNanos: Int64 = 500_000_000
    private static let longRunNanos: Int64 = 1_000_000_000
    private static let restPartNanos: Int64 = 100_000_000
    /// Shorter rests are left to grow.
    private static let restNanosMin: Int64 = 1_000_000

    /// What does not change during a run.
    struct World: Sendable {
        let warehouse: Warehouse
        let keeper: LeaseKeeper
        let record: JobRecord
        let limits: RunLimits
        /// How hard ingest is pressed, 0 to 1.
        var load: @Sendable () -> Double
        /// Waits so many milliseconds.
        var pause: @Sendable (Int) -> Void
        var isStopping: @Sendable () -> Bool
    }

    /// What a run has used.
    struct Usage: Sendable {
        var bytes: Int64 = 0
        var processorNanos: Int64 = 0
        var waitedNanos: Int64 = 0
    }

    /// What a thread has done since it rested last.
    private struct Stint {
        let nanos: Int64
        let processorNanos: Int64
    }

    private struct ThreadState: Sendable {
        var processorNanos: Int64
        /// When it rested last, and the processor time until then.
        var restedNanos: Int64
        var restedProcessorNanos: Int64

        mutating func rested(_ now: Int64) {
            restedNanos = now
            restedProcessorNanos = processorNanos
        }
    }

    private struct State: Sendable {
        var usage = Usage()
        var threads: [UInt: ThreadState] = [:]
        var lookedNanos: Int64
    }

    private let world: World
    private let startedNanos: Int64
    private let state: Mutex<State>

    init(_ world: World) {
        self.world = world
        let now = world.warehouse.environment.clock.monotonicNanos()
        startedNanos = now
        let processor = ProcessorTime.threadNanos()
        let thread = ThreadState(processorNanos: processor, restedNanos: now, restedProcessorNanos: processor)
        state = Mutex(State(threads: [ProcessorTime.threadId: thread], lookedNanos: now))
    }

    /// Whether the run may begin another group: false past the end of its window.
    public var mayBeginGroup: Bool {
        world.limits.untilMs.map { world.warehouse.environment.clock.nowMs() < $0 } ?? true
    }

    /// Counts the bytes of input read since this thread was here last; may wait.
    ///
    /// - Parameter givesWay: false for work that ingest depends on as well; it keeps to the budget only.
    ///
    /// Throws `.cancelled` (`job_cancelled`, `maintenance_stopped`), `.fenced` (`lease_lost`).
    public func pass(_ bytes: Int64, givesWay: Bool = true) throws {
        try look()
        let (processorNanos, stint) = count(bytes)
        let now = now
        let budget = world.limits.budget?.take(bytes: bytes, processorNanos: processorNanos, nowNanos: now) ?? 0
        let yield =
            givesWay
            ? IngestYield.restNanos(
                workNanos: stint.nanos, processorNanos: stint.processorNanos, pressure: world.load()) : 0
        let rest = max(budget, yield)
        guard rest >= Self.restNanosMin else { return }
        let until = now + rest
        defer {
            let ended = self.now
            let thread = ProcessorTime.threadId
            state.withLock { state in
                state.usage.waitedNanos += ended - now
                state.threads[thread]?.rested(ended)
            }
        }
        while self.now < until {
            world.pause(Int((min(until - self.now, Self.restPartNanos) + 999_999) / 1_000_000))
            try look()
        }
    }

    /// What the run has used until now, on the threads that came by.
    var usage: Usage {
        _ = count(0)
        return state.withLock { $0.usage }
    }

    var elapsedNanos: Int64 { now - startedNanos }

    private var now: Int64 { world.warehouse.environment.clock.monotonicNanos() }

    private func count(_ bytes: Int64) -> (processorNanos: Int64, stint: Stint) {
        let (thread, processor, now) = (ProcessorTime.threadId, ProcessorTime.threadNanos(), now)
        return state.withLock { state in
            var known =
                state.threads[thread]
                ?? ThreadState(processorNanos: processor, restedNanos: now, restedProcessorNanos: processor)
            // A thread's time begins anew when its id goes to another.
            let used = max(0, processor - known.processorNanos)
            known.restedProcessorNanos = min(known.restedProcessorNanos, processor)
            known.processorNanos = processor
            state.threads[thread] = known
            state.usage.bytes += bytes
            state.usage.processorNanos += used
            return (
                used,
                Stint(nanos: now - known.restedNanos, processorNanos: processor - known.restedProcessorNanos)
            )
        }
    }

    private func look() throws {
        if world.isStopping() {
            throw FirnError(.cancelled, Self.stoppedCode, "the process that ran the job stops")
        }
        let now = now
        let isDue = state.withLock { state in
            guard now - state.lookedNanos >= Self.lookNanos else { return false }
            state.lookedNanos = now
            return true
        }
        guard isDue else { return }
        try world.keeper.keep()
        if now - startedNanos >= Self.longRunNanos { try world.record.markRunning() }
        if world.record.isStored, try world.warehouse.isCancelRequested(world.record.id) {
            throw FirnError(
                .cancelled, Self.cancelledCode, "the job was cancelled", context: ["job": world.record.id])
        }
    }
}
