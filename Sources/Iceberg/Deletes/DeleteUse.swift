import Base
import Columnar
import Storage

/// Finds delete files that apply to no data file.
///
/// 1. Delete files are added, with the data files that they name where that is known.
/// 2. Every live data file is shown once. A named one is remembered by its sequence number; of the others only the
///    smallest sequence number of each partition that some delete file is about.
/// 3. What then applies to nothing is unused: its data files are gone or came after it.
///
/// Memory grows with the delete files and their partitions, however many data files there are. The rules err on the
/// side of use: a delete file that might apply is used.
///
/// Spec: https://iceberg.apache.org/spec/#scan-planning
public struct DeleteUse: Sendable {
    /// A delete file and the data files that it is about; nil where it does not say.
    public struct Candidate: Sendable {
        public let entry: ManifestEntry
        public var targets: [String]?

        public init(_ entry: ManifestEntry, targets: [String]? = nil) {
            self.entry = entry
            self.targets = targets ?? entry.dataFile.onlyDataFile.map { [$0] }
        }
    }

    /// The column of position delete files whose bounds may say which data file they are about.
    public static let pathFieldId = DeleteFiles.pathFieldId

    private let metadata: TableMetadata
    private var candidates: [Candidate] = []
    /// The smallest sequence number of the data files with a name that some delete file names; nil while unseen.
    private var named: [String: Int64?] = [:]
    private var oldest: [PartitionKey: Int64?] = [:]
    private var oldestOfAll: Int64?

    public init(metadata: TableMetadata) { self.metadata = metadata }

    public var count: Int { candidates.count }

    public mutating func add(_ candidate: Candidate) {
        let file = candidate.entry.dataFile
        if file.content == .positionDeletes, let targets = candidate.targets {
            for path in targets { named.updateValue(nil, forKey: Self.spelled(path)) }
        } else if !isGlobal(file) {
            oldest.updateValue(nil, forKey: PartitionKey(file))
        }
        candidates.append(candidate)
    }

    /// Shows a live data file.
    public mutating func see(_ data: ManifestEntry) {
        let number = data.sequenceNumber ?? 0
        if !named.isEmpty {
            let path = Self.spelled(data.dataFile.path)
            if let known = named[path] { named[path] = min(number, known ?? number) }
        }
        if !oldest.isEmpty {
            let key = PartitionKey(data.dataFile)
            if let known = oldest[key] { oldest[key] = min(number, known ?? number) }
        }
        oldestOfAll = min(number, oldestOfAll ?? number)
    }

    /// The delete files that apply to none of the data files shown.
    public var unused: [Candidate] { candidates.filter { !isUsed($0) } }

    /// Position delete files that may apply to something, but do not say to which data files: what they hold tells.
    public var undecided: [Candidate] {
        candidates.filter { $0.entry.dataFile.content == .positionDeletes && $0.targets == nil && isUsed($0) }
    }

    private func isUsed(_ candidate: Candidate) -> Bool {
        let file = candidate.entry.dataFile
        let number = candidate.entry.sequenceNumber ?? 0
        switch file.content {
        case .data: return true
        case .positionDeletes:
            if let targets = candidate.targets {
                return targets.contains { path in
                    (named[Self.spelled(path)] ?? nil).map { $0 <= number } ?? false
                }
            }
            return (oldest[PartitionKey(file)] ?? nil).map { $0 <= number } ?? false
        case .equalityDeletes:
            let before = isGlobal(file) ? oldestOfAll : oldest[PartitionKey(file)] ?? nil
            return before.map { $0 < number } ?? false
        }
    }

    private func isGlobal(_ file: DataFile) -> Bool {
        file.content == .equalityDeletes && DeleteFiles.isGlobal(file, metadata)
    }

    /// Writers spell one location in several ways.
    private static func spelled(_ path: String) -> String {
        if path.hasPrefix("file:///"), !path.dropFirst(8).contains("//") { return path }
        return (try? ObjectLocation.normalized(path)) ?? path
    }

    /// The data files that a position delete file names, from its rows; nil when they take more than `bytesMax`.
    public static func targets(
        of file: DataFile, bytesMax: Int, store: any ObjectStore
    ) throws -> [String]? {
        try PositionDeleteFile.readAll(file, bytesMax: bytesMax, store: store).map { $0.keys.sorted() }
    }
}
