import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// The tables of a warehouse, each at the snapshot that a statement asks for.
public struct WarehouseSource: SnapshotSource {
    private let warehouse: Warehouse

    public init(_ warehouse: Warehouse) { self.warehouse = warehouse }

    public func relations(_ references: [TableReference], statistics: QueryStatistics) throws -> [any Relation] {
        let store = CountingStore(warehouse.store, statistics)
        var loaded: [String: TableMetadata] = [:]
        return try references.map { reference in
            let metadata = try loaded[reference.tableName] ?? load(reference)
            loaded[reference.tableName] = metadata
            let (snapshot, schema) = try Self.state(of: metadata, reference)
            if let table = reference.metadata {
                return try MetadataTables(metadata: metadata, snapshot: snapshot, store: store).relation(table)
            }
            guard let snapshot else {
                return MemoryRelation(
                    schema: schema, hiddenFields: MetadataColumn.allCases.map(\.field), batches: [])
            }
            return IcebergRelation(
                metadata: metadata, snapshot: snapshot, schema: schema, store: store, statistics: statistics)
        }
    }

    private func load(_ reference: TableReference) throws -> TableMetadata {
        do {
            let identifier = try TableIdentifier(namespace: reference.namespace, name: reference.name)
            return try warehouse.loadTable(identifier).metadata
        } catch let error as FirnError where error.code == "table_not_found" || error.code == "bad_identifier" {
            let known = try warehouse.listTables().map(\.description)
            let close = NameSuggestion.closest(to: reference.tableName, among: known)
            throw FirnError(
                .notFound, "table_not_found",
                "there is no table '\(reference.tableName)'" + (close.map { "; did you mean '\($0)'?" } ?? ""),
                context: ["table": reference.tableName])
        }
    }

    /// The snapshot and the schema to read it with: a tag or an old snapshot has the columns of its time, a branch
    /// those of the table.
    private static func state(
        of metadata: TableMetadata, _ reference: TableReference
    ) throws(FirnError) -> (Snapshot?, Schema) {
        func missing(_ message: String) -> FirnError {
            FirnError(.notFound, "snapshot_not_found", message, context: ["table": reference.tableName])
        }
        switch reference.version {
        case .current: return (metadata.currentSnapshot, metadata.currentSchema)
        case .snapshot(let id):
            guard let snapshot = metadata.snapshot(id: id) else {
                throw missing("the table has no snapshot \(id); it may have expired")
            }
            return (snapshot, metadata.schema(of: snapshot))
        case .ref(let name):
            if let snapshot = metadata.snapshot(ref: name) {
                let isBranch = metadata.refs[name]?.kind == .branch
                return (snapshot, isBranch ? metadata.currentSchema : metadata.schema(of: snapshot))
            }
            if let id = Int64(name), let snapshot = metadata.snapshot(id: id) {
                return (snapshot, metadata.schema(of: snapshot))
            }
            let close = NameSuggestion.closest(to: name, among: metadata.refs.keys.sorted())
            throw missing("the table has no branch or tag '\(name)'" + (close.map { "; did you mean '\($0)'?" } ?? ""))
        case .timestamp(let ms):
            guard let snapshot = metadata.snapshot(asOfMs: ms) else {
                let (micros, isFar) = ms.multipliedReportingOverflow(by: 1000)
                let time = isFar ? "\(ms) ms" : CivilTime.formatTimestamp(micros: micros, utc: true)
                throw missing("the table had no snapshot at \(time), or it has expired")
            }
            return (snapshot, metadata.schema(of: snapshot))
        }
    }
}

extension QueryEngine {
    public convenience init(warehouse: Warehouse) {
        self.init(source: WarehouseSource(warehouse), clock: warehouse.environment.clock)
    }
}
