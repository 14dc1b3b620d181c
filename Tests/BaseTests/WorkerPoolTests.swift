import Base
import Synchronization
import Testing

@Suite struct WorkerPoolTests {
    @Test func resultsAndErrorsComeBack() async throws {
        let pool = WorkerPool(name: "test", threads: 2)
        #expect(try await pool.run { 6 * 7 } == 42)
        await #expect(throws: FirnError.self) {
            try await pool.run { throw FirnError(.notFound, "gone", "gone") }
        }
    }

    @Test func jobsOfOneThreadRunInOrder() async throws {
        let pool = WorkerPool(name: "one", threads: 1)
        let seen = Mutex<[Int]>([])
        // More than the queue keeps before it moves its head.
        for index in 0..<5000 { pool.submit { seen.withLock { $0.append(index) } } }
        try await pool.run {}
        #expect(seen.withLock { $0 } == Array(0..<5000))
    }

    @Test func asManyRunAtOnceAsThereAreThreads() async throws {
        let pool = WorkerPool(name: "three", threads: 3)
        let state = Mutex((running: 0, most: 0))
        let gate = Semaphore()
        let arrived = Semaphore()
        let done = Semaphore()
        for _ in 0..<6 {
            pool.submit {
                state.withLock {
                    $0.running += 1
                    $0.most = max($0.most, $0.running)
                }
                arrived.signal()
                gate.wait()
                state.withLock { $0.running -= 1 }
                done.signal()
            }
        }
        // Three jobs wait inside for the gate; a fourth can not have started.
        for _ in 0..<3 { #expect(arrived.wait(milliseconds: 60_000)) }
        #expect(!arrived.wait(milliseconds: 50))
        for _ in 0..<6 { gate.signal() }
        for _ in 0..<6 { #expect(done.wait(milliseconds: 60_000)) }
        #expect(state.withLock { $0.most } == 3)
    }
}
