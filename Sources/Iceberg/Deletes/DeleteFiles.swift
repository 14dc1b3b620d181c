import Columnar

/// The rules of which delete file applies to which data file.
///
/// - A deletion vector, and a position delete file that names one data file: that file, if its data sequence number is
///   not above the delete's. Another position delete file: all such files of its spec and partition.
/// - An equality delete file: files of a lower data sequence number, of its spec and partition or, when its spec is
///   unpartitioned, of the whole table.
///
/// That a deletion vector makes the position delete files of its data file void is `DeleteIndex`'s matter.
///
/// Spec: https://iceberg.apache.org/spec/#scan-planning
enum DeleteFiles {
    /// The columns of position delete files. Spec: https://iceberg.apache.org/spec/#position-delete-files
    static let pathFieldId = 2_147_483_546
    static let positionFieldId = 2_147_483_545

    static func applies(_ delete: ManifestEntry, to data: ManifestEntry, _ metadata: TableMetadata) -> Bool {
        let deleteNumber = delete.sequenceNumber ?? 0
        let dataNumber = data.sequenceNumber ?? 0
        let samePartition =
            delete.dataFile.specId == data.dataFile.specId
            && PartitionKey(delete.dataFile) == PartitionKey(data.dataFile)
        switch delete.dataFile.content {
        case .data: return false
        case .equalityDeletes:
            return deleteNumber > dataNumber && (isGlobal(delete.dataFile, metadata) || samePartition)
        case .positionDeletes:
            guard deleteNumber >= dataNumber else { return false }
            if let path = delete.dataFile.onlyDataFile { return path == data.dataFile.path }
            return samePartition && delete.dataFile.mayNamePath(data.dataFile.path)
        }
    }

    /// True for equality deletes that apply to every partition.
    static func isGlobal(_ delete: DataFile, _ metadata: TableMetadata) -> Bool {
        metadata.spec(id: delete.specId)?.isUnpartitioned ?? true
    }
}

/// Spec and tuple of a file, comparable: a NaN equals itself.
struct PartitionKey: Hashable {
    let specId: Int
    let tuple: [[UInt8]?]

    init(_ file: DataFile) {
        specId = file.specId
        tuple = file.partition.map(SingleValue.encode)
    }
}

extension DataFile {
    /// True for a bitmap of deleted rows of one data file, in a Puffin file.
    /// Spec: https://iceberg.apache.org/spec/#deletion-vectors
    public var isDeletionVector: Bool { content == .positionDeletes && format == "PUFFIN" }

    /// The one data file that all position deletes of this file are about, if its entry says so: in its own field, or
    /// by bounds of the path column that agree. Bounds of 16 characters may have been cut.
    public var onlyDataFile: String? {
        if let referencedDataFile { return referencedDataFile }
        guard let lower = lowerBounds[DeleteFiles.pathFieldId], lower == upperBounds[DeleteFiles.pathFieldId],
            case let path = String(decoding: lower, as: UTF8.self), path.unicodeScalars.count > 16
        else { return nil }
        return path
    }

    /// False when the bounds of the path column exclude a data file.
    func mayNamePath(_ path: String) -> Bool {
        if let lower = lowerBounds[DeleteFiles.pathFieldId], path.utf8.lexicographicallyPrecedes(lower) { return false }
        // Some writers cut upper bounds without raising them.
        if let upper = upperBounds[DeleteFiles.pathFieldId], upper.lexicographicallyPrecedes(path.utf8),
            !path.utf8.starts(with: upper)
        {
            return false
        }
        return true
    }
}
