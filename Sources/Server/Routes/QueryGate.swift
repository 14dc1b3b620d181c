import Base
import Synchronization

/// How many queries run at once: the next ones wait in order, and what comes beyond those is refused.
///
/// Each query holds up to `QueryOptions.memoryBytes`, so the bound on running ones bounds memory.
final class QueryGate: Sendable {
    struct Limits: Sendable {
        var running = 4
        var waiting = 16
        /// Longer waits end with an error: the client asks again, or somewhere else.
        var waitMs = 30_000
    }

    private struct Waiter {
        let number: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var running = 0
        var waiters: [Waiter] = []
        var next: UInt64 = 0
    }

    private let limits: Limits
    private let state = Mutex(State())

    init(limits: Limits = Limits()) { self.limits = limits }

    /// A query's leave to run, given back with `end` or with the last reference.
    final class Turn: Sendable {
        private let gate: QueryGate
        private let isOver = Atomic(false)

        fileprivate init(_ gate: QueryGate) { self.gate = gate }

        deinit { end() }

        func end() {
            if isOver.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged { gate.leave() }
        }
    }

    /// Waits for a turn.
    ///
    /// Throws `.overloaded` (`too_many_queries`) when as many wait as may, or the wait becomes too long, and
    /// `.cancelled` (`query_cancelled`) when the client goes away.
    func enter(_ presence: ClientPresence) async throws -> Turn {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        let patience = Task { [self] in
            try await Task.sleep(nanoseconds: UInt64(limits.waitMs) * 1_000_000)
            giveUp(number, Self.tooMany("no query has ended for \(limits.waitMs / 1000) s"))
        }
        defer { patience.cancel() }
        try await withCheckedThrowingContinuation { continuation in
            let answer = state.withLock { state -> Result<Void, any Error>? in
                if state.running < limits.running {
                    state.running += 1
                    return .success(())
                }
                guard state.waiters.count < limits.waiting else {
                    return .failure(Self.tooMany("\(limits.running) queries run and \(limits.waiting) wait"))
                }
                state.waiters.append(Waiter(number: number, continuation: continuation))
                return nil
            }
            if let answer { return continuation.resume(with: answer) }
            presence.onGone { [self] in
                giveUp(number, FirnError(.cancelled, "query_cancelled", "the client has gone"))
            }
        }
        return Turn(self)
    }

    private static func tooMany(_ reason: String) -> FirnError {
        FirnError(.overloaded, "too_many_queries", "the server is busy: \(reason); try again in a moment")
    }

    private func giveUp(_ number: UInt64, _ error: FirnError) {
        let waiter = state.withLock { state in
            state.waiters.firstIndex { $0.number == number }.map { state.waiters.remove(at: $0) }
        }
        waiter?.continuation.resume(throwing: error)
    }

    private func leave() {
        let next = state.withLock { state -> Waiter? in
            guard state.waiters.isEmpty else { return state.waiters.removeFirst() }
            state.running -= 1
            return nil
        }
        next?.continuation.resume()
    }
}
