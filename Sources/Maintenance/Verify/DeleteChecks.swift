import Base
import Columnar
import Iceberg

/// Deletes of one snapshot against its data files: those that apply to nothing, and vectors that contradict.
///
/// All data files are added first. Memory grows with partitions, not with files: files are found in the index.
/// Spec: https://iceberg.apache.org/spec/#scan-planning
struct DeleteChecks {
    private let metadata: TableMetadata
    /// The smallest data sequence number of a live data file, by partition and over all.
    private var oldest: [FileKey: Int64] = [:]
    private var oldestOfAll: Int64?
    /// Data files that have a deletion vector.
    private var vectors: Set<FileKey> = []

    /// The column of position delete files that names the data file.
    private static let pathFieldId = 2_147_483_546

    init(_ metadata: TableMetadata) { self.metadata = metadata }

    mutating func add(data entry: ManifestEntry) {
        let number = entry.sequenceNumber ?? 0
        let key = FileKey(specId: entry.dataFile.specId, partition: entry.dataFile.partition)
        oldest[key] = min(number, oldest[key] ?? number)
        oldestOfAll = min(number, oldestOfAll ?? number)
    }

    /// - Parameter isLive: whether a data file of this path is live in the snapshot.
    mutating func check(delete entry: ManifestEntry, isLive: (FileKey) -> Bool) -> [Finding] {
        let file = entry.dataFile
        let number = entry.sequenceNumber ?? 0
        switch file.content {
        case .data: return []
        case .equalityDeletes:
            let isGlobal = metadata.spec(id: file.specId)?.isUnpartitioned ?? true
            let before = isGlobal ? oldestOfAll : oldest[FileKey(specId: file.specId, partition: file.partition)]
            guard before.map({ $0 >= number }) ?? true else { return [] }
            return [
                Finding(
                    .danglingEqualityDelete, file.path,
                    found: "deletes of sequence number \(number), data from \(before.map(String.init) ?? "none")",
                    expected: "data files with a smaller sequence number")
            ]
        case .positionDeletes: return checkPositions(file, number, isLive)
        }
    }

    private mutating func checkPositions(
        _ file: DataFile, _ number: Int64, _ isLive: (FileKey) -> Bool
    ) -> [Finding] {
        let isVector = file.format == "PUFFIN"
        let code: FindingCode = isVector ? .danglingDeletionVector : .danglingPositionDelete
        if let target = target(of: file) {
            let key = FileKey(path: target)
            if isVector, !vectors.insert(key).inserted {
                return [
                    Finding(
                        .deletionVectorsConflict, file.path, found: "another deletion vector of \(target)",
                        expected: "one a data file")
                ]
            }
            guard !isLive(key) else { return [] }
            return [Finding(code, file.path, found: "deletes of \(target)", expected: "a live data file")]
        }
        // A vector without its data file has a finding of its own.
        guard !isVector else { return [] }
        let before = oldest[FileKey(specId: file.specId, partition: file.partition)]
        guard before.map({ $0 > number }) ?? true else { return [] }
        return [
            Finding(
                code, file.path, found: "no data file in its partition that is as old", expected: "live data files")
        ]
    }

    /// The one data file that a delete file is about.
    private func target(of file: DataFile) -> String? {
        if let path = file.referencedDataFile { return path }
        guard let lower = file.lowerBounds[Self.pathFieldId], lower == file.upperBounds[Self.pathFieldId] else {
            return nil
        }
        return String(validating: lower, as: UTF8.self)
    }
}
