import Base
import Iceberg
import Storage
import Synchronization

/// What the warehouse and its committers share.
final class CatalogCore: Sendable {
    let directory: String
    let database: CatalogDatabase
    let store: any ObjectStore
    let environment: Environment
    let ledger: FileLedger
    let remotes: RemoteTables
    private let metadata = Mutex(MetadataCache())
    private let expired = Atomic<Int>(0)

    init(
        directory: String, environment: Environment, store: any ObjectStore, create: Bool,
        remotes: (any RemoteConnector)?
    ) throws {
        self.directory = directory
        self.environment = environment
        self.store = store
        database = try CatalogDatabase(
            path: directory + "/catalog.db", create: create, nowMs: environment.clock.nowMs())
        self.remotes = RemoteTables(connector: remotes, warehouse: directory, clock: environment.clock)
        ledger = FileLedger(
            database: database, store: store, environment: environment, ownersDirectory: directory + "/wal/owners")
    }

    var nowMs: Int64 { environment.clock.nowMs() }

    /// Snapshots that commits of this process removed, whether they were made for that or removed some in passing.
    var snapshotsExpired: Int { expired.load(ordering: .relaxed) }

    func countExpired(in commit: PreparedCommit) {
        let count = commit.updates.reduce(0) { sum, update in
            if case .removeSnapshots(let ids) = update { sum + ids.count } else { sum }
        }
        if count > 0 { expired.wrappingAdd(count, ordering: .relaxed) }
    }

    /// A table as it is now: an attached one as its catalog says.
    func loadTable(_ id: TableIdentifier) throws -> Table {
        var last: String?
        while true {
            guard let pointer = try database.read({ try TablePointers.pointer(of: id, in: $0) }) else {
                throw TablePointers.missing(id)
            }
            if pointer.isAttached { return try loadAttached(try attachment(id)) }
            do {
                return Table(
                    identifier: id, metadataLocation: pointer.location, metadata: try loadMetadata(pointer.location))
            } catch let error as FirnError where error.kind == .notFound {
                // The table moved on, or went, between the two reads; the same location twice means damage.
                guard last != pointer.location else { throw Self.metadataMissing(id, pointer.location) }
                last = pointer.location
            }
        }
    }

    /// As `loadTable`, but an attached table as it was last seen here, if need be without its snapshots.
    func lastKnownTable(_ id: TableIdentifier) throws -> Table {
        guard let pointer = try database.read({ try TablePointers.pointer(of: id, in: $0) }), pointer.isAttached else {
            return try loadTable(id)
        }
        let metadata: TableMetadata
        do {
            metadata = try loadMetadata(pointer.location)
        } catch {
            let attachment = try attachment(id)
            metadata = try database.read { try Attachments.outline(of: attachment, in: $0) }
        }
        return Table(identifier: id, metadataLocation: pointer.location, metadata: metadata, isAttached: true)
    }

    func attachment(_ id: TableIdentifier) throws -> Attachment {
        guard let found = try database.read({ try Attachments.find(id, in: $0) }) else {
            throw TablePointers.missing(id)
        }
        return found
    }

    /// An attached table as its catalog has it now.
    func loadAttached(_ attachment: Attachment) throws -> Table { try seen(try remotes.load(attachment), attachment) }

    /// Keeps what another catalog said of an attached table.
    func seen(_ state: RemoteTable, _ attachment: Attachment) throws -> Table {
        let id = attachment.identifier
        remember(state.metadata, at: state.metadataLocation)
        let known = try database.read { try TablePointers.location(of: id, in: $0) }
        if known != state.metadataLocation {
            try database.write { try Attachments.note(attachment, state, in: $0) }
        }
        return Table(
            identifier: id, metadataLocation: state.metadataLocation, metadata: state.metadata, isAttached: true)
    }

    static func metadataMissing(_ id: TableIdentifier, _ location: String) -> FirnError {
        FirnError(
            .corrupted, "metadata_missing", "the current metadata file of \(id) is missing",
            context: ["file": location, "table": id.description])
    }

    /// The metadata in a metadata file; files never change, so a parsed one is kept.
    func loadMetadata(_ location: String) throws -> TableMetadata {
        if let cached = metadata.withLock({ $0[location] }) { return cached }
        let parsed = try TableMetadata.parse(try store.get(location), source: location)
        remember(parsed, at: location)
        return parsed
    }

    func remember(_ parsed: TableMetadata, at location: String) {
        metadata.withLock { $0.insert(parsed, at: location) }
    }
}

/// The most recently added metadata files.
private struct MetadataCache {
    /// Enough for the tables a server writes at a time, old files of the same tables included.
    private static let entriesMax = 64
    /// A table with a long history counts for many.
    private static let snapshotsMax = 100_000
    private var entries: [String: TableMetadata] = [:]
    private var order: [String] = []
    private var snapshotCount = 0

    subscript(_ location: String) -> TableMetadata? { entries[location] }

    mutating func insert(_ metadata: TableMetadata, at location: String) {
        guard entries.updateValue(metadata, forKey: location) == nil else { return }
        order.append(location)
        snapshotCount += metadata.snapshots.count
        while order.count > 1, order.count > Self.entriesMax || snapshotCount > Self.snapshotsMax {
            snapshotCount -= entries.removeValue(forKey: order.removeFirst())?.snapshots.count ?? 0
        }
    }
}
