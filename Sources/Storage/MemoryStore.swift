import Base
import Synchronization

/// Objects in memory, for tests; the same rules for locations as `LocalStore`.
public final class MemoryStore: ObjectStore {
    /// What a hook is told before a call takes effect.
    public enum Call: String, Sendable, Hashable, CaseIterable {
        case put, putStream, sinkWrite, sinkFinish, get, read, size, delete, list
    }

    private let objects = Mutex<[String: [UInt8]]>([:])
    private let hook = Mutex<(@Sendable (Call, String) throws -> Void)?>(nil)

    public init() {}

    /// Installs a hook that runs before every call, outside the store's lock. A throw becomes the call's error and the
    /// call has no effect.
    public func setHook(_ body: (@Sendable (Call, String) throws -> Void)?) {
        hook.withLock { $0 = body }
    }

    /// Number of objects.
    public var count: Int { objects.withLock { $0.count } }

    /// Replaces an object's bytes in place, to damage it.
    public func overwrite(_ location: String, _ bytes: [UInt8]) throws {
        let path = try ObjectLocation.path(location)
        objects.withLock { $0[path] = bytes }
    }

    public func put(_ location: String, _ bytes: [UInt8]) throws {
        let path = try enter(.put, location)
        objects.withLock { $0[path] = bytes }
    }

    public func putStream(_ location: String) throws -> any ObjectSink {
        let path = try enter(.putStream, location)
        try objects.withLock {
            guard $0[path] == nil else { throw ObjectErrors.taken(location) }
            $0[path] = []
        }
        return MemorySink(store: self, location: location, path: path)
    }

    public func get(_ location: String) throws -> [UInt8] {
        let path = try enter(.get, location)
        guard let bytes = objects.withLock({ $0[path] }) else { throw ObjectErrors.missing(location) }
        return bytes
    }

    public func read(_ location: String, range: Range<Int>) throws -> [UInt8] {
        precondition(range.lowerBound >= 0, "negative offset")
        let path = try enter(.read, location)
        guard let bytes = objects.withLock({ $0[path] }) else { throw ObjectErrors.missing(location) }
        guard range.upperBound <= bytes.count else {
            throw ObjectErrors.tooShort(location, size: bytes.count, range: range)
        }
        return Array(bytes[range])
    }

    public func size(_ location: String) throws -> Int? {
        let path = try enter(.size, location)
        return objects.withLock { $0[path]?.count }
    }

    public func delete(_ location: String) throws {
        let path = try enter(.delete, location)
        objects.withLock { _ = $0.removeValue(forKey: path) }
    }

    public func list(_ prefix: String) throws -> [String] {
        let folder = try enter(.list, prefix) + "/"
        return objects.withLock { objects in
            objects.keys.filter { $0.hasPrefix(folder) }.sorted().map(ObjectLocation.file)
        }
    }

    private func enter(_ call: Call, _ location: String) throws -> String {
        let path = try ObjectLocation.path(location)
        try hook.withLock { $0 }?(call, location)
        return path
    }

    fileprivate func append(_ bytes: [UInt8], _ location: String) throws {
        let path = try enter(.sinkWrite, location)
        objects.withLock { $0[path, default: []].append(contentsOf: bytes) }
    }

    fileprivate func finish(_ location: String) throws { _ = try enter(.sinkFinish, location) }

    fileprivate func drop(_ path: String) { objects.withLock { _ = $0.removeValue(forKey: path) } }
}

private final class MemorySink: ObjectSink {
    private let store: MemoryStore
    private let location: String
    private let path: String
    private var open = true

    init(store: MemoryStore, location: String, path: String) {
        self.store = store
        self.location = location
        self.path = path
    }

    func write(_ bytes: [UInt8]) throws {
        precondition(open, "write to a finished object")
        try store.append(bytes, location)
    }

    func finish() throws {
        precondition(open, "object finished twice")
        try store.finish(location)
        open = false
    }

    func abort() {
        open = false
        store.drop(path)
    }
}
