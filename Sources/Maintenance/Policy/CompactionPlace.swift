import Columnar

/// Where files must be to be merged: one partition of one spec.
public struct CompactionPlace: Hashable, Sendable {
    public let specId: Int
    /// In the order of the spec's fields.
    public let partition: [Value]

    public init(specId: Int, partition: [Value]) {
        self.specId = specId
        self.partition = partition
    }
}

/// What the data files of one place, or of a whole table, come to.
public struct PlaceTotals: Hashable, Sendable {
    /// All live data files, also those that cannot be rewritten.
    public var files = 0
    public var bytes: Int64 = 0
    public var rows: Int64 = 0
    /// Those that can be rewritten and are below the target.
    public var smallFiles = 0
    public var smallBytes: Int64 = 0
    /// Those that can be rewritten and have deletes, of any size.
    public var filesWithDeletes = 0
    /// The newest data sequence number ever seen.
    public var newestSequence: Int64 = 0

    public init() {}

    mutating func add(_ file: CompactionCandidate, _ options: CompactionOptions) {
        files += 1
        bytes += file.fileBytes
        rows += file.recordCount
        if file.fileBytes < options.targetBytes {
            smallFiles += 1
            smallBytes += file.fileBytes
        }
        if file.hasDeletes { filesWithDeletes += 1 }
        newestSequence = max(newestSequence, file.sequenceNumber)
    }

    static func += (a: inout PlaceTotals, b: PlaceTotals) {
        a.files += b.files
        a.bytes += b.bytes
        a.rows += b.rows
        a.smallFiles += b.smallFiles
        a.smallBytes += b.smallBytes
        a.filesWithDeletes += b.filesWithDeletes
        a.newestSequence = max(a.newestSequence, b.newestSequence)
    }

    /// Takes files away; the newest sequence number stays.
    static func -= (a: inout PlaceTotals, b: PlaceTotals) {
        a.files -= b.files
        a.bytes -= b.bytes
        a.rows -= b.rows
        a.smallFiles -= b.smallFiles
        a.smallBytes -= b.smallBytes
        a.filesWithDeletes -= b.filesWithDeletes
    }
}
