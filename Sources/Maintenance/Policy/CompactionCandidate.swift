import Columnar
import Iceberg

/// A live data file as the policy sees it.
public struct CompactionCandidate: Hashable, Sendable {
    public let path: String
    public let specId: Int
    /// In the order of the spec's fields.
    public let partition: [Value]
    public let fileBytes: Int64
    public let recordCount: Int64
    /// Data sequence number.
    public let sequenceNumber: Int64
    /// Version 3 only.
    public let firstRowId: Int64?
    /// Rows deleted by deletion vectors and delete files of this data file alone, as far as entries tell.
    public let deletedRecords: Int64
    /// Any delete file applies.
    public let hasDeletes: Bool

    public init(
        path: String, specId: Int, partition: [Value], fileBytes: Int64, recordCount: Int64, sequenceNumber: Int64,
        firstRowId: Int64? = nil, deletedRecords: Int64 = 0, hasDeletes: Bool = false
    ) {
        self.path = path
        self.specId = specId
        self.partition = partition
        self.fileBytes = fileBytes
        self.recordCount = recordCount
        self.sequenceNumber = sequenceNumber
        self.firstRowId = firstRowId
        self.deletedRecords = deletedRecords
        self.hasDeletes = hasDeletes
    }

    /// The share of rows that is known to be deleted, 1 at most.
    public var deletedShare: Double {
        recordCount > 0 ? min(1, Double(deletedRecords) / Double(recordCount)) : deletedRecords > 0 ? 1 : 0
    }
}

extension CompactionCandidate {
    init(_ file: DataFile, sequenceNumber: Int64, deletes: [ManifestEntry]) {
        self.init(
            path: file.path, specId: file.specId, partition: file.partition, fileBytes: file.fileBytes,
            recordCount: file.recordCount, sequenceNumber: sequenceNumber, firstRowId: file.firstRowId,
            deletedRecords: deletes.reduce(0) {
                $1.dataFile.content == .positionDeletes && $1.dataFile.onlyDataFile != nil
                    ? $0 + max(0, $1.dataFile.recordCount) : $0
            }, hasDeletes: !deletes.isEmpty)
    }

    /// As much of the data file as reading it takes.
    var dataFile: DataFile {
        var file = DataFile(
            path: path, partition: partition, specId: specId, recordCount: recordCount, fileBytes: fileBytes)
        file.firstRowId = firstRowId
        return file
    }
}
