import Base
import Synchronization

/// Does independent pieces of work on a few threads and hands what comes of them to the caller's thread, as it comes.
///
/// 1. Each of `width` threads takes the next item, works on it, leaves the result, and goes on.
/// 2. The caller's thread receives results while the others work; so what `receive` does needs no lock.
/// 3. After the first throw, of a worker or of `receive`, no further item is begun. Results that arrive then are
///    discarded; the throw comes out when every thread has ended.
///
/// With a width of 1 all happens on the caller's thread.
enum Fanout {
    static func run<Item: Sendable, Output: Sendable>(
        _ items: [Item], width: Int, work: @escaping (Item) throws -> Output, discard: (Output) -> Void,
        receive: (Output) throws -> Void
    ) throws {
        guard width > 1, items.count > 1 else {
            for item in items { try receive(try work(item)) }
            return
        }
        // Threads that are about to end still hold it when this returns.
        nonisolated(unsafe) let work = work
        let threads = min(width, items.count)
        let results = Results<Output>(count: items.count, threads: threads)
        for index in 0..<threads {
            Thread.spawn(name: "compact-\(index)") {
                while let next = results.take() { results.put(Result { try work(items[next]) }) }
                results.leave()
            }
        }
        try results.drain(discard: discard, receive: receive)
    }

    private final class Results<Output: Sendable>: Sendable {
        struct State {
            var next = 0
            var threads: Int
            var isStopped = false
            var arrived: [Result<Output, any Error>] = []
        }

        private let count: Int
        private let state: Mutex<State>
        private let news = Semaphore()

        init(count: Int, threads: Int) {
            self.count = count
            state = Mutex(State(threads: threads))
        }

        func take() -> Int? {
            state.withLock { state in
                guard !state.isStopped, state.next < count else { return nil }
                defer { state.next += 1 }
                return state.next
            }
        }

        func put(_ result: Result<Output, any Error>) {
            state.withLock { state in
                if case .failure = result { state.isStopped = true }
                state.arrived.append(result)
            }
            news.signal()
        }

        func leave() {
            state.withLock { $0.threads -= 1 }
            news.signal()
        }

        func drain(discard: (Output) -> Void, receive: (Output) throws -> Void) throws {
            var failure: (any Error)?
            var isOver = false
            while !isOver {
                news.wait()
                let arrived = state.withLock { state in
                    isOver = state.threads == 0
                    defer { state.arrived = [] }
                    return state.arrived
                }
                for result in arrived {
                    do {
                        let output = try result.get()
                        if failure == nil { try receive(output) } else { discard(output) }
                    } catch {
                        failure = failure ?? error
                        state.withLock { $0.isStopped = true }
                    }
                }
            }
            if let failure { throw failure }
        }
    }
}
