import Base
import Iceberg
import SQLiteKit
import Storage

/// One table's part of a transaction, as a client of the REST catalog sends it.
public struct TableTransaction: Sendable {
    public let identifier: TableIdentifier
    public let requirements: [TableRequirement]
    public let updates: [TableUpdate]

    public init(identifier: TableIdentifier, requirements: [TableRequirement], updates: [TableUpdate]) {
        self.identifier = identifier
        self.requirements = requirements
        self.updates = updates
    }

    /// True for a table that comes into being with the transaction.
    public var creates: Bool { requirements.contains(.assertCreate) }
}

extension Warehouse {
    /// Commits changes of one or several tables in one catalog transaction, creations among them: all or none (G3).
    ///
    /// When another writer commits first the requirements are checked again on the new state.
    ///
    /// - Parameters:
    ///   - request: keeps its answer in the same transaction: the first table's, if it shows one.
    ///   - check: what else must hold of the metadata that each change leads to.
    /// - Throws: as `TableCommitter.apply`; `.conflict` (`requirement_failed`) when a table to be created exists;
    ///   `.invalidInput` (`table_twice`); as `createTable` for names and locations.
    public func commit(
        _ changes: [TableTransaction], request: KeyedRequest? = nil, showsTable: Bool = false,
        check: (TableMetadata) throws -> Void = { _ in }
    ) throws -> [CommitResult] {
        try withoutActuallyEscaping(check) { check in
            let participants = try changes.map { change in
                try participant(
                    change,
                    ForeignChange(updates: change.updates, requirements: change.requirements, core: core, check: check))
            }
            guard Set(participants.map(\.committer.tableUUID)).count == participants.count,
                Set(changes.map(\.identifier)).count == changes.count
            else {
                throw FirnError(
                    .invalidInput, "table_twice", "a table is twice in one transaction: put its changes together")
            }
            let results = try JointCommit(core: core) { [self] database, parts in
                let location = parts.first?.prepared?.commit.metadataLocation ?? parts.first?.base.metadataLocation
                try keepSuccess(of: request, metadataLocation: showsTable ? location : nil, in: database)
            }.run(participants)
            for change in changes where change.creates { forgetCommitter(of: change.identifier) }
            return results
        }
    }

    private func participant(_ change: TableTransaction, _ foreign: ForeignChange) throws -> JointCommit.Participant {
        guard change.creates else {
            let committer = try committer(for: change.identifier)
            let table = try committer.table()
            try foreign.checkFiles(of: table)
            for case .setLocation(let location) in change.updates where location != table.metadata.location {
                try requireFree(location, for: change.identifier)
            }
            return JointCommit.Participant(
                committer: committer,
                change: TableChange(prepare: { base, context in
                    try foreign.prepare(on: base, context).map { TableChange.Prepared(commit: $0) }
                }))
        }
        let id = try TableIdentifier(namespace: change.identifier.namespace, name: change.identifier.name)
        if try tableExists(id) { try TableRequirement.assertCreate.check(try loadTable(id).metadata) }
        try foreign.checkFiles(of: nil)
        let commit = try foreign.create(
            id, uuid: environment.uuid(),
            CommitContext(
                snapshotId: environment.snapshotId(), commitUUID: environment.uuid(),
                metadataUUID: environment.uuid(), nowMs: core.nowMs))
        try requireFree(commit.metadata.location, for: id)
        // Two names of one table would each delete what only the other one needs.
        if let known = try findTable(commit.metadata.tableUUID) {
            throw FirnError(
                .conflict, "table_registered", "a table with this UUID is in the catalog, as \(known.identifier)")
        }
        return JointCommit.Participant(
            committer: TableCommitter(identifier: id, tableUUID: commit.metadata.tableUUID, core: core),
            change: TableChange(prepare: { _, _ in nil }, creation: commit))
    }

    /// What a metadata file of a table says; kept ones are not read again.
    public func metadata(at location: String) throws -> TableMetadata { try core.loadMetadata(location) }

    /// Makes the folders that some writers expect of a table, and for which nothing need be written yet.
    public func makeFolders(of metadata: TableMetadata) throws {
        for folder in [metadata.metadataFolder, metadata.dataFolder] { try store.makeFolder(folder) }
    }
}
