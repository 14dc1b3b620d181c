import Base
import Glibc
import Synchronization

/// What is to be tidied up when a signal ends a command.
///
/// The signals are blocked for every thread and awaited by one of their own, which tidies up and then lets the signal
/// do what it does to any process, so that whoever started the command sees how it ended.
enum Interruption {
    private static let signals = [SIGINT, SIGTERM, SIGHUP]
    private static let state = Mutex(State())

    private struct State {
        var cleanUps: [Int: @Sendable () -> Void] = [:]
        var next = 0
        var isWatching = false
    }

    /// Makes something and runs `body` with it; a signal meanwhile runs the clean-up that belongs to it, once, before
    /// it ends the process. One that comes while it is being made waits for that.
    ///
    /// The clean-up runs on another thread, while `body` is still running.
    static func guarding<Resource, Result>(
        _ make: () throws -> (Resource, cleanUp: @Sendable () -> Void), _ body: (Resource) throws -> Result
    ) throws -> Result {
        var made: Resource?
        let number = try state.withLock { state in
            if !state.isWatching { watch() }
            state.isWatching = true
            let (resource, cleanUp) = try make()
            made = resource
            state.next += 1
            state.cleanUps[state.next] = cleanUp
            return state.next
        }
        defer { state.withLock { _ = $0.cleanUps.removeValue(forKey: number) } }
        guard let made else { preconditionFailure("made above") }
        return try body(made)
    }

    /// The signals that end this process: not those that whoever started it (`nohup`) has it ignore.
    static var signalSet: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals where !isIgnored(signal) { sigaddset(&set, signal) }
        return set
    }

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        sigaction(signal, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private static func watch() {
        var set = signalSet
        pthread_sigmask(SIG_BLOCK, &set, nil)
        Thread.spawn(name: "signals") {
            var set = signalSet
            var number: Int32 = 0
            while sigwait(&set, &number) != 0 {}
            // The newest first, as a stack unwinds. The lock is kept: nothing may be finished any more.
            state.withLock { state in
                for (_, cleanUp) in state.cleanUps.sorted(by: { $0.key > $1.key }) { cleanUp() }
                signal(number, SIG_DFL)
                pthread_sigmask(SIG_UNBLOCK, &set, nil)
                kill(getpid(), number)
                _exit(128 + number)
            }
        }
    }
}
