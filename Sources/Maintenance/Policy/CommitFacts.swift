import Iceberg

/// What the snapshots a table still has tell about the files that arrive.
public struct CommitFacts: Hashable, Sendable {
    /// Snapshots looked at for the size of files.
    static let appendsMax = 100

    /// The mean size of files of recent appends; nil without any.
    public var flushBytes: Int64?
    /// Snapshots since the last one that replaced files by others with the same rows.
    public var commitsSinceCompaction = 0
    /// Sequence numbers and times of snapshots, ascending.
    private var sequences: [Int64] = []
    private var times: [Int64] = []

    public init() {}

    public init(_ metadata: TableMetadata) {
        var files: Int64 = 0
        var bytes: Int64 = 0
        var appends = 0
        for snapshot in metadata.snapshots.reversed() where snapshot.operation == "append" {
            guard appends < Self.appendsMax else { break }
            guard let added = snapshot.summary["added-data-files"].flatMap({ Int64($0) }), added > 0,
                let size = snapshot.summary["added-files-size"].flatMap({ Int64($0) }), size > 0
            else { continue }
            appends += 1
            files = files.addingReportingOverflow(added).partialValue
            bytes = bytes.addingReportingOverflow(size).partialValue
        }
        if files > 0, bytes > 0 { flushBytes = bytes / files }
        for snapshot in metadata.snapshots.reversed() {
            guard snapshot.operation != "replace" else { break }
            commitsSinceCompaction += 1
        }
        var last: (sequence: Int64, ms: Int64) = (-1, 0)
        let ordered = metadata.snapshots.sorted { $0.sequenceNumber < $1.sequenceNumber }
        for snapshot in ordered where snapshot.sequenceNumber > last.sequence {
            last = (snapshot.sequenceNumber, max(snapshot.timestampMs, last.ms))
            sequences.append(last.sequence)
            times.append(last.ms)
        }
    }

    /// For tests and simulations: commits numbered one after the other.
    init(flushBytes: Int64?, firstSequence: Int64 = 1, timesMs: [Int64] = []) {
        self.flushBytes = flushBytes
        sequences = timesMs.indices.map { firstSequence + Int64($0) }
        times = timesMs
    }

    /// When the commit with this sequence number was made, or a later time if its snapshot has expired; nil if no
    /// snapshot is left that says.
    public func timeMs(sequence: Int64) -> Int64? {
        var low = 0
        var high = sequences.count
        while low < high {
            let middle = (low + high) / 2
            if sequences[middle] < sequence { low = middle + 1 } else { high = middle }
        }
        return low < times.count ? times[low] : nil
    }
}
