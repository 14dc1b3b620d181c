import Base
import Glibc
import Synchronization

/// Where the signal handler writes to; it can do little else.
nonisolated(unsafe) private var signalPipe: Int32 = -1

/// Signals, taken on a thread of their own.
///
/// Ctrl-C cancels what is being done; a second one, or one while nothing can be cancelled, ends the process. Signals
/// that end the process leave the terminal as it was found.
enum Interrupts {
    static let exitCode: Int32 = 130
    static let message = "cancelled"
    static let cancelled = FirnError(.cancelled, "query_cancelled", message)

    private struct State {
        var cancel: (@Sendable () -> Void)?
        var isInterrupted = false
        var endsWhenIdle = true
        var onResize: (@Sendable () -> Void)?
        var beforeEnd: (@Sendable () -> Void)?
        var taken: Set<Int32> = []
    }
    private static let state = Mutex(State())

    /// Has Ctrl-C end the process with exit code 130 and a message while nothing can be cancelled.
    static func install() { take([SIGINT]) }

    /// For an interactive shell: Ctrl-C between statements does nothing, `onResize` learns of a new size of the
    /// terminal, and `beforeEnd` runs before a signal ends the process.
    static func installForShell(onResize: @escaping @Sendable () -> Void, beforeEnd: @escaping @Sendable () -> Void) {
        state.withLock {
            $0.endsWhenIdle = false
            $0.onResize = onResize
            $0.beforeEnd = beforeEnd
        }
        take([SIGINT, SIGTERM, SIGHUP, SIGWINCH])
    }

    /// A shell begins with what somebody has entered: Ctrl-C cancels it from now on, and no earlier one does.
    static func begin() { state.withLock { $0.isInterrupted = false } }

    /// Runs the body; Ctrl-C meanwhile calls `cancel`, from another thread.
    ///
    /// - Throws: `cancelled` when the body failed after Ctrl-C, or did not begin as that came before.
    static func during<T>(_ cancel: @escaping @Sendable () -> Void, _ body: () throws -> T) throws -> T {
        let isInterrupted = state.withLock {
            $0.cancel = cancel
            return $0.isInterrupted
        }
        defer { state.withLock { $0.cancel = nil } }
        guard !isInterrupted else { throw cancelled }
        do {
            return try body()
        } catch {
            throw state.withLock { $0.isInterrupted } ? cancelled : error
        }
    }

    private static func take(_ signals: [Int32]) {
        let isFirst = state.withLock { state in
            defer { state.taken.formUnion(signals) }
            return state.taken.isEmpty
        }
        if isFirst { listen() }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            let code = errno
            var byte = UInt8(number)
            _ = write(signalPipe, &byte, 1)
            errno = code
        }
        action.sa_flags = SA_RESTART
        for number in signals { sigaction(number, &action, nil) }
    }

    private static func listen() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        signalPipe = ends[1]
        let reading = ends[0]
        Thread.spawn(name: "signals") {
            var byte: UInt8 = 0
            while read(reading, &byte, 1) == 1 || errno == EINTR { handle(Int32(byte)) }
        }
    }

    private static func handle(_ number: Int32) {
        switch number {
        case SIGINT: interrupt()
        case SIGWINCH: state.withLock { $0.onResize }?()
        default: end(128 + number)
        }
    }

    private static func interrupt() {
        let (cancel, ends) = state.withLock { state in
            let isSecond = state.isInterrupted && state.cancel != nil
            state.isInterrupted = true
            return (isSecond ? nil : state.cancel, isSecond || (state.cancel == nil && state.endsWhenIdle))
        }
        cancel?()
        guard ends else { return }
        Console.error(message)
        end(exitCode)
    }

    private static func end(_ code: Int32) {
        state.withLock { $0.beforeEnd }?()
        // Other threads are in the middle of things, which handlers at exit would take from them.
        _exit(code)
    }
}
