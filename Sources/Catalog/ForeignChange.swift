// What is checked of a change that somebody else made, before the pointer moves to it.
//
// 1. Once, before any lock is taken: what the updates say by themselves, and the files that new snapshots name.
// 2. On every base: what the change requires, and that the metadata it leads to is sound.
//
// A client is free to write what it likes into its table. It is not free to make a table that nobody can read or write
// any more, to send files outside of the places that tables may have, or to overflow a counter.

import Base
import Columnar
import Iceberg
import SQLiteKit
import Storage

struct ForeignChange {
    let updates: [TableUpdate]
    let requirements: [TableRequirement]
    let core: CatalogCore
    /// A further check on the metadata that the change leads to.
    var check: (TableMetadata) throws -> Void = { _ in }

    /// Counters of a table grow by one or by rows; one that a client puts near the end of its range would stop the next
    /// writer.
    static let counterMax: Int64 = 1 << 62
    /// How far a client's clock may be ahead. A table's times only ever grow, and readers that look for the state of
    /// when they began would find nothing new until the present has caught up.
    static let aheadMsMax: Int64 = 60_000
    /// Every reader and writer of the table reads all of it.
    static let metadataBytesMax = 256 << 20
    /// Ids above belong to metadata columns.
    static let fieldIdMax = 2_147_483_446

    private static let operations = ["append", "replace", "overwrite", "delete"]

    private var snapshots: [Snapshot] {
        updates.compactMap { if case .addSnapshot(let snapshot) = $0 { snapshot } else { nil } }
    }

    // MARK: On a base

    /// The commit on this base; nil when there is nothing to do.
    func prepare(on base: Table, _ context: CommitContext) throws -> PreparedCommit? {
        for requirement in requirements { try requirement.check(base.metadata) }
        guard !updates.isEmpty else { return nil }
        for case .setLocation(let location) in updates where location != base.metadata.location {
            try AllowedFolders(warehouse: core.directory).checkTable(location)
        }
        var commit = try MetadataCommit.prepare(
            applying: updates, to: base.metadata, baseLocation: base.metadataLocation, context: context)
        try checkResult(commit, base: base.metadata)
        commit.snapshot = snapshots.last
        return commit
    }

    /// The first metadata of a table that the change creates.
    func create(_ id: TableIdentifier, uuid: UUID, _ context: CommitContext) throws -> PreparedCommit {
        for requirement in requirements { try requirement.check(nil) }
        var metadata = try TableMetadata(creating: updates, uuid: uuid, nowMs: context.nowMs)
        metadata.properties.merge(PropertyRules.defaults) { given, _ in given }
        try NameRules.checkLength(of: metadata.location, id)
        var commit = try MetadataCommit.prepare(metadata, base: nil, baseLocation: nil, context: context)
        try checkResult(commit, base: nil)
        commit.snapshot = snapshots.last
        return commit
    }

    private func checkResult(_ commit: PreparedCommit, base: TableMetadata?) throws {
        let metadata = commit.metadata
        guard commit.objects.allSatisfy({ $0.bytes.count <= Self.metadataBytesMax }) else {
            throw FirnError(
                .limitExceeded, "metadata_too_large",
                "the table's metadata would be larger than \(Self.metadataBytesMax >> 20) MiB")
        }
        // A parent may go with the same commit.
        let known = Set(((base?.snapshots ?? []) + snapshots).map(\.snapshotId))
        for snapshot in snapshots {
            if let parent = snapshot.parentSnapshotId, !known.contains(parent) {
                throw FirnError(
                    .conflict, "unknown_parent", "snapshot \(snapshot.snapshotId) follows \(parent), which is gone",
                    context: ["snapshot-id": String(snapshot.snapshotId)])
            }
            if let id = snapshot.schemaId, metadata.schema(id: id) == nil {
                throw Self.bad(snapshot, "the table has no schema \(id)")
            }
        }
        guard metadata.lastSequenceNumber < Self.counterMax, metadata.nextRowId ?? 0 < Self.counterMax else {
            throw FirnError(.invalidInput, "bad_snapshot", "a sequence number or row id is out of range")
        }
        try check(metadata)
    }

    // MARK: By itself

    /// - Parameter table: nil for a new table.
    func checkFiles(of table: Table?) throws {
        // First, for a client that is overtaken may have deleted its files, and must hear that it was overtaken.
        if let table { for requirement in requirements { try requirement.check(table.metadata) } }
        var allowed = AllowedFolders(warehouse: core.directory, table: table?.metadata)
        for update in updates {
            switch update {
            case .setProperties(let properties):
                // Reserved names are dropped, not refused: clients send them along.
                let stored = properties.filter { !TableProperties.reserved.contains($0.key) }
                try PropertyRules.check(stored, directory: core.directory)
            case .setSnapshotRef(let name, let reference): try checkReference(name, reference)
            case .addSchema(let schema):
                let ids = schema.allFields.map(\.field.id)
                guard Set(ids).count == ids.count, ids.allSatisfy({ (1...Self.fieldIdMax).contains($0) }) else {
                    throw FirnError(.invalidInput, "bad_schema", "the field ids of a schema must differ and be above 0")
                }
            case .addSpec(let spec):
                guard spec.fields.allSatisfy({ $0.fieldId <= Self.fieldIdMax }) else {
                    throw FirnError(.invalidInput, "bad_partition_spec", "a partition field's id is out of range")
                }
            case .setStatistics(let file), .setPartitionStatistics(let file):
                try allowed.check(file["statistics-path"]?.stringValue ?? "")
            case .setLocation(let location) where table == nil:
                try AllowedFolders(warehouse: core.directory).checkTable(location)
                allowed = AllowedFolders(warehouse: core.directory)
            default: break
            }
        }
        for snapshot in snapshots { try check(snapshot, allowed, table?.metadata) }
    }

