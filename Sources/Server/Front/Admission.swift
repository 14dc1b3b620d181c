import Base
import Synchronization

/// How much may be under way at once (G7), over all connections and both protocols.
///
/// A request counts from the moment its body is complete until it is answered; bytes count from the moment they take
/// memory. One table gets at most half of either, so a slow or huge one leaves room for the others.
final class Admission: Sendable {
    struct Limits: Sendable {
        var requestsMax: Int
        var bytesMax: Int
        /// The part of the requests and bytes that one table may have.
        var tableShare = 0.5
    }

    struct Load: Sendable, Equatable {
        var requests = 0
        var bytes = 0
    }

    private struct State {
        var total = Load()
        var tables: [String: Load] = [:]
    }

    let limits: Limits
    private let tableLimits: Load
    private let state = Mutex(State())

    init(limits: Limits) {
        self.limits = limits
        tableLimits = Load(
            requests: max(1, Int(Double(limits.requestsMax) * limits.tableShare)),
            bytes: max(1, Int(Double(limits.bytesMax) * limits.tableShare)))
    }

    var load: Load { state.withLock { $0.total } }

    /// Takes memory for a body that is arriving; nil when there is none left, for the table or at all.
    ///
    /// A body that is alone is let through whatever its size: its own bound is the body limit.
    func reserve(bytes: Int, table: String) -> FirnError? {
        state.withLock { state -> FirnError? in
            var share = state.tables[table] ?? Load()
            if let error = fits(bytes, state.total, share) { return error }
            state.total.bytes += bytes
            share.bytes += bytes
            state.tables[table] = share
            return nil
        }
    }

    /// Takes a place for a request whose body is complete, and what memory of it is not reserved yet.
    func enter(table: String, bytes: Int) -> FirnError? {
        state.withLock { state -> FirnError? in
            var share = state.tables[table] ?? Load()
            guard state.total.requests < limits.requestsMax else {
                return Self.full("in_flight_requests", "the server is working on as many requests as it may")
            }
            guard share.requests < tableLimits.requests else {
                return Self.full(
                    "table_in_flight_requests", "the server is working on as many requests for the table as it may")
            }
            if let error = fits(bytes, state.total, share) { return error }
            state.total.requests += 1
            state.total.bytes += bytes
            share.requests += 1
            share.bytes += bytes
            state.tables[table] = share
            return nil
        }
    }

    func leave(table: String, requests: Int, bytes: Int) {
        guard requests > 0 || bytes > 0 else { return }
        state.withLock { state in
            state.total.requests -= requests
            state.total.bytes -= bytes
            guard var share = state.tables[table] else { return }
            share.requests -= requests
            share.bytes -= bytes
            state.tables[table] = share == Load() ? nil : share
        }
    }

    private func fits(_ bytes: Int, _ total: Load, _ share: Load) -> FirnError? {
        guard total.bytes + bytes <= limits.bytesMax || total.bytes == 0 else {
            return Self.full("in_flight_bytes", "the server is taking in as many bytes as it may")
        }
        guard share.bytes + bytes <= tableLimits.bytes || share.bytes == 0 else {
            return Self.full("table_in_flight_bytes", "the table is taking in as many bytes as one table may")
        }
        return nil
    }

    private static func full(_ code: String, _ message: String) -> FirnError {
        FirnError(.overloaded, code, message + "; try again in a moment")
    }
}
