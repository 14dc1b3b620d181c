import Base
import Columnar
import Iceberg
import SQLiteKit
import Storage

extension Warehouse {
    /// All tables, or those directly in one namespace, sorted.
    public func listTables(in namespace: [String]? = nil) throws -> [TableIdentifier] {
        try core.database.readConsistently { database in
            if let namespace { try Namespaces.require(namespace, in: database) }
            return try TablePointers.list(namespace: namespace, in: database)
        }
    }

    public func tableExists(_ id: TableIdentifier) throws -> Bool {
        try core.database.read { try TablePointers.location(of: id, in: $0) } != nil
    }

    /// The table as it is now. Metadata files that were read before are not read again. Throws `.notFound`
    /// (`table_not_found`).
    public func loadTable(_ id: TableIdentifier) throws -> Table {
        try core.loadTable(id)
    }

    /// The table with this UUID, whatever it is called now; nil when there is none any more.
    ///
    /// All pointers are read at one moment: looked up name by name, a table that is renamed meanwhile would be found
    /// under neither name. Throws when the catalog or a table's metadata cannot be read: not knowing is not the same as
    /// gone.
    public func findTable(_ uuid: UUID) throws -> Table? {
        // An attached one as last seen: that its catalog does not answer says nothing about the table.
        if let attachment = try core.database.read({ try Attachments.find(uuid, in: $0) }) {
            return try core.lastKnownTable(attachment.identifier)
        }
        var gone: Set<String> = []
        while true {
            let pointers = try core.database.read { try TablePointers.locations(in: $0, attached: false) }
            var moved: Set<String> = []
            for (id, location) in pointers {
                do {
                    let metadata = try core.loadMetadata(location)
                    guard metadata.tableUUID == uuid else { continue }
                    return Table(identifier: id, metadataLocation: location, metadata: metadata)
                } catch let error as FirnError where error.kind == .notFound {
                    // The table moved on, or went; the same location twice means damage.
                    guard !gone.contains(location) else { throw CatalogCore.metadataMissing(id, location) }
                    moved.insert(location)
                }
            }
            guard !moved.isEmpty else { return nil }
            gone = moved
        }
    }

    /// Creates an empty table in an existing namespace. Field ids are reassigned from 1.
    ///
    /// Its folder is `DIR/<namespace levels>/<table>`, with a suffix when files of an earlier or renamed table are
    /// still there. New tables get `PropertyRules.defaults` beneath the given properties.
    ///
    /// Throws `.invalidInput`, `.notFound` (`namespace_not_found`), `.alreadyExists` (`table_exists`,
    /// `name_taken_by_namespace`) unless `ifNotExists`.
    ///
    /// - Parameters:
    ///   - location: another folder; `.invalidInput` (`bad_location`) outside the warehouse or where a table is.
    ///   - request: keeps its answer in the same transaction.
    public func createTable(
        _ id: TableIdentifier, schema: Schema, spec: PartitionSpec = .unpartitioned, sortOrder: SortOrder = .unsorted,
        properties: [String: String] = [:], ifNotExists: Bool = false, location: String? = nil,
        request: KeyedRequest? = nil
    ) throws -> Table {
        if ifNotExists, try tableExists(id) {
            try PropertyRules.check(properties.filter { $0.key != "format-version" }, directory: directory)
            return try loadTable(id)
        }
        let metadata = try stageTable(
            id, schema: schema, spec: spec, sortOrder: sortOrder, properties: properties, location: location)
        let commit = try MetadataCommit.prepare(
            metadata, base: nil, baseLocation: nil,
            context: CommitContext(
                snapshotId: 1, commitUUID: environment.uuid(), metadataUUID: environment.uuid(), nowMs: core.nowMs))
        do {
            try register(id, commit, request)
        } catch let error as FirnError where ifNotExists && error.code == "table_exists" {
            return try loadTable(id)
        }
        core.remember(commit.metadata, at: commit.metadataLocation)
        return Table(identifier: id, metadataLocation: commit.metadataLocation, metadata: commit.metadata)
    }

    /// What `createTable` would create; nothing is written, and nothing is reserved.
    public func stageTable(
        _ id: TableIdentifier, schema: Schema, spec: PartitionSpec = .unpartitioned, sortOrder: SortOrder = .unsorted,
        properties: [String: String] = [:], location: String? = nil
    ) throws -> TableMetadata {
        // Not a property of the table but of its creation; it is not kept as one.
        try PropertyRules.check(properties.filter { $0.key != "format-version" }, directory: directory)
        if try tableExists(id) { throw TablePointers.exists(id) }
        try core.database.readConsistently { try Namespaces.requireRoom(for: id, in: $0) }
        let uuid = environment.uuid()
        if let location { try requireFree(location, for: id) }
        return try TableMetadata.create(
            schema: schema, spec: spec, sortOrder: sortOrder,
            location: try location ?? freeLocation(id, uuid: uuid),
            properties: PropertyRules.defaults.merging(properties) { _, given in given }, uuid: uuid,
            nowMs: core.nowMs)
    }

