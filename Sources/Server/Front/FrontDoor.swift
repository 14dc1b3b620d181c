import Base
import CPlatform
import Glibc
import Ingest
import Logging
import Synchronization

/// The listener: every connection starts here, and all of HTTP/1.1 is spoken here.
///
/// One thread owns the listening socket, an epoll and all connections, and never blocks, decompresses or parses a body:
///
/// 1. It reads what sockets have, cuts it into requests (`RequestReader`) and refuses what is malformed, too large,
///    too slow or too much (`Admission`).
/// 2. `POST …/records` goes straight to `IngestService.submit`; its completion, on whatever thread, makes the answer's
///    bytes and posts them to the mailbox. One wake-up serves all that gathers while this thread is busy.
/// 3. Every other request becomes a Hummingbird `Request` and runs through the router in a task (`RouterBridge`).
/// 4. A connection that opens with the preface of HTTP/2 is given to NIO with what was read (`HTTP2Door`).
///
/// `@unchecked Sendable`: everything mutable is touched by the thread alone; other threads only post to the mailbox.
final class FrontDoor: @unchecked Sendable {
    struct Parts: Sendable {
        let ingest: IngestService
        let bridge: RouterBridge
        let http2: HTTP2Door
        /// Undoes content codings.
        let pool: WorkerPool
        let admission: Admission
        let counters: HTTPCounters
        let clock: any Clock
        let logger: Logger
    }

    static let listenerTag: UInt64 = 0
    static let mailboxTag: UInt64 = 1

    let options: FrontOptions
    let bodyBytesMax: Int
    let parts: Parts
    let date: DateField
    let mailbox = FrontMailbox()
    let isDraining = Atomic(false)
    let port: Int
    private let drained = Semaphore()
    private let stopped = Semaphore()

    // The thread's own.
    let epoll: Int32
    var listener: Int32
    /// Closed to make room for one more descriptor when the process has none left.
    var spare: Int32
    var slots: [FrontConnection?] = []
    var freeSlots: [Int] = []
    var connectionCount = 0
    var generation: UInt64 = 1
    var touched: [FrontConnection] = []
    var now: Int64
    private var nextSweep: Int64 = 0
    private var isStopped = false
    let buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: FrontOptions.receiveBytes)

    /// Listens on the address. Throws `.io` (`listen_failed`).
    init(host: String, port: Int, options: FrontOptions, bodyBytesMax: Int, parts: Parts) throws(FirnError) {
        self.options = options
        self.bodyBytesMax = bodyBytesMax
        self.parts = parts
        date = DateField(clock: parts.clock)
        listener = try Self.listen(host: host, port: port)
        self.port = Int(firn_bound_port(listener))
        epoll = firn_epoll_create()
        precondition(epoll >= 0, "the system refused an epoll")
        spare = firn_eventfd()
        now = parts.clock.monotonicNanos()
        _ = firn_epoll_watch_input(epoll, listener, Self.listenerTag)
        _ = firn_epoll_watch_input(epoll, mailbox.wake, Self.mailboxTag)
    }

    private static func listen(host: String, port: Int) throws(FirnError) -> Int32 {
        let descriptor = firn_listen(host, String(port), 1024)
        guard descriptor < 0 else { return descriptor }
        let reason = descriptor == -2 ? "the address cannot be resolved" : String(cString: strerror(firn_errno()))
        throw FirnError(
            .io, "listen_failed",
            "cannot listen on \(host):\(port) (\(reason)); is another server there? choose a --port")
    }

    deinit {
        close(epoll)
        if spare >= 0 { close(spare) }
        buffer.deallocate()
    }

    func start() {
        Thread.spawn(name: "front-door") { [self] in run() }
    }

    /// Closes the listener; from now on every answer is the last one of its connection.
    func drain() {
        isDraining.store(true, ordering: .relaxed)
        mailbox.post(.drain)
    }

    /// Waits until no connection is left; false when `timeoutMs` passed first.
    func waitDrained(timeoutMs: Int) -> Bool { drained.wait(milliseconds: timeoutMs) }

    /// Ends the thread and closes what is still open.
    func stop() {
        mailbox.post(.stop)
        stopped.wait()
    }

    // MARK: The thread

    private func run() {
        let ready = UnsafeMutablePointer<firn_ready>.allocate(capacity: Int(firn_ready_max))
        defer { ready.deallocate() }
        while !isStopped {
            let messages = touched.isEmpty ? mailbox.takeOrSleep() : mailbox.take()
            let mustHurry = !messages.isEmpty || !touched.isEmpty
            let count = firn_epoll_wait(epoll, ready, mustHurry ? 0 : Int32(FrontOptions.sweepNanos / 1_000_000))
            if !mustHurry { mailbox.wokeUp() }
            now = parts.clock.monotonicNanos()
            for message in messages { deliver(message) }
            for index in 0..<max(0, Int(count)) { report(ready[index]) }
            serveTouched()
            if now >= nextSweep {
                nextSweep = now + FrontOptions.sweepNanos
                sweep()
            }
            if isDraining.load(ordering: .relaxed), listener < 0, connectionCount == 0 { drained.signal() }
        }
        for connection in slots { if let connection { end(connection) } }
        closeListener()
        stopped.signal()
    }

    private func report(_ ready: firn_ready) {
        switch ready.tag {
        case Self.listenerTag: acceptWaiting()
        case Self.mailboxTag: _ = firn_eventfd_take(mailbox.wake)
        default:
            guard let connection = connection(ready.tag) else { return }
            if ready.events & UInt32(firn_can_read) != 0 { connection.isReadable = true }
            if ready.events & UInt32(firn_can_write) != 0 { connection.isWritable = true }
            if ready.events & UInt32(firn_hung_up) != 0 { connection.sawHangup = true }
            touch(connection)
        }
    }

    private func deliver(_ message: FrontMailbox.Message) {
        switch message {
        case .answer(let id, let serial, let bytes, let closes):
            guard let connection = connection(id) else { return }
            connection.answer(serial, bytes, closes: closes)
            touch(connection)
        case .piece(let id, let serial, let bytes, let taken):
            guard let connection = connection(id), connection.piece(serial, bytes) else {
                taken.resume(throwing: FirnError(.cancelled, "connection_lost", "the client closed the connection"))
                return
            }
            connection.streamers.append(taken)
            touch(connection)
        case .abort(let id):
            if let connection = connection(id) { reset(connection) }
        case .drain:
            closeListener()
            for connection in slots { if let connection { touch(connection) } }
        case .stop: isStopped = true
        }
    }

    func touch(_ connection: FrontConnection) {
        guard !connection.isTouched else { return }
        connection.isTouched = true
        touched.append(connection)
    }

    private func serveTouched() {
        let round = touched
        touched.removeAll(keepingCapacity: true)
        for connection in round {
            connection.isTouched = false
            serve(connection)
        }
    }

    private func closeListener() {
        guard listener >= 0 else { return }
        close(listener)
        listener = -1
    }

    func connection(_ id: UInt64) -> FrontConnection? {
        let index = Int(id & 0xff_ffff) - 2
        guard index >= 0, index < slots.count, let found = slots[index], found.id == id else { return nil }
        return found
    }
}
