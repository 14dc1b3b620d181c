import Columnar

/// A file of rows or of deletes, as a manifest describes it.
///
/// Spec: https://iceberg.apache.org/spec/#data-file-fields
public struct DataFile: Hashable, Sendable {
    public enum Content: Int32, Sendable {
        case data = 0
        /// Position delete files, and deletion vectors.
        case positionDeletes = 1
        case equalityDeletes = 2
    }

    public var content: Content
    /// Absolute location.
    public var path: String
    /// Upper case: `PARQUET`, `AVRO`, `ORC`, `PUFFIN`.
    public var format: String
    /// One value a field of the spec, in spec order.
    public var partition: [Value]
    public var specId: Int
    public var recordCount: Int64
    public var fileBytes: Int64
    /// Compressed bytes by leaf field id.
    public var columnSizes: [Int: Int64]
    /// Values by field id, nulls and NaNs included.
    public var valueCounts: [Int: Int64]
    public var nullValueCounts: [Int: Int64]
    public var nanValueCounts: [Int: Int64]
    /// Single-value serialised lower bounds by field id; maybe truncated.
    public var lowerBounds: [Int: [UInt8]]
    public var upperBounds: [Int: [UInt8]]
    public var keyMetadata: [UInt8]?
    /// Ascending offsets where a reader may split the file.
    public var splitOffsets: [Int64]?
    /// Equality deletes only: the ids of the compared columns.
    public var equalityIds: [Int]?
    public var sortOrderId: Int?
    /// Version 3 only.
    public var firstRowId: Int64?
    /// The one data file that a delete file applies to.
    public var referencedDataFile: String?
    /// Deletion vectors only.
    public var contentOffset: Int64?
    public var contentBytes: Int64?

    public init(
        content: Content = .data, path: String, format: String = "PARQUET", partition: [Value] = [], specId: Int = 0,
        recordCount: Int64, fileBytes: Int64, columnSizes: [Int: Int64] = [:], valueCounts: [Int: Int64] = [:],
        nullValueCounts: [Int: Int64] = [:], nanValueCounts: [Int: Int64] = [:], lowerBounds: [Int: [UInt8]] = [:],
        upperBounds: [Int: [UInt8]] = [:], splitOffsets: [Int64]? = nil, sortOrderId: Int? = nil
    ) {
        self.content = content
        self.path = path
        self.format = format
        self.partition = partition
        self.specId = specId
        self.recordCount = recordCount
        self.fileBytes = fileBytes
        self.columnSizes = columnSizes
        self.valueCounts = valueCounts
        self.nullValueCounts = nullValueCounts
        self.nanValueCounts = nanValueCounts
        self.lowerBounds = lowerBounds
        self.upperBounds = upperBounds
        self.splitOffsets = splitOffsets
        self.sortOrderId = sortOrderId
    }
}

extension DataFile {
    /// Tells delete files apart: several deletion vectors may share one file.
    public var deleteKey: DeleteFileKey { DeleteFileKey(path: path, offset: contentOffset) }
}

/// Names a delete file or deletion vector of a snapshot.
public struct DeleteFileKey: Hashable, Sendable {
    let path: String
    let offset: Int64?
}

/// One row of a manifest. Spec: https://iceberg.apache.org/spec/#manifest-entry-fields
public struct ManifestEntry: Hashable, Sendable {
    public enum Status: Int32, Sendable {
        case existing = 0
        case added = 1
        case deleted = 2
    }

    public var status: Status
    /// The snapshot that added the file, or deleted it when `status` is `deleted`. Filled from the manifest list when
    /// the manifest leaves it out.
    public var snapshotId: Int64?
    /// The data sequence number; nil only before a commit gives it one.
    public var sequenceNumber: Int64?
    /// The sequence number of the commit that added the file.
    public var fileSequenceNumber: Int64?
    public var dataFile: DataFile

    public init(
        status: Status, snapshotId: Int64?, sequenceNumber: Int64?, fileSequenceNumber: Int64?, dataFile: DataFile
    ) {
        self.status = status
        self.snapshotId = snapshotId
        self.sequenceNumber = sequenceNumber
        self.fileSequenceNumber = fileSequenceNumber
        self.dataFile = dataFile
    }

    public var isLive: Bool { status != .deleted }
}
