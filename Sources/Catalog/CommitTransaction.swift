import Base
import Iceberg
import SQLiteKit
import Storage

/// A change as its caller meant it, independent of the state of the table it ends up on.
struct TableChange {
    /// Builds the commit on a base; nil when there is nothing to write. Called once an attempt, with the same
    /// preconditions each time.
    var prepare: (Table, CommitContext) throws -> Prepared?
    /// Files that the caller wrote and recorded, and that become live.
    var added: [String] = []
    var mark: IngestMark?
    /// For a table that comes into being with this commit: its first metadata, in place of `prepare`.
    var creation: PreparedCommit?

    struct Prepared {
        var commit: PreparedCommit
        /// Files that no snapshot reaches after the commit.
        var unreachable: [String] = []
    }
}

/// Step 5 of a commit: everything that must happen together (G3), for one table or for several.
struct CommitTransaction {
    /// What happens to one table.
    struct Part {
        let identifier: TableIdentifier
        let tableUUID: UUID
        let base: Table
        /// Nil when only marks move.
        var prepared: TableChange.Prepared?
        let change: TableChange
        let folders: TableFolders

        /// Files that nothing needs after the commit and that the committer deletes in passing: metadata files that
        /// leave the log, and what only snapshots that expired with the commit reached.
        var retired: [String] {
            guard let commit = prepared?.commit else { return [] }
            return (commit.unreachable + commit.removedMetadataFiles).filter { folders.owns($0) }
        }

        var objects: [String] { prepared?.commit.objects.map(\.location) ?? [] }
    }

    let parts: [Part]
    let nowMs: Int64
    /// Whatever else belongs into the transaction; a throw rolls all of it back.
    var beside: ((Database, [Part]) throws -> Void)?

    /// False when a pointer no longer is its base's; then nothing has changed.
    func run(in core: CatalogCore) throws -> Bool {
        let owner = try core.ledger.owner.id(in: core.database)
        do {
            try core.database.write { database in
                for part in parts { try apply(part, to: database, owner: owner) }
                try beside?(database, parts)
                try core.environment.faults.reach(.commitInTransaction)
            }
            return true
        } catch let error as FirnError where error.code == Self.pointerMoved {
            return false
        }
    }

    private static let pointerMoved = "pointer_moved"

    private func apply(_ part: Part, to database: Database, owner: String) throws {
        // The guard first: a fenced writer must hear that it is fenced, not that it lost a race.
        if let mark = part.change.mark { try MarkStore.check(mark, table: part.tableUUID, in: database) }
        if let creation = part.change.creation {
            try Namespaces.requireRoom(for: part.identifier, in: database)
            try TablePointers.insert(part.identifier, location: creation.metadataLocation, in: database)
        } else if let commit = part.prepared?.commit {
            guard
                try TablePointers.swap(
                    part.identifier, from: part.base.metadataLocation, to: commit.metadataLocation, in: database)
            else { throw FirnError(.conflict, Self.pointerMoved, "another writer committed first") }
        }
        if let mark = part.change.mark { try MarkStore.apply(mark, table: part.tableUUID, in: database) }
        guard part.prepared != nil else { return }
        for path in part.change.added + part.objects {
            try Self.becomeLive(path, part.identifier, owner: owner, in: database)
        }
        let unreachable = (part.prepared?.unreachable ?? []).filter { part.folders.owns($0) }
        for path in unreachable + part.retired { try becomeGarbage(path, part, in: database) }
    }

    /// A file goes live once: its row must be there, ours, and goes now. A second commit of the same file fails here,
    /// whatever path it took.
    static func becomeLive(
        _ path: String, _ table: TableIdentifier, owner: String, in database: Database
    ) throws {
        let changed = try database.run(
            "DELETE FROM firn_ledger WHERE path = ? AND state = 'pending' AND owner = ?", [.text(path), .text(owner)])
        guard changed == 1 else {
            throw FirnError(
                .internal, "file_not_pending", "the file was never recorded, or is committed already",
                context: ["file": path, "table": table.description])
        }
    }

    private func becomeGarbage(_ path: String, _ part: Part, in database: Database) throws {
        try database.run(
            """
            INSERT INTO firn_ledger (path, table_uuid, owner, state, created_ms) VALUES (?, ?, NULL, 'garbage', ?)
            ON CONFLICT (path) DO NOTHING
            """, [.text(path), .text(part.tableUUID.description), .integer(nowMs)])
    }
}
