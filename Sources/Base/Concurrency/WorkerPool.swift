import CPlatform
import Glibc
import Synchronization

/// Threads for work that blocks or computes for long: Parquet encoding, file syncs, SQLite.
///
/// Swift's cooperative pool has one thread per core and must never block; everything below the server is plain
/// synchronous code, and this pool is where it runs. Jobs start in submission order; `threads` run at a time.
public final class WorkerPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var head = 0
        var stopped = false
    }

    private let state = Mutex(State())
    private let wake = Semaphore()

    /// - Parameter niceness: how far the pool's threads give way to others of the process that want the same cores.
    public init(name: String, threads: Int, niceness: Int = 0) {
        for index in 0..<threads {
            Thread.spawn(name: "\(name)-\(index)") { [self] in
                if niceness > 0 { Thread.giveWay(niceness) }
                work()
            }
        }
    }

    /// Runs `body` on a pool thread and waits for it without holding a thread of the cooperative pool.
    public func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            submit { continuation.resume(with: Swift.Result { try body() }) }
        }
    }

    /// Queues a job that nobody waits for. A job must not throw.
    public func submit(_ job: @escaping @Sendable () -> Void) {
        let accepted = state.withLock { state in
            guard !state.stopped else { return false }
            state.jobs.append(job)
            return true
        }
        precondition(accepted, "job submitted to a stopped pool")
        wake.signal()
    }

    /// Jobs that no thread has begun.
    public var queued: Int { state.withLock { $0.jobs.count - $0.head } }

    private func work() {
        while true {
            wake.wait()
            let job = state.withLock { state -> (@Sendable () -> Void)? in
                guard state.head < state.jobs.count else { return nil }
                let job = state.jobs[state.head]
                state.head += 1
                if state.head > 1024 || state.head == state.jobs.count {
                    state.jobs.removeFirst(state.head)
                    state.head = 0
                }
                return job
            }
            job?()
        }
    }
}

/// A counting semaphore between threads. Never wait on one from the cooperative pool.
public final class Semaphore: @unchecked Sendable {
    private let handle: UnsafeMutablePointer<sem_t>

    public init(_ value: UInt32 = 0) {
        handle = .allocate(capacity: 1)
        sem_init(handle, 0, value)
    }

    deinit {
        sem_destroy(handle)
        handle.deallocate()
    }

    public func signal() { sem_post(handle) }

    public func wait() {
        while sem_wait(handle) != 0 {}
    }

    /// False when `milliseconds` passed first, whatever happens to the wall clock meanwhile.
    public func wait(milliseconds: Int) -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let nanos = Int(deadline.tv_nsec) + milliseconds % 1000 * 1_000_000
        deadline.tv_sec += milliseconds / 1000 + nanos / 1_000_000_000
        deadline.tv_nsec = nanos % 1_000_000_000
        while firn_sem_clockwait(handle, CLOCK_MONOTONIC, &deadline) != 0 {
            if errno == ETIMEDOUT { return false }
        }
        return true
    }
}

/// A detached operating-system thread.
public enum Thread {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Raises the nice value of the calling thread by that much, where the system lets it.
    public static func giveWay(_ niceness: Int) { firn_lower_thread(Int32(niceness)) }

    /// Starts a thread. `name` is cut to the 15 bytes that Linux keeps.
    public static func spawn(name: String, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        // Recursive readers bound their depth; 8 MiB leaves room for the deepest.
        pthread_attr_setstacksize(&attributes, 8 << 20)
        let code = pthread_create(
            &thread, &attributes,
            { raw in
                let start = Unmanaged<Start>.fromOpaque(raw!).takeRetainedValue()
                firn_name_thread(String(start.name.prefix(15)))
                start.body()
                return nil
            }, start.toOpaque())
        pthread_attr_destroy(&attributes)
        precondition(code == 0, "the system refused a new thread")
    }
}
