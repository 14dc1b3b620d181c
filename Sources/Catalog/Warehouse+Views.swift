import Base
import Iceberg
import SQLiteKit
import Storage

// Views are pointers to metadata files, as tables are, but have nothing else: no snapshots, no committer, no log of
// former metadata files. The file before the current one stays, for readers that are about to open it; the one before
// that becomes garbage with the commit that makes it the third.
extension Warehouse {
    /// The views directly in a namespace, sorted. Throws `.notFound` (`namespace_not_found`).
    public func listViews(in namespace: [String]) throws -> [TableIdentifier] {
        try core.database.readConsistently { database in
            try Namespaces.require(namespace, in: database)
            return try ViewPointers.list(namespace: namespace, in: database)
        }
    }

    public func viewExists(_ id: TableIdentifier) throws -> Bool { try viewPointer(id) != nil }

    /// The view as it is now. Throws `.notFound` (`view_not_found`).
    public func loadView(_ id: TableIdentifier) throws -> View {
        var last: String?
        while true {
            guard let location = try viewPointer(id)?.location else { throw ViewPointers.missing(id) }
            do {
                let metadata = try ViewMetadata.parse(try store.get(location), source: location)
                return View(identifier: id, metadataLocation: location, metadata: metadata)
            } catch let error as FirnError where error.kind == .notFound {
                // The view moved on, or went, between the two reads; the same location twice means damage.
                guard last != location else { throw CatalogCore.metadataMissing(id, location) }
                last = location
            }
        }
    }

    /// Creates a view in an existing namespace.
    ///
    /// - Parameters:
    ///   - version: its ids are given anew.
    ///   - location: a folder inside the warehouse; nil for `DIR/<namespace levels>/<view>`, with a suffix when files
    ///     of something else are still there.
    ///   - request: keeps its answer in the same transaction.
    ///
    /// Throws `.invalidInput` as `ViewMetadata.create`, and `bad_property`, `bad_location`; `.notFound`
    /// (`namespace_not_found`), `.alreadyExists` (`view_exists`, `table_exists`, `name_taken_by_namespace`),
    /// `.limitExceeded` (`view_too_large`).
    public func createView(
        _ id: TableIdentifier, schema: ViewSchema, version: ViewVersion, location: String? = nil,
        properties: [String: String] = [:], request: KeyedRequest? = nil
    ) throws -> View {
        try PropertyRules.check(properties, directory: directory)
        if let location { try requireFree(location, for: id) }
        try core.database.readConsistently { try Namespaces.requireRoom(for: id, in: $0) }
        let uuid = environment.uuid()
        let metadata = try ViewMetadata.create(
            schema: schema, version: version, location: try location ?? freeLocation(id, uuid: uuid),
            properties: properties, uuid: uuid, nowMs: core.nowMs)
        return try write(metadata, of: id, number: 0) { database, view in
            try Namespaces.requireRoom(for: id, in: database)
            try ViewPointers.insert(id, location: view.metadataLocation, in: database)
            try keepSuccess(of: request, body: view.json.serialize(), in: database)
        }
    }

    /// Commits what a client sends as updates and requirements, all or nothing. When another writer commits first the
    /// requirements are checked, and the updates applied, again on the new state.
    ///
    /// Throws `.notFound` (`view_not_found`), `.conflict` (`requirement_failed`, `commit_conflict`), `.invalidInput` as
    /// `ViewMetadata.applying`, and `bad_property`, `bad_location`; `.limitExceeded` (`view_too_large`),
    /// `.outcomeUnknown`.
    public func commitView(
        _ id: TableIdentifier, updates: [ViewUpdate], requirements: [ViewRequirement] = [],
        request: KeyedRequest? = nil
    ) throws -> View {
        for update in updates {
            switch update {
            case .setProperties(let values): try PropertyRules.check(values, directory: directory)
            case .setLocation(let location): try requireFree(location, for: id)
            default: break
            }
        }
        let started = environment.clock.monotonicNanos()
        var attempt = 1
        while true {
            let base = try loadView(id)
            for requirement in requirements { try requirement.check(base.metadata) }
            let changed = try base.metadata.applying(updates, nowMs: core.nowMs)
            guard changed != base.metadata else {
                try core.database.write { try keepSuccess(of: request, body: base.json.serialize(), in: $0) }
                return base
            }
            let number = (MetadataCommit.version(of: base.metadataLocation) ?? -1) + 1
            do {
                return try write(changed, of: id, number: number) { database, view in
                    let former = try ViewPointers.pointer(of: id, in: database)
                    let (old, new) = (base.metadataLocation, view.metadataLocation)
                    guard try ViewPointers.swap(id, from: old, to: new, in: database) else {
                        throw FirnError(.conflict, "pointer_moved", "the view moved on")
                    }
                    try condemn([former?.previous], of: base.metadata, in: database)
                    try keepSuccess(of: request, body: view.json.serialize(), in: database)
                }
            } catch let error as FirnError where error.code == "pointer_moved" {
                let elapsedMs = Int((environment.clock.monotonicNanos() - started) / 1_000_000)
                let wait = RetryPolicy(TableProperties(changed.properties)).waitMs(
                    afterAttempt: attempt, elapsedMs: elapsedMs, random: environment.random.next())
                guard let wait else {
                    throw FirnError(
                        .conflict, "commit_conflict", "other writers won \(attempt) times in a row",
                        context: ["view": id.description])
                }
                _ = Semaphore().wait(milliseconds: wait)
                attempt += 1
            }
        }
    }

