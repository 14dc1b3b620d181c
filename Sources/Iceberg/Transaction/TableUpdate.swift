import Base
import Columnar

/// One change of a table's metadata, as the REST catalog protocol names it. A transaction is a list of them.
///
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (TableUpdate)
public enum TableUpdate: Hashable, Sendable {
    case assignUUID(UUID)
    case upgradeFormatVersion(Int)
    /// The id in the schema is not binding: an equal schema keeps its id, a new one gets the next.
    case addSchema(Schema)
    /// `lastAdded` means the schema that an earlier update of the same transaction added.
    case setCurrentSchema(Int)
    case addSpec(PartitionSpec)
    case setDefaultSpec(Int)
    case addSortOrder(SortOrder)
    case setDefaultSortOrder(Int)
    case addSnapshot(Snapshot)
    /// Creates or moves a branch or tag; moving `main` changes the current snapshot.
    case setSnapshotRef(String, SnapshotReference)
    /// Removes snapshots with the branches and tags that name them.
    case removeSnapshots([Int64])
    case removeSnapshotRef(String)
    case setLocation(String)
    case setProperties([String: String])
    case removeProperties([String])
    /// A statistics file object; it replaces that of the same snapshot.
    case setStatistics(JSONValue)
    case removeStatistics(snapshotId: Int64)
    case setPartitionStatistics(JSONValue)
    case removePartitionStatistics(snapshotId: Int64)
    case removePartitionSpecs([Int])
    case removeSchemas([Int])
    /// An encrypted key object (version 3), kept as given.
    case addEncryptionKey(JSONValue)
    case removeEncryptionKey(String)

    /// The id that stands for what this transaction added last.
    public static let lastAdded = -1
}
