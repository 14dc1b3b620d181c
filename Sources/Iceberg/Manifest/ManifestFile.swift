/// One row of a manifest list. Spec: https://iceberg.apache.org/spec/#manifest-lists
public struct ManifestFile: Hashable, Sendable {
    public enum Content: Int32, Sendable {
        case data = 0
        case deletes = 1
    }

    /// What all partition tuples of a manifest have in one field.
    public struct FieldSummary: Hashable, Sendable {
        public var containsNull: Bool
        /// Nil when unknown.
        public var containsNaN: Bool?
        /// Single-value serialised, not null and not NaN.
        public var lowerBound: [UInt8]?
        public var upperBound: [UInt8]?

        public init(containsNull: Bool, containsNaN: Bool?, lowerBound: [UInt8]?, upperBound: [UInt8]?) {
            self.containsNull = containsNull
            self.containsNaN = containsNaN
            self.lowerBound = lowerBound
            self.upperBound = upperBound
        }
    }

    public var path: String
    /// Length in bytes.
    public var length: Int64
    public var specId: Int
    public var content: Content
    /// The sequence number of the commit that wrote the manifest.
    public var sequenceNumber: Int64
    /// The smallest data sequence number of its live files.
    public var minSequenceNumber: Int64
    public var addedSnapshotId: Int64
    /// Counts are nil where a version 1 list leaves them out.
    public var addedFilesCount: Int?
    public var existingFilesCount: Int?
    public var deletedFilesCount: Int?
    public var addedRowsCount: Int64?
    public var existingRowsCount: Int64?
    public var deletedRowsCount: Int64?
    /// One a partition field in spec order; nil when unpartitioned or unknown.
    public var partitions: [FieldSummary]?
    public var keyMetadata: [UInt8]?
    /// Version 3 only.
    public var firstRowId: Int64?

    public init(
        path: String, length: Int64, specId: Int, content: Content, sequenceNumber: Int64, minSequenceNumber: Int64,
        addedSnapshotId: Int64, addedFilesCount: Int?, existingFilesCount: Int?, deletedFilesCount: Int?,
        addedRowsCount: Int64?, existingRowsCount: Int64?, deletedRowsCount: Int64?, partitions: [FieldSummary]?,
        keyMetadata: [UInt8]? = nil, firstRowId: Int64? = nil
    ) {
        self.path = path
        self.length = length
        self.specId = specId
        self.content = content
        self.sequenceNumber = sequenceNumber
        self.minSequenceNumber = minSequenceNumber
        self.addedSnapshotId = addedSnapshotId
        self.addedFilesCount = addedFilesCount
        self.existingFilesCount = existingFilesCount
        self.deletedFilesCount = deletedFilesCount
        self.addedRowsCount = addedRowsCount
        self.existingRowsCount = existingRowsCount
        self.deletedRowsCount = deletedRowsCount
        self.partitions = partitions
        self.keyMetadata = keyMetadata
        self.firstRowId = firstRowId
    }

    /// False only when the counts say that no live file is left.
    public var mayHaveLiveFiles: Bool {
        guard let added = addedFilesCount, let existing = existingFilesCount else { return true }
        return added + existing > 0
    }

    /// Entries that are live, as far as the counts tell.
    public var liveFilesCount: Int { max(0, addedFilesCount ?? 0) + max(0, existingFilesCount ?? 0) }
}