    /// Removes a view and its metadata files, as far as they lie in the view's folder. Throws `.notFound`
    /// (`view_not_found`).
    public func dropView(_ id: TableIdentifier, request: KeyedRequest? = nil) throws {
        while true {
            let view = try loadView(id)
            let files = try core.database.write { database -> [String]? in
                let former = try ViewPointers.pointer(of: id, in: database)
                guard try ViewPointers.delete(id, at: view.metadataLocation, in: database) else { return nil }
                try keepSuccess(of: request, in: database)
                return try condemn([view.metadataLocation, former?.previous], of: view.metadata, in: database)
            }
            guard let files else { continue }
            // What cannot be deleted now is garbage in the ledger.
            _ = try? ledger.collect(files)
            // Another place may be somebody else's, who is about to write there.
            let plain = plainLocation(id)
            if [plain, Self.suffixed(plain, view.metadata.viewUUID)].contains(view.metadata.location) {
                try? store.removeEmptyFolders(view.metadata.location)
            }
            return
        }
    }

    /// Renames a view. Its files stay where they are. Throws `.notFound` (`view_not_found`, `namespace_not_found`),
    /// `.alreadyExists` (`view_exists`, `table_exists`, `name_taken_by_namespace`).
    public func renameView(_ from: TableIdentifier, to: TableIdentifier, request: KeyedRequest? = nil) throws {
        try core.database.write { database in
            guard try ViewPointers.pointer(of: from, in: database) != nil else { throw ViewPointers.missing(from) }
            try Namespaces.requireRoom(for: to, in: database)
            try ViewPointers.rename(from, to: to, in: database)
            try keepSuccess(of: request, in: database)
        }
    }

    /// Takes a view into the catalog by its metadata file, which lies in the warehouse as the view does.
    ///
    /// Throws `.notFound` for a missing file, `.invalidInput` (`bad_view_metadata`) and `.unsupported` for one that is
    /// no view metadata Firn can read, `.invalidInput` (`bad_location`) for one outside and (`file_in_ledger`) for one
    /// that is about to be deleted, `.alreadyExists` (`view_registered` for a file that the catalog points to already,
    /// `view_exists`, `table_exists`, `name_taken_by_namespace`), `.notFound` (`namespace_not_found`).
    public func registerView(
        _ id: TableIdentifier, metadata path: String, request: KeyedRequest? = nil
    ) throws -> View {
        let location = try ObjectLocation.normalized(path)
        let allowed = AllowedFolders(warehouse: directory)
        try allowed.check(location)
        let metadata: ViewMetadata
        do {
            metadata = try ViewMetadata.parse(try store.get(location), source: location)
        } catch let error as FirnError where error.kind == .corrupted {
            // Not damage of the warehouse: somebody named the wrong file.
            throw FirnError(.invalidInput, error.code, error.message, context: error.context)
        }
        try allowed.checkTable(metadata.location)
        try allowed.check(metadata.metadataFolder + "/x")
        let view = View(identifier: id, metadataLocation: location, metadata: metadata)
        try core.database.write { database in
            try Namespaces.requireRoom(for: id, in: database)
            guard try !ViewPointers.isInUse(location, in: database) else {
                throw FirnError(
                    .alreadyExists, "view_registered", "the catalog points to this metadata file already",
                    context: ["file": location])
            }
            guard try database.queryRow("SELECT 1 FROM firn_ledger WHERE path = ?", [.text(location)]) == nil else {
                throw FirnError(
                    .invalidInput, "file_in_ledger", "the file belongs to a view that is changing or was dropped",
                    context: ["file": location])
            }
            try ViewPointers.insert(id, location: location, in: database)
            try keepSuccess(of: request, body: view.json.serialize(), in: database)
        }
        return view
    }

    private func viewPointer(_ id: TableIdentifier) throws -> ViewPointers.Pointer? {
        try core.database.read { try ViewPointers.pointer(of: id, in: $0) }
    }

    /// Writes a metadata file and lets `point` lead the view to it in one catalog transaction.
    private func write(
        _ metadata: ViewMetadata, of id: TableIdentifier, number: Int, _ point: (Database, View) throws -> Void
    ) throws -> View {
        let digits = String(number)
        let padded = String(repeating: "0", count: max(0, 5 - digits.count)) + digits
        let location = "\(metadata.metadataFolder)/\(padded)-\(environment.uuid()).metadata.json"
        guard location.utf8.count <= NameRules.locationBytesMax else {
            throw NameRules.bad(id.name, "the path of its metadata would be longer than the catalog can hold")
        }
        let view = View(identifier: id, metadataLocation: location, metadata: metadata)
        try publish([(location, try metadata.serialize())], owner: metadata.viewUUID) { database in
            try ViewPointers.pointer(of: id, in: database)?.location == location
        } point: { database in
            try point(database, view)
        }
        return view
    }

    /// Marks the files as garbage that lie in the view's own folders, and answers them.
    @discardableResult
    private func condemn(_ files: [String?], of metadata: ViewMetadata, in database: Database) throws -> [String] {
        let folders = TableFolders(metadata, warehouse: directory)
        let files = files.compactMap { $0 }.filter(folders.owns)
        for path in files {
            try database.run(
                """
                INSERT INTO firn_ledger (path, table_uuid, owner, state, created_ms) VALUES (?, ?, NULL, 'garbage', ?)
                ON CONFLICT (path) DO NOTHING
                """, [.text(path), .text(metadata.viewUUID.description), .integer(core.nowMs)])
        }
        return files
    }
}
