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
            let catalog = CatalogTables(
                warehouse: warehouse,
                table: try TableIdentifier(namespace: reference.namespace, name: reference.name))
            if reference.metadata == .jobs { return try catalog.jobs() }
            if reference.metadata == .schedules { return try catalog.schedules() }
            if reference.metadata == .producers { return try catalog.producers(of: metadata) }
            if reference.metadata == .metrics { return try catalog.metrics(of: metadata) }
            let (snapshot, schema) = try metadata.state(reference.version, table: reference.tableName)
            if let table = reference.metadata {
                return try MetadataTables(metadata: metadata, snapshot: snapshot, store: store).relation(table)
            }
            if let changes = reference.changes {
                return try Self.changes(changes, of: metadata, reference, store, statistics)
            }
            guard let snapshot else {
                return MemoryRelation(
                    schema: schema, hiddenFields: Iceberg.MetadataColumn.allCases.map(\.field), batches: [])
            }
            return IcebergRelation(
                name: reference.tableName, metadata: metadata, snapshot: snapshot, schema: schema, store: store,
                statistics: statistics)
        }
    }

    private static func changes(
        _ range: ChangeRange, of metadata: TableMetadata, _ reference: TableReference, _ store: any ObjectStore,
        _ statistics: QueryStatistics
    ) throws -> any Relation {
        let from = try range.from.flatMap { try metadata.state($0, table: reference.tableName).snapshot }
        let (to, schema) = try metadata.state(range.to, table: reference.tableName)
        guard let to else {
            var schema = schema
            if !range.appendsOnly { schema.fields += ChangesRelation.changeFields }
            return MemoryRelation(schema: schema, batches: [])
        }
        return ChangesRelation(
            metadata: metadata, from: from, to: to, schema: schema, appendsOnly: range.appendsOnly, store: store,
            statistics: statistics)
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
}

extension QueryEngine {
    public convenience init(warehouse: Warehouse) {
        self.init(source: WarehouseSource(warehouse), clock: warehouse.environment.clock)
    }

    /// The tables that a statement names; nil for one that cannot be read.
    public static func tables(in sql: String) -> Set<TableIdentifier>? {
        guard let references = try? StatementRewriter.rewrite(sql).references else { return nil }
        return Set(references.compactMap { try? TableIdentifier(namespace: $0.namespace, name: $0.name) })
    }
}
