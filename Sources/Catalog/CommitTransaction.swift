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

    struct Prepared {
        var commit: PreparedCommit
        /// Files that no snapshot reaches after the commit.
        var unreachable: [String] = []
    }
}

/// Step 5 of a commit: everything that must happen together (G3).
struct CommitTransaction {
    let identifier: TableIdentifier
    let tableUUID: UUID
    let base: Table
    let prepared: TableChange.Prepared
    let change: TableChange
    let nowMs: Int64
    let folders: TableFolders

    /// Metadata files that the commit drops from the metadata log and that may be deleted.
    var retired: [String] {
        prepared.commit.removedMetadataFiles.filter { folders.owns($0) }
    }

    /// False when the pointer no longer is the base's; then nothing has changed.
    func run(in core: CatalogCore) throws -> Bool {
        let owner = try core.ledger.owner.id(in: core.database)
        do {
            try core.database.write { try apply(to: $0, owner: owner) }
            return true
        } catch let error as FirnError where error.code == Self.pointerMoved {
            return false
        }
    }

    private static let pointerMoved = "pointer_moved"

    private func apply(to database: Database, owner: String) throws {
        let commit = prepared.commit
        // The guard first: a fenced writer must hear that it is fenced, not that it lost a race.
        if let mark = change.mark { try MarkStore.check(mark, table: tableUUID, in: database) }
        guard
            try TablePointers.swap(
                identifier, from: base.metadataLocation, to: commit.metadataLocation, in: database)
        else { throw FirnError(.conflict, Self.pointerMoved, "another writer committed first") }
        if let mark = change.mark { try MarkStore.apply(mark, table: tableUUID, in: database) }
        for path in change.added + commit.objects.map(\.location) {
            try becomeLive(path, owner: owner, in: database)
        }
        for path in prepared.unreachable + commit.removedMetadataFiles { try becomeGarbage(path, in: database) }
    }

    /// A file goes live once: its row must be there, ours, and goes now. A second commit of the same file fails here,
    /// whatever path it took.
    private func becomeLive(_ path: String, owner: String, in database: Database) throws {
        let changed = try database.run(
            "DELETE FROM firn_ledger WHERE path = ? AND state = 'pending' AND owner = ?", [.text(path), .text(owner)])
        guard changed == 1 else {
            throw FirnError(
                .internal, "file_not_pending", "the file was never recorded, or is committed already",
                context: ["file": path, "table": identifier.description])
        }
    }

    private func becomeGarbage(_ path: String, in database: Database) throws {
        guard folders.owns(path) else { return }
        try database.run(
            """
            INSERT INTO firn_ledger (path, table_uuid, owner, state, created_ms) VALUES (?, ?, NULL, 'garbage', ?)
            ON CONFLICT (path) DO NOTHING
            """, [.text(path), .text(tableUUID.description), .integer(nowMs)])
    }
}
