import Glibc
import Synchronization

/// The terminal that a person types at: raw while a line is edited, as it was found in between.
///
/// `Interrupts` hears of a new size on another thread and wakes the one that waits for keys.
final class Terminal: Sendable {
    enum Input {
        case bytes([UInt8])
        case resized
        /// Nothing came in time.
        case timeOut
        /// The terminal has gone.
        case end
    }

    private let found: termios
    private let wake: (reading: Int32, writing: Int32)
    private let isRaw = Atomic(false)

    private static let pasteOn = "\u{1b}[?2004h"
    private static let pasteOff = "\u{1b}[?2004l"

    /// Nil unless standard input and output are a terminal that knows escape sequences.
    init?() {
        var found = termios()
        var ends: [Int32] = [-1, -1]
        guard isatty(STDIN_FILENO) == 1, Console.outputIsTerminal, Console.environment("TERM") ?? "dumb" != "dumb",
            tcgetattr(STDIN_FILENO, &found) == 0, pipe(&ends) == 0
        else { return nil }
        self.found = found
        wake = (ends[0], ends[1])
        // One word that there was something is enough; nobody waits to add another.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    }

    var size: (columns: Int, rows: Int) { Console.size ?? (80, 24) }

    /// Every key comes as it is typed, and only what the shell writes is shown.
    func makeRaw() {
        guard !isRaw.exchange(true, ordering: .relaxed) else { return }
        var raw = found
        cfmakeraw(&raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
        Console.out(Self.pasteOn)
    }

    /// Any thread may call, also one that is about to end the process.
    func restore() {
        guard isRaw.exchange(false, ordering: .relaxed) else { return }
        Console.out(Self.pasteOff)
        var found = found
        tcsetattr(STDIN_FILENO, TCSADRAIN, &found)
    }

    func noteResize() {
        var byte: UInt8 = 0
        _ = write(wake.writing, &byte, 1)
    }

    /// Waits for keys, forever when `milliseconds` is nil.
    func read(milliseconds: Int? = nil) -> Input {
        var waits = [
            pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wake.reading, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let ready = poll(&waits, 2, Int32(milliseconds ?? -1))
            if ready < 0, errno == EINTR { continue }
            if ready == 0 { return .timeOut }
            guard ready > 0 else { return .end }
            break
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        if waits[1].revents != 0 {
            _ = Glibc.read(wake.reading, &bytes, bytes.count)
            return .resized
        }
        let count = Glibc.read(STDIN_FILENO, &bytes, bytes.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return .timeOut }
        return count > 0 ? .bytes(Array(bytes[..<count])) : .end
    }

    /// Stops the process, as Ctrl-Z does in a program that leaves the keys to the terminal.
    func suspend() {
        restore()
        kill(getpid(), SIGTSTP)
        makeRaw()
    }
}
