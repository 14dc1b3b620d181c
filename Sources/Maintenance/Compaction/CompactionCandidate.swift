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

    public init(
        path: String, specId: Int, partition: [Value], fileBytes: Int64, recordCount: Int64, sequenceNumber: Int64
    ) {
        self.path = path
        self.specId = specId
        self.partition = partition
        self.fileBytes = fileBytes
        self.recordCount = recordCount
        self.sequenceNumber = sequenceNumber
    }
}

extension CompactionCandidate {
    init(_ file: DataFile, sequenceNumber: Int64) {
        self.init(
            path: file.path, specId: file.specId, partition: file.partition, fileBytes: file.fileBytes,
            recordCount: file.recordCount, sequenceNumber: sequenceNumber)
    }
}
