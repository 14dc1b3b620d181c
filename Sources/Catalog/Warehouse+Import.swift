import Base
import Columnar
import Iceberg
import Storage

/// How files are added to a table.
public struct ImportOptions: Sendable {
    /// Adds columns that files have and the table lacks, instead of refusing the files.
    public var evolves: Bool
    /// Refuses files that the table holds already.
    public var checksDuplicates: Bool

    public init(evolves: Bool = false, checksDuplicates: Bool = true) {
        self.evolves = evolves
        self.checksDuplicates = checksDuplicates
    }
}

/// What an import did.
public struct ImportReport: Sendable {
    public let files: Int
    public let records: Int64
    public let bytes: Int64
    /// Files without rows, which were left out.
    public let emptyFiles: Int
    /// What the schema gained.
    public let change: SchemaChange
    public let table: Table
    /// Nil when there was nothing to add.
    public let snapshotId: Int64?
}

// Importing what exists: tables and files that somebody else wrote, taken in where they are.
//
// Whose files they are is decided by their place alone (`TableFolders`): what lies in the table's own folders inside
// the warehouse is the table's, and goes when no snapshot reaches it any more. Everything else stays for ever; Firn
// neither records it in the ledger nor deletes it.
extension Warehouse {
    /// Takes a table into the catalog by its current metadata file, of any format version.
    ///
    /// The table may lie outside the warehouse. It is read and written in its own place; what no snapshot reaches any
    /// more is only deleted where the warehouse holds the table's folders.
    ///
    /// Throws `.notFound` for a missing file, `.corrupted` and `.unsupported` for one that is no metadata Firn can
    /// read, `.notFound` (`manifest_list_missing`) when a snapshot's list is gone, `.alreadyExists` (`table_exists`,
    /// `table_registered`, `name_taken_by_namespace`), `.notFound` (`namespace_not_found`).
    ///
    /// - Parameters:
    ///   - confined: refuses tables outside of the warehouse (`bad_location`), for callers without an account here.
    ///   - overwrite: puts the table in the place of the one that has the name, which leaves the catalog; its files
    ///     stay.
    ///   - request: keeps its answer in the same transaction.
    public func registerTable(
        _ id: TableIdentifier, metadata path: String, confined: Bool = false, overwrite: Bool = false,
        request: KeyedRequest? = nil
    ) throws -> Table {
        let location = try ObjectLocation.normalized(path)
        try requireOwn(id, "detach it first")
        let allowed = AllowedFolders(warehouse: directory)
        if confined { try allowed.check(location) }
        let metadata = try core.loadMetadata(location)
        if confined {
            try allowed.checkTable(metadata.location)
            for folder in [metadata.dataFolder, metadata.metadataFolder] { try allowed.check(folder + "/x") }
            for snapshot in metadata.snapshots { try allowed.check(snapshot.manifestList) }
        }
        for snapshot in metadata.snapshots where !snapshot.manifestList.isEmpty {
            guard try store.size(snapshot.manifestList) != nil else {
                throw FirnError(
                    .notFound, "manifest_list_missing",
                    "the manifest list of snapshot \(snapshot.snapshotId) is missing: is this a current metadata file?",
                    context: ["file": snapshot.manifestList])
            }
        }
        _ = try ObjectLocation.path(metadata.location)
        // Two names of one table would each delete what only the other one needs.
        if let known = try findTable(metadata.tableUUID), !overwrite || known.identifier != id {
            throw FirnError(
                .alreadyExists, "table_registered", "this table is in the catalog already, as \(known.identifier)",
                context: ["table": known.identifier.description])
        }
        try core.database.write { database in
            try Namespaces.requireRoom(for: id, in: database)
            if overwrite, let old = try TablePointers.location(of: id, in: database) {
                _ = try TablePointers.swap(id, from: old, to: location, in: database)
            } else {
                try TablePointers.insert(id, location: location, in: database)
            }
            try keepSuccess(of: request, metadataLocation: location, in: database)
        }
        if overwrite { forgetCommitter(of: id) }
        return Table(identifier: id, metadataLocation: location, metadata: metadata)
    }

