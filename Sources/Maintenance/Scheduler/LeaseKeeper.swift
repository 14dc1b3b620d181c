import Base
import Catalog
import Synchronization

/// Holds a lease through a long job, or through many short ones.
final class LeaseKeeper: Sendable {
    private struct State: Sendable {
        var lease: Lease
        var renewedNanos: Int64
    }

    private let warehouse: Warehouse
    private let ttlMs: Int64
    private let state: Mutex<State>

    init(warehouse: Warehouse, lease: Lease, ttlMs: Int64) {
        self.warehouse = warehouse
        self.ttlMs = ttlMs
        state = Mutex(State(lease: lease, renewedNanos: warehouse.environment.clock.monotonicNanos()))
    }

    var lease: Lease { state.withLock { $0.lease } }

    /// Renews after a third of the time. Throws `.fenced` (`lease_lost`).
    func keep() throws {
        let now = warehouse.environment.clock.monotonicNanos()
        try state.withLock { state in
            guard now - state.renewedNanos > ttlMs * 1_000_000 / 3 else { return }
            state.lease = try warehouse.renewLease(state.lease, ttlMs: ttlMs)
            state.renewedNanos = now
        }
    }
}
