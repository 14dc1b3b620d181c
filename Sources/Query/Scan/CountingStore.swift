import Storage

/// A store that counts what is read through it.
struct CountingStore: ObjectStore {
    private let store: any ObjectStore
    private let statistics: QueryStatistics

    init(_ store: any ObjectStore, _ statistics: QueryStatistics) {
        self.store = store
        self.statistics = statistics
    }

    func get(_ location: String) throws -> [UInt8] { counted(try store.get(location)) }
    func read(_ location: String, range: Range<Int>) throws -> [UInt8] {
        counted(try store.read(location, range: range))
    }

    private func counted(_ bytes: [UInt8]) -> [UInt8] {
        statistics.add { $0.bytesRead += bytes.count }
        return bytes
    }

    func put(_ location: String, _ bytes: [UInt8]) throws { try store.put(location, bytes) }
    func putStream(_ location: String) throws -> any ObjectSink { try store.putStream(location) }
    func size(_ location: String) throws -> Int? { try store.size(location) }
    func delete(_ location: String) throws { try store.delete(location) }
    func list(_ prefix: String) throws -> [String] { try store.list(prefix) }
}
