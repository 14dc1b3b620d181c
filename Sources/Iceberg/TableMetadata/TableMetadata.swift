import Base
import Columnar

/// The root of a table: schemas, specs, snapshots and properties, as one immutable JSON file holds them.
///
/// Versions 1, 2 and 3 are read; 2 and 3 are written, and older tables upgraded. What Firn does not interpret
/// (statistics, encryption keys) is carried over as it was read.
///
/// Spec: https://iceberg.apache.org/spec/#table-metadata
public struct TableMetadata: Hashable, Sendable {
    /// 1, 2 or 3.
    public var formatVersion: Int
    public var tableUUID: UUID
    /// Absolute, without a trailing slash.
    public var location: String
    public var lastSequenceNumber: Int64
    public var lastUpdatedMs: Int64
    /// The highest column id ever given; ids are never reused.
    public var lastColumnId: Int
    public var schemas: [Schema]
    public var currentSchemaId: Int
    public var partitionSpecs: [PartitionSpec]
    public var defaultSpecId: Int
    /// The highest partition field id ever given; 999 when there never was one.
    public var lastPartitionId: Int
    public var sortOrders: [SortOrder]
    public var defaultSortOrderId: Int
    public var properties: [String: String]
    public var currentSnapshotId: Int64?
    public var snapshots: [Snapshot]
    public var refs: [String: SnapshotReference]
    /// Heads of `main`, oldest first.
    public var snapshotLog: [SnapshotLogEntry]
    /// Former metadata files, oldest first.
    public var metadataLog: [MetadataLogEntry]
    /// Version 3 only: above every row id given so far, on any branch.
    public var nextRowId: Int64?
    /// Top-level members that Firn does not interpret, kept as read.
    public var preserved: [JSONValue.Member]
    /// Schemas as read, by id, where their JSON says more than `Schema` does.
    var schemaJSON: [Int: JSONValue]
    let history = CompressedHistory()

    public static let mainBranch = "main"

    /// The schema of new data.
    public var currentSchema: Schema { schema(id: currentSchemaId)! }
    /// The spec of new data.
    public var defaultSpec: PartitionSpec { spec(id: defaultSpecId)! }
    public var defaultSortOrder: SortOrder { sortOrders.first { $0.orderId == defaultSortOrderId } ?? .unsorted }
    public var currentSnapshot: Snapshot? { currentSnapshotId.flatMap { snapshot(id: $0) } }

    public func schema(id: Int) -> Schema? { schemas.first { $0.schemaId == id } }
    public func spec(id: Int) -> PartitionSpec? { partitionSpecs.first { $0.specId == id } }
    public func snapshot(id: Int64) -> Snapshot? { snapshots.last { $0.snapshotId == id } }

    /// The snapshot that a branch or tag names.
    public func snapshot(ref: String) -> Snapshot? { refs[ref].flatMap { snapshot(id: $0.snapshotId) } }

    /// The head of `main` at a time; nil before the first snapshot, or when that snapshot has expired.
    public func snapshot(asOfMs time: Int64) -> Snapshot? {
        snapshotLog.last { $0.timestampMs <= time }.flatMap { snapshot(id: $0.snapshotId) }
    }

    /// The schema a snapshot is read with: its own, or the current one when it names none.
    public func schema(of snapshot: Snapshot) -> Schema {
        snapshot.schemaId.flatMap { schema(id: $0) } ?? currentSchema
    }

    /// The type of a column in the current schema, else in the newest schema that knows it.
    public func columnType(id: Int) -> DataType? {
        if let field = currentSchema.field(id: id) { return field.type }
        for schema in schemas.reversed() {
            if let field = schema.field(id: id) { return field.type }
        }
        return nil
    }

    /// The fields of a spec's partition tuple.
    public func partitionFields(of spec: PartitionSpec) -> [Field] { spec.partitionFields(sourceType: columnType) }

    /// True when `ancestor` is `snapshot` or one of its ancestors that are still known.
    public func isAncestor(_ ancestor: Int64, of snapshot: Int64) -> Bool {
        let parents = Dictionary(
            snapshots.map { ($0.snapshotId, $0.parentSnapshotId) }, uniquingKeysWith: { first, _ in first })
        var current: Int64? = snapshot
        var steps = 0
        while let id = current, steps <= snapshots.count {
            if id == ancestor { return true }
            current = parents[id] ?? nil
            steps += 1
        }
        return false
    }
}