    private func checkReference(_ name: String, _ reference: SnapshotReference) throws {
        let ages = [
            reference.maxSnapshotAgeMs, reference.maxReferenceAgeMs, reference.minSnapshotsToKeep.map(Int64.init),
        ]
        guard name.utf8.count <= Limits.nameBytesMax, ages.allSatisfy({ $0 ?? 1 > 0 }) else {
            throw FirnError(
                .invalidInput, "bad_reference",
                "a reference has a name of at most \(Limits.nameBytesMax) bytes, and bounds above 0")
        }
    }

    private func check(_ snapshot: Snapshot, _ allowed: AllowedFolders, _ base: TableMetadata?) throws {
        guard snapshot.snapshotId >= 0 else { throw Self.bad(snapshot, "its id is negative") }
        guard (0...(core.nowMs + Self.aheadMsMax)).contains(snapshot.timestampMs) else {
            throw Self.bad(snapshot, "its time is ahead of this server's clock: set the clocks")
        }
        guard let operation = snapshot.operation, Self.operations.contains(operation) else {
            throw Self.bad(snapshot, "its summary needs an operation: \(Self.operations.joined(separator: ", "))")
        }
        for (key, value) in snapshot.summary where key.hasPrefix("total-") {
            guard let total = Int64(value), total >= 0 else { throw Self.bad(snapshot, "\(key) is \(value)") }
        }
        guard !snapshot.manifestList.isEmpty else { throw Self.bad(snapshot, "it has no manifest list") }
        try allowed.check(snapshot.manifestList)
        let manifests = try Self.reading(snapshot, snapshot.manifestList) {
            try Manifests.list(of: snapshot, store: core.store)
        }
        for manifest in manifests {
            try allowed.check(manifest.path)
            guard manifest.sequenceNumber <= snapshot.sequenceNumber else {
                throw Self.bad(snapshot, "a manifest has a higher sequence number")
            }
            guard manifest.addedSnapshotId == snapshot.snapshotId else { continue }
            guard try Self.reading(snapshot, manifest.path, { try core.store.size(manifest.path) }) != nil else {
                throw Self.bad(snapshot, "its manifest \(manifest.path.lastPathComponent) is missing")
            }
            // A spec that comes with the same change is not known yet.
            if let base, base.spec(id: manifest.specId) != nil { try check(manifest, of: snapshot, allowed, base) }
        }
    }

    /// The files that a new manifest names: one that is not there as it says makes every later scan fail.
    private func check(
        _ manifest: ManifestFile, of snapshot: Snapshot, _ allowed: AllowedFolders, _ base: TableMetadata
    ) throws {
        var live: [(file: DataFile, isNew: Bool)] = []
        try Self.reading(snapshot, manifest.path) {
            try Manifests.forEachEntry(of: manifest, metadata: base, statistics: false, store: core.store) { entry in
                if entry.isLive { live.append((entry.dataFile, entry.status == .added)) }
                return true
            }
        }
        for (file, isNew) in live {
            try allowed.check(file.path)
            guard isNew else { continue }
            guard let bytes = try core.store.size(file.path) else {
                throw Self.bad(snapshot, "its file \(file.path) is missing")
            }
            guard file.fileBytes == bytes else {
                throw Self.bad(snapshot, "its file \(file.path) has \(bytes) bytes, not \(file.fileBytes)")
            }
            guard file.recordCount >= 0 else { throw Self.bad(snapshot, "its file \(file.path) has less than no rows") }
        }
    }

    /// Files that the client should have written: what is wrong with them is wrong with its request.
    private static func reading<Result>(
        _ snapshot: Snapshot, _ path: String, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch let error as FirnError where error.kind != .io {
            throw FirnError(
                .invalidInput, "bad_snapshot",
                "snapshot \(snapshot.snapshotId) cannot be taken: \(path.lastPathComponent): \(error.message)",
                context: ["file": path], cause: error)
        }
    }

    private static func bad(_ snapshot: Snapshot, _ reason: String) -> FirnError {
        FirnError(
            .invalidInput, "bad_snapshot", "snapshot \(snapshot.snapshotId) cannot be taken: \(reason)",
            context: ["snapshot-id": String(snapshot.snapshotId)])
    }
}
