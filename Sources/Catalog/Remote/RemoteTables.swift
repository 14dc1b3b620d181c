import Base
import Iceberg
import Storage
import Synchronization

/// The clients of remote catalogs, and the last state of each attached table.
///
/// A catalog that does not answer is not asked again for a moment: everybody who wants one of its tables hears so at
/// once, and none of them holds up a thread that others need.
final class RemoteTables: Sendable {
    static let restMs: Int64 = 500
    /// How long a catalog that was silent has for its first answer.
    static let probeMs: Int64 = 10_000

    private struct State {
        var catalogs: [RemoteEndpoint: any RemoteCatalog] = [:]
        var seen: [UUID: RemoteTable] = [:]
        var silent: [RemoteEndpoint: (untilNanos: Int64, error: FirnError)] = [:]
    }

    private let connector: (any RemoteConnector)?
    private let warehouse: String
    private let clock: any Clock
    private let state = Mutex(State())

    init(connector: (any RemoteConnector)?, warehouse: String, clock: any Clock) {
        self.connector = connector
        self.warehouse = warehouse
        self.clock = clock
    }

    /// The table as its catalog has it. Throws as `RemoteCatalog.load`; `.conflict` (`remote_table_replaced`) when the
    /// name means another table there now, `.unsupported` (`bad_location`) when its files cannot be reached.
    func load(_ attachment: Attachment) throws -> RemoteTable {
        let (known, silent) = state.withLock { ($0.seen[attachment.tableUUID], $0.silent[attachment.endpoint]) }
        if let silent {
            let now = clock.monotonicNanos()
            guard now >= silent.untilNanos else { throw silent.error }
            // One asks whether it is back; the others need not wait for the answer.
            state.withLock { $0.silent[attachment.endpoint] = (now + Self.probeMs * 1_000_000, silent.error) }
        }
        let found: RemoteTable?
        do {
            found = try catalog(attachment.endpoint).load(attachment.remote, unless: known?.tag)
        } catch let error as FirnError where error.kind == .io {
            let until = clock.monotonicNanos() + Self.restMs * 1_000_000
            state.withLock { $0.silent[attachment.endpoint] = (until, error) }
            throw error
        }
        if silent != nil { state.withLock { $0.silent[attachment.endpoint] = nil } }
        guard let table = found ?? known else { throw Self.unchanged }
        try check(table, attachment)
        keep(table, attachment)
        return table
    }

    func commit(_ request: [UInt8], to attachment: Attachment, key: UUID) throws -> RemoteTable {
        let table = try catalog(attachment.endpoint).commit(request, to: attachment.remote, key: key)
        keep(table, attachment)
        return table
    }

    /// A table that is not attached yet.
    func find(_ name: RemoteTableName, at endpoint: RemoteEndpoint) throws -> RemoteTable {
        guard let table = try catalog(endpoint).load(name, unless: nil) else { throw Self.unchanged }
        try checkPlace(table)
        return table
    }

    func forget(_ attachment: Attachment) { state.withLock { $0.seen[attachment.tableUUID] = nil } }

    private func keep(_ table: RemoteTable, _ attachment: Attachment) {
        state.withLock { $0.seen[attachment.tableUUID] = table }
    }

    private func catalog(_ endpoint: RemoteEndpoint) throws -> any RemoteCatalog {
        guard let connector else {
            throw FirnError(.unsupported, "no_remote_catalogs", "this program does not reach other catalogs")
        }
        return try state.withLock { state in
            if let known = state.catalogs[endpoint] { return known }
            let made = try connector.connect(endpoint)
            state.catalogs[endpoint] = made
            return made
        }
    }

    private static let unchanged = FirnError(
        .corrupted, "remote_answer", "the catalog says that the table has not changed, but was not told since when")

    private func check(_ table: RemoteTable, _ attachment: Attachment) throws {
        guard table.metadata.tableUUID == attachment.tableUUID else {
            throw FirnError(
                .conflict, "remote_table_replaced",
                "\(attachment.remote) at \(attachment.endpoint.uri) is another table than the one that was attached",
                context: ["table": attachment.identifier.description])
        }
        let metadata = table.metadata
        guard
            (metadata.lastSequenceNumber, metadata.lastUpdatedMs)
                >= (attachment.lastSequenceNumber, attachment.lastUpdatedMs)
        else {
            // From a cache or a replica that lags. What it lacks is not lost, and must not be taken for that.
            throw FirnError(
                .io, "remote_unavailable",
                "the catalog shows an older state of the table than before; if it was restored, detach and attach it",
                context: ["table": attachment.identifier.description, "uri": attachment.endpoint.uri])
        }
        try checkPlace(table)
    }

    /// Files that lay in this warehouse would be in the way of its own.
    private func checkPlace(_ table: RemoteTable) throws {
        let metadata = table.metadata
        for folder in [metadata.location, metadata.dataFolder, metadata.metadataFolder, table.metadataLocation] {
            guard (try? ObjectLocation.path(folder)) != nil else {
                throw FirnError(
                    .unsupported, "bad_location", "the table's files are not in a file system that is mounted here",
                    context: ["location": folder])
            }
            guard !ObjectLocation.isBelow(folder + "/x", folder: warehouse) else {
                throw FirnError(
                    .unsupported, "bad_location", "the table's files lie in this warehouse's own folder",
                    context: ["location": folder])
            }
        }
    }
}
