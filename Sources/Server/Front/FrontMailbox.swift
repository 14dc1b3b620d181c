import CPlatform
import Glibc
import Synchronization

/// What other threads have for the front door's thread. One wake-up serves all that is posted while it sleeps.
final class FrontMailbox: Sendable {
    enum Message: Sendable {
        /// The whole answer to a request.
        case answer(connection: UInt64, serial: UInt64, bytes: [UInt8], closes: Bool)
        /// A piece of an answer; `taken` is resumed when the next one may come, or with an error when nobody reads.
        case piece(connection: UInt64, serial: UInt64, bytes: [UInt8], taken: CheckedContinuation<Void, any Error>)
        /// Ends a connection so that the peer cannot take what it got for the whole answer.
        case abort(connection: UInt64)
        case drain
        case stop
    }

    private struct State {
        var messages: [Message] = []
        var isSleeping = false
    }

    /// Readable when the thread is to wake up.
    let wake: Int32
    private let state = Mutex(State())

    init() {
        wake = firn_eventfd()
        precondition(wake >= 0, "the system refused an eventfd")
    }

    deinit { close(wake) }

    func post(_ message: Message) {
        let mustWake = state.withLock { state in
            state.messages.append(message)
            defer { state.isSleeping = false }
            return state.isSleeping
        }
        if mustWake { firn_eventfd_signal(wake) }
    }

    /// Everything posted so far; when that is nothing, the next post wakes the thread.
    func takeOrSleep() -> [Message] {
        state.withLock { state in
            state.isSleeping = state.messages.isEmpty
            guard !state.messages.isEmpty else { return [] }
            defer { state.messages = [] }
            return state.messages
        }
    }

    /// Saves the wake-up that the next post would send.
    func wokeUp() { state.withLock { $0.isSleeping = false } }

    /// Everything posted so far.
    func take() -> [Message] {
        state.withLock { state in
            defer { state.messages = [] }
            return state.messages
        }
    }
}
