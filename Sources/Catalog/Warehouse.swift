import Base
import Iceberg
import SQLiteKit
import Storage
import Synchronization

/// A folder of Iceberg tables and the catalog that knows them: `DIR/catalog.db`, catalog name `firn`.
///
/// The catalog's tables are the ones of PyIceberg's `SqlCatalog` and Java's `JdbcCatalog` (V1), so both may read and
/// commit beside this process at any time. Open one per process and share it; every method blocks and may be called
/// from any thread. Errors are `FirnError`.
public final class Warehouse: Sendable {
    /// The catalog name that other clients must use.
    public static let catalogName = TablePointers.catalogName
    /// Namespace property that lets ingestion create a table on its first record.
    public static let autoCreateProperty = "firn.auto-create-tables"

    /// Absolute, without a trailing slash.
    public let directory: String
    public let environment: Environment
    public let store: any ObjectStore
    /// Files in flight and files to delete.
    public let ledger: FileLedger
    let core: CatalogCore
    private let committers = Mutex<[TableIdentifier: TableCommitter]>([:])

    /// Opens a warehouse.
    ///
    /// - Parameters:
    ///   - create: makes the folder and the catalog when they are missing; otherwise that throws `.notFound`
    ///     (`warehouse_not_found`).
    ///   - remotes: the way to the catalogs of attached tables; without, those are not to be reached.
    public convenience init(
        directory: String, environment: Environment, create: Bool, remotes: (any RemoteConnector)? = nil
    ) throws {
        try self.init(
            directory: directory, environment: environment, create: create,
            store: LocalStore(files: environment.files), remotes: remotes)
    }

    /// With another store for the tables' files; the catalog stays in `directory`.
    public init(
        directory: String, environment: Environment, create: Bool, store: any ObjectStore,
        remotes: (any RemoteConnector)? = nil
    ) throws {
        let path = try ObjectLocation.path(directory)
        guard directory.hasPrefix("/"), !path.contains("?"), !path.contains("#"), !path.contains("%") else {
            throw FirnError(
                .invalidInput, "bad_warehouse", "the warehouse needs an absolute path without '?', '#' and '%'",
                context: ["warehouse": directory])
        }
        if create {
            try environment.files.createDirectories(path)
        } else if try environment.files.size(path + "/catalog.db") == nil {
            throw FirnError(
                .notFound, "warehouse_not_found", "there is no warehouse here: catalog.db is missing",
                context: ["warehouse": path])
        }
        self.directory = path
        self.environment = environment
        self.store = store
        core = try CatalogCore(
            directory: path, environment: environment, store: store, create: create, remotes: remotes)
        ledger = core.ledger
    }

    /// Deletes the files that dead processes left half-way. Call once at start-up.
    @discardableResult
    public func recover() throws -> CollectionReport { try ledger.recover() }

    /// Deletes files that no snapshot reaches any more, and those of dead processes.
    @discardableResult
    public func collectGarbage() throws -> CollectionReport { try ledger.collectGarbage() }

    /// Snapshots that this process's commits removed, expiry inside ordinary commits included.
    public var snapshotsExpired: Int { core.snapshotsExpired }

    /// True for files in the table's own folders inside the warehouse: those that expiry and clean-up may delete.
    public func owns(_ path: String, of table: Table) -> Bool {
        TableFolders(table.metadata, warehouse: directory, isAttached: table.isAttached).owns(path)
    }

    /// The one committer of a table in this process. Throws `.notFound` (`table_not_found`).
    public func committer(for id: TableIdentifier) throws -> TableCommitter {
        let uuid = try attachment(of: id)?.tableUUID ?? loadTable(id).metadata.tableUUID
        return committers.withLock { committers in
            // The name may have gone to another table since.
            if let known = committers[id], known.tableUUID == uuid { return known }
            let committer = TableCommitter(identifier: id, tableUUID: uuid, core: core)
            committers[id] = committer
            return committer
        }
    }

    func forgetCommitter(of id: TableIdentifier) { committers.withLock { $0[id] = nil } }

    /// SQLite's own check of the catalog file; one line a problem, none when all is well.
    public func checkCatalog() throws -> [String] {
        try core.database.read { database in
            try database.query("PRAGMA integrity_check").compactMap { $0[0].textValue }.filter { $0 != "ok" }
        }
    }
}