    /// Removes a table from the catalog. With `purge` its files become garbage and are deleted, as far as they lie in
    /// the table's folder, and its dead letters go with it; without, they stay as they are and the table could be
    /// registered again.
    ///
    /// - Parameter request: keeps its answer in the same transaction.
    public func dropTable(_ id: TableIdentifier, purge: Bool, request: KeyedRequest? = nil) throws {
        try requireOwn(id, "detach it, or drop it there")
        while true {
            let table = try loadTable(id)
            var files: Set<String> = []
            if purge {
                files = try reachableFiles(table.metadata, store: store)
                files.insert(table.metadataLocation)
            }
            let uuid = table.metadata.tableUUID
            let now = core.nowMs
            let folders = TableFolders(table.metadata, warehouse: directory)
            let dropped = try core.database.write { [files] database in
                guard try TablePointers.delete(id, at: table.metadataLocation, in: database) else { return false }
                try keepSuccess(of: request, metadataLocation: purge ? nil : table.metadataLocation, in: database)
                guard purge else { return true }
                try MarkStore.forget(uuid, in: database)
                for path in files.sorted() where folders.owns(path) {
                    try database.run(
                        """
                        INSERT INTO firn_ledger (path, table_uuid, owner, state, created_ms)
                        VALUES (?, ?, NULL, 'garbage', ?) ON CONFLICT (path) DO NOTHING
                        """, [.text(path), .text(uuid.description), .integer(now)])
                }
                return true
            }
            // Somebody committed since the table was loaded: the files are others now.
            guard dropped else { continue }
            forgetCommitter(of: id)
            if purge {
                if !id.isDeadLetters, try tableExists(id.deadLetters) { try dropTable(id.deadLetters, purge: true) }
                try ledger.collectGarbage()
                try store.removeEmptyFolders(table.metadata.location)
            }
            return
        }
    }

    /// Renames a table, and its dead letters with it. Their files stay where they are. Throws `.notFound`
    /// (`table_not_found`, `namespace_not_found`), `.alreadyExists` (`table_exists`, `name_taken_by_namespace`).
    ///
    /// - Parameter request: keeps its answer in the same transaction.
    public func renameTable(_ from: TableIdentifier, to: TableIdentifier, request: KeyedRequest? = nil) throws {
        try requireOwn(from, "detach it, and attach it under another name")
        try core.database.write { database in
            guard try TablePointers.location(of: from, in: database) != nil else { throw TablePointers.missing(from) }
            try Namespaces.requireRoom(for: to, in: database)
            try TablePointers.rename(from, to: to, in: database)
            try keepSuccess(of: request, in: database)
            guard !from.isDeadLetters, !to.isDeadLetters,
                try TablePointers.location(of: from.deadLetters, in: database) != nil
            else { return }
            try Namespaces.requireRoom(for: to.deadLetters, in: database)
            try TablePointers.rename(from.deadLetters, to: to.deadLetters, in: database)
        }
        for id in [from, to] {
            forgetCommitter(of: id)
            if !id.isDeadLetters { forgetCommitter(of: id.deadLetters) }
        }
    }

    /// Throws `.unsupported` (`attached_table`) for a table that another catalog keeps.
    func requireOwn(_ id: TableIdentifier, _ instead: String) throws {
        guard try core.database.read({ try TablePointers.pointer(of: id, in: $0) })?.isAttached == true else { return }
        throw Attachment.refused(id, instead)
    }

    func plainLocation(_ id: TableIdentifier) -> String {
        ObjectLocation.file(([directory] + id.namespace + [id.name]).joined(separator: "/"))
    }

    static func suffixed(_ location: String, _ uuid: UUID) -> String { location + "-" + uuid.description.prefix(8) }

    /// Two tables never share a folder: the plain one is taken only while it is empty.
    func freeLocation(_ id: TableIdentifier, uuid: UUID) throws -> String {
        var location = plainLocation(id)
        if try !store.list(location).isEmpty { location = Self.suffixed(location, uuid) }
        try NameRules.checkLength(of: location, id)
        return location
    }

    /// Writes the first metadata file and inserts the row.
    private func register(_ id: TableIdentifier, _ commit: PreparedCommit, _ request: KeyedRequest?) throws {
        try publish(commit, of: id) { database in
            try Namespaces.requireRoom(for: id, in: database)
            try TablePointers.insert(id, location: commit.metadataLocation, in: database)
            try keepSuccess(of: request, metadataLocation: commit.metadataLocation, in: database)
        }
    }

    /// Writes the files of a commit outside of the committer, and lets `point` lead the table to them in one catalog
    /// transaction. After a throw other than `.outcomeUnknown` nothing has changed and the files are gone.
    func publish(
        _ commit: PreparedCommit, of id: TableIdentifier, _ point: (Database) throws -> Void
    ) throws {
        try publish(commit.objects, owner: commit.metadata.tableUUID) { database in
            try TablePointers.location(of: id, in: database) == commit.metadataLocation
        } point: { database in
            try point(database)
        }
    }

    /// The same for any files; `isDone` tells an unclear transaction from one that did not happen.
    func publish(
        _ objects: [(location: String, bytes: [UInt8])], owner: UUID, isDone: (Database) throws -> Bool,
        point: (Database) throws -> Void
    ) throws {
        let paths = objects.map(\.location)
        try ledger.record(paths, table: owner)
        do {
            try store.putAll(objects)
            try core.database.write { database in
                try point(database)
                for path in paths { try database.run("DELETE FROM firn_ledger WHERE path = ?", [.text(path)]) }
            }
        } catch let error as FirnError where error.kind == .outcomeUnknown {
            guard try !core.database.settle(isDone) else { return }
            try? ledger.abandon(paths)
            throw error
        } catch {
            try? ledger.abandon(paths)
            throw error
        }
    }
}
