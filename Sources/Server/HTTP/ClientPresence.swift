import Synchronization

/// Whether the client of a request still waits for the answer, for routes whose work is worth ending when it does not.
///
/// A client of HTTP/1.1 that closes its connection, or its sending side of it, counts as gone.
final class ClientPresence: Sendable {
    private struct State {
        var isGone = false
        var handlers: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// Runs `handler` once the client is gone: now if it is already, never if it stays.
    func onGone(_ handler: @escaping @Sendable () -> Void) {
        let isGone = state.withLock { state in
            if !state.isGone { state.handlers.append(handler) }
            return state.isGone
        }
        if isGone { handler() }
    }

    /// The client is gone.
    func leave() {
        let handlers = state.withLock { state in
            state.isGone = true
            defer { state.handlers = [] }
            return state.handlers
        }
        for handler in handlers { handler() }
    }
}
