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

/// What should happen: some files of one partition become one.
public struct CompactionPlan: Hashable, Sendable {
    public enum Reason: String, Hashable, Sendable {
        /// The output reaches the small-file bound and is left alone from then on.
        case full
        /// The output is still small, at least twice as large as each of its inputs.
        case tier
        /// Asked for, whatever it costs.
        case forced
        /// Many rows of the file are deleted.
        case deletes
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

    public init(
        specId: Int, partition: [Value], files: [CompactionCandidate], reason: Reason,
        strategy: CompactionStrategy = .binPack, outputSpecId: Int? = nil
    ) {
        self.specId = specId
        self.partition = partition
        self.files = files
        self.reason = reason
        self.strategy = strategy
        self.outputSpecId = outputSpecId ?? specId
    }

    public var bytes: Int64 { files.reduce(0) { $0 + $1.fileBytes } }
    public var rows: Int64 { files.reduce(0) { $0 + $1.recordCount } }
    /// A group never passes the target file size.
    public var expectedOutputFiles: Int { 1 }

    /// One line for people: `12 files, 3.4 MiB -> 1 file in ts_day=2026-11-21: at least doubles every input`.
    ///
    /// - Parameter spec: the spec with `specId`; without one, the partition is left out.
    public func explain(spec: PartitionSpec?) -> String {
        let why =
            switch reason {
            case .full: "fills a file"
            case .tier: "at least doubles every input"
            case .forced: "forced"
            case .deletes: "drops deleted rows"
            }
        var place = ""
        if let spec, spec.fields.count == partition.count, !partition.isEmpty { place = " in " + spec.path(partition) }
        let noun = files.count == 1 ? "file" : "files"
        return "\(files.count) \(noun), \(ByteText.format(bytes)) -> \(expectedOutputFiles) file\(place): \(why)"
    }
}
