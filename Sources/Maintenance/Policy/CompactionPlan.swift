import Columnar
import Iceberg

/// How the rows of a group are laid out anew.
public enum CompactionStrategy: Hashable, Sendable {
    /// One file's rows after the other's.
    case binPack
    /// The rows of all files in one order.
    case sort(SortOrder)
    /// Along the Z curve through these columns, so that files and pages are narrow in each of them.
    case zOrder(fieldIds: [Int])
}

/// What should happen: some files of one partition become one, or a few.
public struct CompactionPlan: Hashable, Sendable {
    public enum Reason: String, Hashable, Sendable {
        /// The output is close to the target or above, and left alone from then on.
        case full
        /// The partition has many files, and this takes the fewest bytes for each doubling.
        case tier
        /// No new files have come for a while.
        case cold
        /// Asked for, whatever it costs.
        case forced
        /// Many rows of the file are deleted.
        case deletes
        /// The table's partition spec or sort order is another by now.
        case evolution
    }

    public let specId: Int
    /// In the order of the spec's fields.
    public let partition: [Value]
    /// In commit order, so that rows written one after the other stay neighbours.
    public let files: [CompactionCandidate]
    public let reason: Reason
    public let strategy: CompactionStrategy
    /// The spec of the output: that of the inputs or, after the table's spec has evolved, the current one. Then the
    /// output may lie in several partitions.
    public let outputSpecId: Int
    /// Files that the rows are cut into, in each partition of the output: one, unless a wide sort asks for more.
    public let expectedOutputFiles: Int
    /// The bound on the files of the partition demands it, so it does not step back for ingest.
    public let isDue: Bool

    public init(
        specId: Int, partition: [Value], files: [CompactionCandidate], reason: Reason,
        strategy: CompactionStrategy = .binPack, outputSpecId: Int? = nil, targetBytes: Int64? = nil,
        isDue: Bool = false
    ) {
        self.specId = specId
        self.partition = partition
        self.files = files
        self.reason = reason
        self.strategy = strategy
        self.outputSpecId = outputSpecId ?? specId
        self.isDue = isDue
        let bytes = files.reduce(0) { $0 + $1.fileBytes }
        guard let target = targetBytes, strategy != .binPack, bytes / 2 > target else {
            expectedOutputFiles = 1
            return
        }
        expectedOutputFiles = Int((bytes + target - 1) / target)
    }

    public var place: CompactionPlace { CompactionPlace(specId: specId, partition: partition) }
    public var bytes: Int64 { files.reduce(0) { $0 + $1.fileBytes } }
    public var rows: Int64 { files.reduce(0) { $0 + $1.recordCount } }
    /// As far as entries tell.
    public var deletedRows: Int64 { files.reduce(0) { $0 + min($1.deletedRecords, $1.recordCount) } }

    /// One line for people: `12 files, 3.4 MiB -> 1 file in ts_day=2026-11-21: joins small files`.
    ///
    /// - Parameter spec: the spec with `specId`; without one, the partition is left out.
    public func explain(spec: PartitionSpec?) -> String {
        let why =
            switch reason {
            case .full: "fills a file"
            case .tier: "joins small files"
            case .cold: "no new files for a while"
            case .forced: "forced"
            case .deletes: "drops deleted rows"
            case .evolution: "follows the table's layout"
            }
        var place = ""
        if let spec, spec.fields.count == partition.count, !partition.isEmpty { place = " in " + spec.path(partition) }
        func files(_ count: Int) -> String { count == 1 ? "1 file" : "\(count) files" }
        let order =
            switch strategy {
            case .binPack: ""
            case .sort: ", sorted"
            case .zOrder: ", in z-order"
            }
        return "\(files(self.files.count)), \(ByteText.format(bytes)) -> \(files(expectedOutputFiles))"
            + "\(place): \(why)\(order)"
    }
}

extension CompactionPlan: Comparable {
    /// By spec, and by the age of the oldest file.
    public static func < (a: CompactionPlan, b: CompactionPlan) -> Bool {
        guard let first = a.files.first, let second = b.files.first else { return a.files.count < b.files.count }
        return (a.specId, first.sequenceNumber, first.path) < (b.specId, second.sequenceNumber, second.path)
    }
}
