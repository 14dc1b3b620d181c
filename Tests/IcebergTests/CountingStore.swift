import Storage
import Synchronization

/// A store in memory that knows how many of its objects are being written.
final class CountingStore: ObjectStore {
    private let inner = MemoryStore()
    let counts = Mutex((now: 0, most: 0))

    func put(_ location: String, _ bytes: [UInt8]) throws { try inner.put(location, bytes) }
    func get(_ location: String) throws -> [UInt8] { try inner.get(location) }
    func read(_ location: String, range: Range<Int>) throws -> [UInt8] { try inner.read(location, range: range) }
    func size(_ location: String) throws -> Int? { try inner.size(location) }
    func delete(_ location: String) throws { try inner.delete(location) }
    func list(_ prefix: String) throws -> [String] { try inner.list(prefix) }

    func putStream(_ location: String) throws -> any ObjectSink {
        counts.withLock { counts in
            counts.now += 1
            counts.most = max(counts.most, counts.now)
        }
        return Sink(inner: try inner.putStream(location), store: self)
    }

    private final class Sink: ObjectSink {
        private let inner: any ObjectSink
        private let store: CountingStore

        init(inner: any ObjectSink, store: CountingStore) {
            self.inner = inner
            self.store = store
        }

        func write(_ bytes: [UInt8]) throws { try inner.write(bytes) }

        func finish() throws {
            store.counts.withLock { $0.now -= 1 }
            try inner.finish()
        }

        func abort() {
            store.counts.withLock { $0.now -= 1 }
            inner.abort()
        }
    }
}
