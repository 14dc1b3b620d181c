import Base
import Glibc
import Synchronization

/// Runs a pure function over items on several threads, and waits.
enum Parallel {
    static let threads = max(2, min(16, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    private static let pool = WorkerPool(name: "verify", threads: threads)

    private final class Results<Result: Sendable>: Sendable {
        struct State {
            var next = 0
            var results: [Result?]
        }

        let state: Mutex<State>

        init(count: Int) { state = Mutex(State(results: Array(repeating: nil, count: count))) }
    }

    /// Results in the order of the items. Never call it from a thread of its own pool.
    static func map<Item: Sendable, Result: Sendable>(
        _ items: [Item], _ body: @escaping @Sendable (Item) -> Result
    ) -> [Result] {
        guard items.count > 1 else { return items.map(body) }
        let shared = Results<Result>(count: items.count)
        let done = Semaphore()
        let workers = min(threads, items.count)
        for _ in 0..<workers {
            pool.submit {
                while true {
                    let index = shared.state.withLock { state -> Int in
                        state.next += 1
                        return state.next - 1
                    }
                    guard index < items.count else { break }
                    let result = body(items[index])
                    shared.state.withLock { $0.results[index] = result }
                }
                done.signal()
            }
        }
        for _ in 0..<workers { done.wait() }
        return shared.state.withLock { $0.results.map { $0! } }
    }
}
