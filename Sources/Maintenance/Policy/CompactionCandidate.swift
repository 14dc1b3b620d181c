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
    /// Delete files that apply.
    public let deleteFiles: Int
    /// Rows of those of them that are not about this data file alone. They may delete rows of any in its place.
    public let sharedDeletedRecords: Int64
    /// The sort order that the file claims; nil and 0 for none.
    public let sortOrderId: Int?

    public init(
        path: String, specId: Int, partition: [Value], fileBytes: Int64, recordCount: Int64, sequenceNumber: Int64,
        firstRowId: Int64? = nil, deletedRecords: Int64 = 0, hasDeletes: Bool = false,
        deleteFiles: Int? = nil, sharedDeletedRecords: Int64 = 0, sortOrderId: Int? = nil
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
        self.deleteFiles = deleteFiles ?? (hasDeletes ? 1 : 0)
        self.sharedDeletedRecords = sharedDeletedRecords
        self.sortOrderId = sortOrderId
    }

    public var place: CompactionPlace { CompactionPlace(specId: specId, partition: partition) }

    /// The share of rows that is known to be deleted, 1 at most.
    public var deletedShare: Double {
        recordCount > 0 ? min(1, Double(deletedRecords) / Double(recordCount)) : deletedRecords > 0 ? 1 : 0
    }

    /// The share of rows that is deleted if shared deletes hit every row of the place alike.
    ///
    /// - Parameter placeRows: the rows of all data files of the place.
    func deletedShare(placeRows: Int64) -> Double {
        guard sharedDeletedRecords > 0 else { return deletedShare }
        return min(1, deletedShare + Double(sharedDeletedRecords) / Double(max(placeRows, 1)))
    }
}

extension CompactionCandidate {
    init(_ file: DataFile, sequenceNumber: Int64, deletes: [ManifestEntry]) {
        var own: Int64 = 0
        var shared: Int64 = 0
        for delete in deletes {
            let rows = max(0, delete.dataFile.recordCount)
            let isOwn = delete.dataFile.content == .positionDeletes && delete.dataFile.onlyDataFile != nil
            if isOwn { own += rows } else { shared += rows }
        }
        self.init(
            path: file.path, specId: file.specId, partition: file.partition, fileBytes: file.fileBytes,
            recordCount: file.recordCount, sequenceNumber: sequenceNumber, firstRowId: file.firstRowId,
            deletedRecords: own, hasDeletes: !deletes.isEmpty, deleteFiles: deletes.count,
            sharedDeletedRecords: shared, sortOrderId: file.sortOrderId)
    }

    /// As much of the data file as reading it takes.
    var dataFile: DataFile {
        var file = DataFile(
            path: path, partition: partition, specId: specId, recordCount: recordCount, fileBytes: fileBytes)
        file.firstRowId = firstRowId
        file.sortOrderId = sortOrderId
        return file
    }
}
