import Base
import Iceberg

/// A table at one state: its name, its current metadata file and what that file says.
public struct Table: Sendable {
    public let identifier: TableIdentifier
    public let metadataLocation: String
    public let metadata: TableMetadata
    /// Whether another catalog keeps it (`Warehouse.attach`).
    public let isAttached: Bool

    public init(
        identifier: TableIdentifier, metadataLocation: String, metadata: TableMetadata, isAttached: Bool = false
    ) {
        self.identifier = identifier
        self.metadataLocation = metadataLocation
        self.metadata = metadata
        self.isAttached = isAttached
    }
}

/// A commit that happened.
public struct CommitResult: Sendable {
    /// The snapshot it made; nil when only marks or metadata changed.
    public let snapshotId: Int64?
    /// The table as this commit left it.
    public let table: Table
    /// Attempts it took; more than one after conflicts with other writers.
    public let attempts: Int
    /// Where the last attempt's time went.
    public let times: CommitTimes
}

/// The parts of a commit's time, in nanoseconds.
public struct CommitTimes: Sendable {
    /// Preparing and writing manifests, manifest list and metadata file.
    public var metadataNanos: Int64 = 0
    /// The catalog's transaction.
    public var catalogNanos: Int64 = 0

    public init() {}
}
