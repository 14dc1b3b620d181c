import Base
import Catalog
import Columnar
import Glibc
import Iceberg
import Storage
import Synchronization

/// A clock that moves when told to.
final class ManualClock: Clock {
    private let micros: Mutex<Int64>

    init(ms: Int64) { micros = Mutex(ms * 1000) }

    func nowMicros() -> Int64 { micros.withLock { $0 } }
    func monotonicNanos() -> Int64 { micros.withLock { $0 * 1000 } }
    func advance(ms: Int64) { micros.withLock { $0 += ms * 1000 } }
}

/// A warehouse in a folder of its own, deleted at the end.
final class WarehouseFixture: Sendable {
    let directory: String
    let warehouse: Warehouse
    let clock: ManualClock
    let table = try! TableIdentifier(parsing: "t.events")

    static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "day", required: false, type: .date),
        Field(id: 3, name: "name", required: false, type: .string),
        Field(
            id: 4, name: "tags", required: false,
            type: .list(ListType(elementId: 5, element: .string, elementRequired: false))),
    ])

    /// - Parameter onDisk: keeps table files on disk too; in memory they cost no syncs.
    init(onDisk: Bool = false) throws {
        var template = Array("/tmp/firn-maintenance-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template))
        // 2026-11-21T12:00:00Z
        clock = ManualClock(ms: 1_795_262_400_000)
        let environment = Environment(clock: clock, random: SystemRandom(), files: PosixFileSystem())
        let store: any ObjectStore = onDisk ? LocalStore(files: environment.files) : MemoryStore()
        warehouse = try Warehouse(directory: directory + "/w", environment: environment, create: true, store: store)
        try warehouse.createNamespace(["t"])
    }

    deinit {
        func remove(_ path: String) {
            let files = PosixFileSystem()
            for entry in (try? files.list(path)) ?? [] {
                let inner = path + "/" + entry.name
                if entry.isDirectory { remove(inner) } else { try? files.remove(inner) }
            }
            try? files.removeEmptyDirectory(path)
        }
        remove(directory)
    }

    /// Tables are compacted from five small files on, unless the properties say otherwise.
    @discardableResult
    func createTable(
        _ id: TableIdentifier? = nil, partitioned: Bool = false, properties: [String: String] = [:]
    ) throws -> Table {
        let spec = PartitionSpec(
            fields: partitioned ? [PartitionField(sourceId: 2, name: "day", transform: .identity)] : [])
        let properties = properties.merging(["firn.compaction.min-input-files": "5"]) { given, _ in given }
        return try warehouse.createTable(id ?? table, schema: Self.schema, spec: spec, properties: properties)
    }

    static func row(_ id: Int) -> [Value] {
        [
            .long(Int64(id)), id % 7 == 0 ? .null : .date(Int32(20_000 + id % 2)),
            id % 5 == 0 ? .null : .string("name \(id % 13)"),
            id % 3 == 0 ? .null : .list((0..<id % 4).map { .string("tag \($0)") }),
        ]
    }

    /// Rows of `schema` above; columns that it does not know are null.
    static func batch(_ rows: [[Value]], schema: Schema) -> RecordBatch {
        let builder = BatchBuilder(schema)
        for row in rows {
            for (field, column) in zip(schema.fields, builder.columns) {
                let index = Self.schema.fields.firstIndex { $0.id == field.id }
                column.append(index.map { row[$0] } ?? .null)
            }
        }
        return builder.finish()
    }

    /// One commit with the rows of these ids.
    @discardableResult
    func append(_ ids: Range<Int>, to id: TableIdentifier? = nil) throws -> Int64 {
        clock.advance(ms: 10)
        let committer = try warehouse.committer(for: id ?? table)
        let metadata = try committer.table().metadata
        let name = warehouse.environment.uuid()
        let writer = try DataFileWriter(metadata: metadata, store: warehouse.store) { [warehouse] folder, index in
            let location = metadata.dataFolder + (folder.isEmpty ? "" : "/" + folder) + "/\(name)-\(index).parquet"
            try warehouse.ledger.record([location], table: metadata.tableUUID)
            return location
        }
        try writer.write(Self.batch(ids.map(Self.row), schema: metadata.currentSchema))
        return try committer.append(try writer.finish(), ingest: nil).snapshotId!
    }

    func metadata(_ id: TableIdentifier? = nil) throws -> TableMetadata {
        try warehouse.loadTable(id ?? table).metadata
    }

    func liveFiles(_ id: TableIdentifier? = nil) throws -> [DataFile] {
        let metadata = try metadata(id)
        return try Manifests.liveEntries(of: metadata.currentSnapshot!, metadata: metadata, store: warehouse.store)
            .map(\.dataFile)
    }

    /// All rows of a snapshot, by id.
    func rows(at snapshotId: Int64? = nil) throws -> [[Value]] {
        let metadata = try metadata()
        let snapshot = (snapshotId.map { metadata.snapshot(id: $0) } ?? metadata.currentSnapshot)!
        var rows: [[Value]] = []
        for task in try ScanPlanner.plan(metadata: metadata, snapshot: snapshot, store: warehouse.store).tasks {
            let reader = try DataFileReader(task, schema: metadata.currentSchema, store: warehouse.store)
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount { rows.append(batch.columns.map { $0.value(at: row) }) }
            }
        }
        return rows.sorted {
            guard case .long(let a) = $0[0], case .long(let b) = $1[0] else { return false }
            return a < b
        }
    }

    var pendingFiles: [String] {
        get throws { try warehouse.ledger.entries(.pending).map(\.path) }
    }
}