    /// Adds existing Parquet files to a table where they are, all in one snapshot or none.
    ///
    /// - Parameters:
    ///   - paths: absolute; a file that is named twice is added once.
    ///   - progress: called with the files looked at and their number.
    ///
    /// Throws as `FileImporter.examine`; `.alreadyExists` (`file_referenced`) for files that the table holds;
    /// `.invalidInput`: `unknown_column` for columns that the table lacks, `file_of_other_table`, `file_in_ledger` for
    /// files that something else will delete; what `evolve` and a commit throw.
    public func addFiles(
        _ id: TableIdentifier, paths: [String], options: ImportOptions = ImportOptions(),
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> ImportReport {
        let committer = try committer(for: id)
        let locations = try unique(paths)
        let table = try committer.table()
        try refuseForeign(locations, for: table)
        if options.checksDuplicates { try refuseReferenced(locations, in: table.metadata) }
        let plan = try plan(locations, on: table.metadata, options, progress)
        guard !plan.files.isEmpty else {
            return ImportReport(
                files: 0, records: 0, bytes: 0, emptyFiles: plan.emptyFiles, change: SchemaChange(), table: table,
                snapshotId: nil)
        }
        let wanted = plan.metadata
        let prepared = try committer.update { base in
            var changed = try base.evolved(by: plan.change, partially: false)
            if plan.usesNameMapping, changed.properties[NameMapping.property] == nil {
                changed.properties[NameMapping.property] = NameMapping(changed.currentSchema).json.text
            }
            return changed
        }.table.metadata
        var files = plan.files
        if prepared.currentSchema.fields != wanted.currentSchema.fields || prepared.defaultSpec != wanted.defaultSpec {
            // Somebody else changed the table meanwhile: the same columns may have other ids.
            files = try self.plan(locations, on: prepared, ImportOptions(evolves: false), progress).files
        }
        let paths = Set(locations)
        let result = try committer.commit { base, context in
            if options.checksDuplicates { try self.refuseReferenced(locations, in: base.metadata, among: paths) }
            var context = context
            context.summary = SnapshotSummary.carried(from: base.metadata, version: FirnVersion.current)
            return try SnapshotProducer.append(
                base: base.metadata, baseLocation: base.metadataLocation, files: files, context: context,
                store: self.store)
        }
        return ImportReport(
            files: files.count, records: files.reduce(0) { $0 + $1.recordCount },
            bytes: files.reduce(0) { $0 + $1.fileBytes }, emptyFiles: plan.emptyFiles, change: plan.change,
            table: result.table, snapshotId: result.snapshotId)
    }

    private struct ImportPlan {
        var files: [DataFile] = []
        var emptyFiles = 0
        var change = SchemaChange()
        var usesNameMapping = false
        /// The table as it is once the change is made.
        var metadata: TableMetadata
    }

    private func plan(
        _ locations: [String], on metadata: TableMetadata, _ options: ImportOptions, _ progress: (Int, Int) -> Void
    ) throws -> ImportPlan {
        var plan = ImportPlan(metadata: metadata)
        var importer = try FileImporter(metadata)
        for (index, location) in locations.enumerated() {
            progress(index, locations.count)
            var outcome = try importer.examine(location, store: store)
            if case .lacking(let operations) = outcome {
                guard options.evolves else { throw Self.unknownColumns(operations, location) }
                plan.change = plan.change.merging(SchemaChange(operations))
                plan.metadata = try metadata.evolved(by: plan.change, partially: false)
                importer = try FileImporter(plan.metadata)
                outcome = try importer.examine(location, store: store)
            }
            switch outcome {
            case .file(let file, let usesNameMapping):
                plan.files.append(file)
                plan.usesNameMapping = plan.usesNameMapping || usesNameMapping
            case .empty: plan.emptyFiles += 1
            // The file's ids are not the ones that the table gave.
            case .lacking(let operations): throw Self.unknownColumns(operations, location)
            }
        }
        progress(locations.count, locations.count)
        return plan
    }

    private static func unknownColumns(_ operations: [SchemaChange.Operation], _ location: String) -> FirnError {
        let names = operations.compactMap { operation -> String? in
            guard case .addColumn(let parent, let field, _) = operation else { return nil }
            return "\"\(parent.appending(field.name))\" \(field.type)"
        }
        return FirnError(
            .invalidInput, "unknown_column",
            "the file has columns that the table lacks: \(names.joined(separator: ", "))", context: ["file": location])
    }

    private func unique(_ paths: [String]) throws -> [String] {
        var seen: Set<String> = []
        return try paths.map(ObjectLocation.normalized).filter { seen.insert($0).inserted }
    }

    private func refuseReferenced(
        _ locations: [String], in metadata: TableMetadata, among paths: Set<String>? = nil
    ) throws {
        guard let snapshot = metadata.currentSnapshot else { return }
        let paths = paths ?? Set(locations)
        for manifest in try Manifests.list(of: snapshot, store: store)
        where manifest.content == .data && manifest.mayHaveLiveFiles {
            try Manifests.forEachEntry(of: manifest, metadata: metadata, statistics: false, store: store) { entry in
                let path = entry.dataFile.path
                guard entry.isLive, paths.contains((try? ObjectLocation.normalized(path)) ?? path) else { return true }
                throw FirnError(
                    .alreadyExists, "file_referenced", "the table holds this file already", context: ["file": path])
            }
        }
    }

    /// Files of other tables, and files on their way out, would be deleted beneath this one.
    private func refuseForeign(_ locations: [String], for table: Table) throws {
        let inside = locations.filter { ObjectLocation.isBelow($0, folder: directory) }
        guard !inside.isEmpty else { return }
        for other in try listTables() where other != table.identifier {
            guard let metadata = try? loadTable(other).metadata else { continue }
            let folders = TableFolders(metadata, warehouse: directory)
            guard let file = inside.first(where: folders.owns) else { continue }
            throw FirnError(
                .invalidInput, "file_of_other_table",
                "the file lies in a folder of \(other), which may delete it: copy it elsewhere first",
                context: ["file": file])
        }
        for file in inside {
            guard try ledger.contains(file) else { continue }
            throw FirnError(
                .invalidInput, "file_in_ledger", "the file is being written or deleted", context: ["file": file])
        }
    }
}
