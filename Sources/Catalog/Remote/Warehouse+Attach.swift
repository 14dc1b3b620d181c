import Base
import Iceberg
import SQLiteKit

// Tables that another Iceberg REST catalog keeps, and that this warehouse ingests into, queries and maintains.
extension Warehouse {
    /// Takes a table of another catalog in, under a name of this one; its namespace is made when it is missing.
    ///
    /// Throws as `RemoteCatalog.load`; `.unsupported` (`bad_location`) when the table's files are not in a file system,
    /// or in this warehouse's own folder; `.unsupported` (`format_version`); `.alreadyExists` (`table_exists`,
    /// `already_attached`, `table_registered`, `name_taken_by_namespace`).
    public func attach(_ id: TableIdentifier, to remote: RemoteTableName, at endpoint: RemoteEndpoint) throws -> Table {
        guard !id.isDeadLetters else {
            throw FirnError(.invalidInput, "bad_identifier", "the name of a table that is attached has no '$'")
        }
        if try tableExists(id) { throw TablePointers.exists(id) }
        let found = try core.remotes.find(remote, at: endpoint)
        guard (2...3).contains(found.metadata.formatVersion) else {
            throw FirnError(
                .unsupported, "format_version",
                "the table has format version \(found.metadata.formatVersion): upgrade it to 2 or 3 first")
        }
        if let known = try findTable(found.metadata.tableUUID) {
            throw FirnError(
                .alreadyExists, "already_attached", "the table is here already, as \(known.identifier)",
                context: ["table": known.identifier.description])
        }
        let attachment = Attachment(
            identifier: id, tableUUID: found.metadata.tableUUID, endpoint: endpoint, remote: remote,
            id: environment.uuid(), lastSequenceNumber: found.metadata.lastSequenceNumber,
            lastUpdatedMs: found.metadata.lastUpdatedMs)
        try core.database.write { database in
            if try !Namespaces.exists(id.namespace, in: database) {
                try Namespaces.create(id.namespace, properties: [:], in: database)
            }
            try Namespaces.requireRoom(for: id, in: database)
            try Attachments.insert(attachment, found, nowMs: core.nowMs, in: database)
        }
        forgetCommitter(of: id)
        return try core.seen(found, attachment)
    }

    /// Lets an attached table go; nothing changes where it is kept. What was ingested and is not committed yet is lost
    /// with it, as when a table is dropped.
    ///
    /// Throws `.notFound` (`table_not_found`), `.invalidInput` (`not_attached`), `.conflict` (`remote_commit_open`)
    /// while it is not known how a commit ended, and (`records_waiting`) where `isWaitedFor` says so.
    ///
    /// - Parameters:
    ///   - force: leaves the files of such a commit where they are, and does not wait to know.
    ///   - isWaitedFor: whether acknowledged records above a log position, the last committed one, wait for this table.
    public func detach(
        _ id: TableIdentifier, force: Bool = false,
        isWaitedFor: (_ table: UUID, _ position: UInt64) throws -> Bool = { _, _ in false }
    ) throws {
        guard let attachment = try attachment(of: id) else {
            guard try tableExists(id) else { throw TablePointers.missing(id) }
            throw FirnError(
                .invalidInput, "not_attached", "\(id) is this warehouse's own: drop it instead",
                context: ["table": id.description])
        }
        do {
            let properties = try core.lastKnownTable(id).metadata.tableProperties
            _ = try RemoteCommit(attachment: attachment, core: core).settle(properties)
        } catch let error as FirnError where error.kind == .outcomeUnknown || error.kind == .conflict {
            guard force else {
                throw FirnError(
                    .conflict, "remote_commit_open",
                    "a commit to \(id) is not settled: try again when its catalog answers, or use --force",
                    context: ["table": id.description], cause: error)
            }
        }
        if !force, try isWaitedFor(attachment.tableUUID, try logPosition(attachment.tableUUID)) {
            throw FirnError(
                .conflict, "records_waiting",
                "acknowledged records for \(id) are in the log and not in the table: start the server, which commits "
                    + "them, or use --force to do without them", context: ["table": id.description])
        }
        try core.database.write { database in
            if let open = try OpenCommit.find(attachment.tableUUID, in: database) {
                _ = try open.delete(in: database)
            }
            // Its marks stay: the log may hold records that are committed, for a table that comes back.
            try Attachments.delete(attachment, in: database)
        }
        core.remotes.forget(attachment)
        forgetCommitter(of: id)
    }

    /// Where a table is kept; nil for the warehouse's own.
    public func attachment(of id: TableIdentifier) throws -> Attachment? {
        try core.database.read { try Attachments.find(id, in: $0) }
    }

    public func attachments() throws -> [Attachment] {
        try core.database.read { try Attachments.list(in: $0) }
    }

    /// The table as `loadTable` has it, but an attached one as it was last seen here, without asking its catalog; its
    /// snapshots may be missing then.
    public func lastKnownTable(_ id: TableIdentifier) throws -> Table { try core.lastKnownTable(id) }

    /// Whether it is not known yet how the last commit to an attached table ended.
    public func hasOpenCommit(_ table: UUID) throws -> Bool {
        try core.database.read { try OpenCommit.exists(table, in: $0) }
    }
}
