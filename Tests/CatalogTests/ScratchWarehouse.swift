import Base
import Catalog
import Columnar
import Glibc
import Iceberg
import Storage
import Synchronization
import Testing

/// A warehouse in a fresh temporary directory, removed with the value.
final class ScratchWarehouse {
    let path: String
    let store: HookedStore
    private(set) var warehouse: Warehouse

    init() throws {
        path = "/tmp/firn-catalog-" + Environment.live.uuid().description
        store = HookedStore(LocalStore(files: PosixFileSystem()))
        warehouse = try Warehouse(directory: path, environment: .live, create: true, store: store)
    }

    deinit {
        let plain = LocalStore(files: PosixFileSystem())
        for location in (try? plain.list(path)) ?? [] { try? plain.delete(location) }
        try? plain.removeEmptyFolders(path)
    }

    /// Another process, as far as the catalog and the locks can tell.
    func another() throws -> Warehouse {
        try Warehouse(directory: path, environment: .live, create: false)
    }

    /// Ends the process that holds the warehouse, in mid-flight, and starts a new one.
    func restart() throws {
        store.setHook(nil)
        // The old warehouse's owner lock ends with its last reference.
        warehouse = try Warehouse(directory: path, environment: .live, create: false, store: store)
    }

    /// A table `shop.orders` with one column.
    func makeTable(_ name: String = "shop.orders", properties: [String: String] = [:]) throws -> Table {
        let id = try TableIdentifier(parsing: name)
        try warehouse.createNamespace(id.namespace, ifNotExists: true)
        return try warehouse.createTable(id, schema: Self.schema, properties: properties)
    }

    static let schema = Schema(fields: [Field(id: 1, name: "id", required: false, type: .long)])

    /// Every file of the warehouse except the catalog's and the log's.
    func filesOnDisk() throws -> Set<String> {
        let plain = LocalStore(files: PosixFileSystem())
        let own = "file://" + path
        return Set(
            try plain.list(path).filter { !$0.hasPrefix(own + "/catalog.db") && !$0.hasPrefix(own + "/wal/") })
    }

    /// Every file that some table needs.
    func liveFiles() throws -> Set<String> {
        var live: Set<String> = []
        for id in try warehouse.listTables() {
            let table = try warehouse.loadTable(id)
            live.insert(table.metadataLocation)
            live.formUnion(try reachableFiles(table.metadata, store: warehouse.store))
        }
        return live
    }
}

extension Warehouse {
    /// Records and writes `count` small data files of one record each, as an ingest flush would.
    func writeDataFiles(_ count: Int, of table: Table) throws -> [DataFile] {
        let paths = (0..<count).map { _ in "\(table.metadata.dataFolder)/\(environment.uuid()).parquet" }
        try ledger.record(paths, table: table.metadata.tableUUID)
        for path in paths { try store.put(path, [1, 2, 3]) }
        return paths.map { DataFile(path: $0, recordCount: 1, fileBytes: 3) }
    }

    /// Paths of all live data files of the current snapshot; a path that is live twice is there twice.
    func livePaths(_ id: TableIdentifier) throws -> [String] {
        let table = try loadTable(id)
        guard let snapshot = table.metadata.currentSnapshot else { return [] }
        return try Manifests.liveEntries(of: snapshot, metadata: table.metadata, store: store).map(\.dataFile.path)
    }
}

/// A store that fails on request.
final class HookedStore: ObjectStore {
    enum Call: Sendable { case put, delete, get }

    private let base: any ObjectStore
    private let hook = Mutex<(@Sendable (Call, String) throws -> Void)?>(nil)

    init(_ base: any ObjectStore) { self.base = base }

    /// Runs before every call; a throw is the call's error, and the call has no effect.
    func setHook(_ body: (@Sendable (Call, String) throws -> Void)?) { hook.withLock { $0 = body } }

    private func enter(_ call: Call, _ location: String) throws { try hook.withLock { $0 }?(call, location) }

    func put(_ location: String, _ bytes: [UInt8]) throws {
        try enter(.put, location)
        try base.put(location, bytes)
    }
    func putStream(_ location: String) throws -> any ObjectSink {
        try enter(.put, location)
        return try base.putStream(location)
    }
    func get(_ location: String) throws -> [UInt8] {
        try enter(.get, location)
        return try base.get(location)
    }
    func read(_ location: String, range: Range<Int>) throws -> [UInt8] { try base.read(location, range: range) }
    func size(_ location: String) throws -> Int? { try base.size(location) }
    func delete(_ location: String) throws {
        try enter(.delete, location)
        try base.delete(location)
    }
    func list(_ prefix: String) throws -> [String] { try base.list(prefix) }
    func removeEmptyFolders(_ prefix: String) throws { try base.removeEmptyFolders(prefix) }
}

/// True when `body` fails with this kind, and this code when given.
func fails(_ kind: FirnError.Kind, _ code: String? = nil, _ body: () throws -> Void) -> Bool {
    do {
        try body()
        Issue.record("nothing was thrown")
        return false
    } catch let error as FirnError {
        if error.kind == kind, code == nil || error.code == code { return true }
        Issue.record("\(error.kind.rawValue) \(error.code): \(error)")
        return false
    } catch {
        Issue.record("\(error)")
        return false
    }
}

/// A counter that hooks on several threads may share.
final class Counter: Sendable {
    private let value = Mutex(0)
    var current: Int { value.withLock { $0 } }
    /// The value before.
    @discardableResult func next() -> Int {
        value.withLock {
            $0 += 1
            return $0 - 1
        }
    }
}

/// Strings from several threads.
final class Collector: Sendable {
    private let items = Mutex<[String]>([])
    var all: [String] { items.withLock { $0 } }
    func add(_ item: String) { items.withLock { $0.append(item) } }
}

/// Runs `body` on so many threads at once, with their numbers, and throws one of their errors.
func concurrently(_ threads: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let failures = FailureSlot()
    let done = Semaphore()
    for index in 0..<threads {
        Thread.spawn(name: "test-\(index)") {
            do { try body(index) } catch { failures.set(error) }
            done.signal()
        }
    }
    for _ in 0..<threads { done.wait() }
    if let error = failures.error { throw error }
}

private final class FailureSlot: Sendable {
    private let slot = Mutex<(any Error)?>(nil)
    var error: (any Error)? { slot.withLock { $0 } }
    func set(_ error: any Error) { slot.withLock { $0 = error } }
}

let simulatedCrash = FirnError(.io, "crash", "the test stops the process here")
