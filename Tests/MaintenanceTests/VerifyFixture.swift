import Base
import Catalog
import Columnar
import Storage
import Testing

@testable import Iceberg
@testable import Maintenance

/// A healthy table to break: two commits, partitioned, with text, numbers, floats and nulls.
final class VerifyFixture {
    let base: WarehouseFixture
    let table = try! TableIdentifier(parsing: "t.checked")

    static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "day", required: false, type: .date),
        Field(id: 3, name: "name", required: false, type: .string),
        Field(id: 4, name: "score", required: false, type: .double),
        Field(
            id: 5, name: "place", required: false,
            type: .structure(StructType(fields: [Field(id: 6, name: "city", required: false, type: .string)]))),
    ])

    init(partitioned: Bool = false, commits: Int = 2) throws {
        base = try WarehouseFixture()
        let spec = PartitionSpec(
            fields: partitioned ? [PartitionField(sourceId: 2, name: "day", transform: .identity)] : [])
        _ = try base.warehouse.createTable(
            table, schema: Self.schema, spec: spec, properties: ["commit.manifest.min-count-to-merge": "100"])
        for commit in 0..<commits { try append(commit * 100..<commit * 100 + 100) }
    }

    var store: any ObjectStore { base.warehouse.store }

    static func row(_ id: Int) -> [Value] {
        [
            .long(Int64(id)), id % 7 == 0 ? .null : .date(Int32(20_000 + id % 2)),
            id % 5 == 0 ? .null : .string("name \(id % 13), long enough to be cut"),
            id % 11 == 0 ? .double(.nan) : .double(Double(id) / 4),
            id % 3 == 0 ? .null : .structure([id % 4 == 0 ? .null : .string("city \(id % 9)")]),
        ]
    }

    func append(_ ids: Range<Int>) throws {
        base.clock.advance(ms: 10)
        let warehouse = base.warehouse
        let committer = try warehouse.committer(for: table)
        let metadata = try committer.table().metadata
        let name = warehouse.environment.uuid()
        let writer = try DataFileWriter(metadata: metadata, store: warehouse.store) { folder, index in
            let location = metadata.dataFolder + (folder.isEmpty ? "" : "/" + folder) + "/\(name)-\(index).parquet"
            try warehouse.ledger.record([location], table: metadata.tableUUID)
            return location
        }
        let builder = BatchBuilder(metadata.currentSchema)
        for id in ids { for (value, column) in zip(Self.row(id), builder.columns) { column.append(value) } }
        try writer.write(builder.finish())
        _ = try committer.append(try writer.finish(), ingest: nil)
    }

    var metadata: TableMetadata { get throws { try base.warehouse.loadTable(table).metadata } }
    var location: String { get throws { try base.warehouse.metadataLocation(of: table) } }

    func manifests() throws -> [ManifestFile] {
        try Manifests.list(of: try metadata.currentSnapshot!, store: store)
    }

    func entries() throws -> [ManifestEntry] {
        let metadata = try metadata
        return try Manifests.liveEntries(of: metadata.currentSnapshot!, metadata: metadata, store: store)
    }

    // MARK: Looking

    func doctor(_ change: (inout ExaminationOptions) -> Void = { _ in }) -> TableDoctor {
        var doctor = TableDoctor(table: table, warehouse: base.warehouse)
        change(&doctor.options)
        return doctor
    }

    func codes(_ change: (inout ExaminationOptions) -> Void = { _ in }) throws -> Set<FindingCode> {
        Set(try doctor(change).examine().counts.keys)
    }

    // MARK: Breaking

    func overwrite(_ location: String, _ bytes: [UInt8]) throws { try store.put(location, bytes) }

    /// Changes the current metadata file's JSON in place. The table must not be loaded before through this warehouse
    /// when the change is to be seen by it, since metadata files never change.
    func changeMetadata(_ change: (inout [String: JSONValue]) -> Void) throws {
        let location = try location
        let json = try JSONValue(parsing: store.get(location), source: location)
        var members = Dictionary(uniqueKeysWithValues: json.objectValue!.map { ($0.key, $0.value) })
        change(&members)
        let sorted = members.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, $0.value) }
        try overwrite(location, JSONValue.object(sorted).serialize())
    }

    /// Changes a member of every snapshot.
    func changeSnapshots(_ change: @escaping (Int, inout [JSONValue.Member]) -> Void) throws {
        try changeMetadata { members in
            let snapshots = members["snapshots"]!.arrayValue!.enumerated().map { index, snapshot in
                var inner = snapshot.objectValue!
                change(index, &inner)
                return JSONValue.object(inner)
            }
            members["snapshots"] = .array(snapshots)
        }
    }

    /// Writes the current snapshot's manifest list anew.
    func changeList(_ change: (inout [ManifestFile]) -> Void) throws {
        let snapshot = try metadata.currentSnapshot!
        var rows = try manifests()
        change(&rows)
        try overwrite(
            snapshot.manifestList,
            try ManifestList.write(
                rows, snapshotId: snapshot.snapshotId, parentSnapshotId: snapshot.parentSnapshotId,
                sequenceNumber: snapshot.sequenceNumber, sync: UUID(high: 1, low: 2)))
    }

    /// Writes the current snapshot's newest manifest anew, and its row with it: only what `change` does is wrong.
    func changeEntries(
        content: ManifestFile.Content = .data, _ change: (inout [ManifestEntry]) -> Void
    ) throws {
        let metadata = try metadata
        let row = try manifests().first { $0.content == content }!
        var entries = try Manifests.entries(of: row, metadata: metadata, store: store)
        change(&entries)
        let written = try write(entries, at: row.path, like: row, metadata)
        try changeList { rows in rows = rows.map { $0.path == row.path ? written : $0 } }
    }

    /// Adds a manifest with these entries to the current snapshot.
    func addManifest(_ entries: [ManifestEntry], content: ManifestFile.Content, name: String) throws {
        let metadata = try metadata
        let like = try manifests()[0]
        let path = "\(metadata.metadataFolder)/\(name).avro"
        let written = try write(entries, at: path, like: like, metadata, content: content)
        try changeList { $0.append(written) }
        try fixTotals()
    }

    private func write(
        _ entries: [ManifestEntry], at path: String, like row: ManifestFile, _ metadata: TableMetadata,
        content: ManifestFile.Content? = nil
    ) throws -> ManifestFile {
        var writer = ManifestWriter(
            metadata: metadata, spec: metadata.spec(id: row.specId)!, content: content ?? row.content,
            snapshotId: row.addedSnapshotId, sync: UUID(high: 3, low: 4))
        for entry in entries { try writer.append(entry) }
        let (written, bytes) = try writer.finish(path: path, sequenceNumber: row.sequenceNumber)
        try overwrite(path, bytes)
        return written
    }

    /// Makes the summary of the current snapshot agree with its manifests, on disk.
    func fixTotals() throws {
        let current = try metadata.currentSnapshotId!
        var totals = LiveTotals()
        for row in try manifests() {
            for entry in try Manifests.entries(of: row, metadata: try metadata, store: store) where entry.isLive {
                totals.add(entry.dataFile)
            }
        }
        try changeSnapshots { _, members in
            guard JSONValue.object(members)["snapshot-id"]?.intValue == current else { return }
            let summary = JSONValue.object(members)["summary"]!.objectValue!.map {
                JSONValue.Member($0.key, totals.values[$0.key].map { .string(String($0)) } ?? $0.value)
            }
            members.removeAll { $0.key == "summary" }
            members.append(JSONValue.Member("summary", .object(summary)))
        }
    }

    // MARK: Rows

    /// Ids of all rows of the current snapshot, sorted, read afresh.
    func ids() throws -> [Int64] {
        let metadata = try freshMetadata()
        var ids: [Int64] = []
        for task in try ScanPlanner.plan(metadata: metadata, snapshot: metadata.currentSnapshot!, store: store).tasks {
            let reader = try DataFileReader(
                task, schema: metadata.currentSchema, nameMapping: metadata.nameMapping, store: store)
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount {
                    if case .long(let id) = batch.columns[0].value(at: row) { ids.append(id) }
                }
            }
        }
        return ids.sorted()
    }

    /// Past the warehouse's memory of metadata files.
    func freshMetadata() throws -> TableMetadata {
        let location = try location
        return try TableMetadata.parse(try store.get(location), source: location)
    }
}
