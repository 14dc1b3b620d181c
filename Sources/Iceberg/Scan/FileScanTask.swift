import Columnar

/// One data file to read, and the deletes to apply to it.
public struct FileScanTask: Sendable {
    /// Counts and bounds of columns are only filled for what the plan asked for.
    public let dataFile: DataFile
    /// The data sequence number.
    public let sequenceNumber: Int64
    /// The spec of the file's partition tuple.
    public let spec: PartitionSpec
    /// All delete files that apply to the data file: a deletion vector or position delete files, then equality delete
    /// files. Sequence numbers, partitions and bounds are settled.
    public let deletes: [ManifestEntry]
    /// The columns that the equality deletes compare, from the top down through structs; empty without such deletes.
    public let comparedColumns: [Field]

    public init(
        dataFile: DataFile, sequenceNumber: Int64, spec: PartitionSpec, deletes: [ManifestEntry] = [],
        comparedColumns: [Field] = []
    ) {
        self.dataFile = dataFile
        self.sequenceNumber = sequenceNumber
        self.spec = spec
        self.deletes = deletes
        self.comparedColumns = comparedColumns
    }

    /// Rows of the data file less those that a deletion vector deletes; nil when only reading the deletes can tell.
    public var liveRecordCount: Int64? {
        // A negative number says nothing.
        guard dataFile.recordCount >= 0 else { return nil }
        if deletes.isEmpty { return dataFile.recordCount }
        guard deletes.count == 1, deletes[0].dataFile.isDeletionVector, deletes[0].dataFile.recordCount >= 0 else {
            return nil
        }
        return max(0, dataFile.recordCount - deletes[0].dataFile.recordCount)
    }
}

extension DeleteIndex {
    /// The task of reading a data file under these deletes. Throws `.corrupted` (`bad_delete_file`).
    public func task(_ file: DataFile, sequenceNumber: Int64, spec: PartitionSpec) throws -> FileScanTask {
        let deletes = deletes(for: file, sequenceNumber: sequenceNumber)
        return FileScanTask(
            dataFile: file, sequenceNumber: sequenceNumber, spec: spec, deletes: deletes,
            comparedColumns: try comparedColumns(deletes))
    }
}
