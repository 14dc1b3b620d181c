import Base

/// How a table's files are, in one word with the reason and the figures behind it. A pure function of its state.
///
/// The first of these that is true gives the word:
///
/// 1. `empty`: no data files.
/// 2. `failing`: the newest compactions failed.
/// 3. `backlog`: a partition has more files than the bound allows.
/// 4. `deletes`: files wait to be rewritten without deleted rows.
/// 5. `compacting soon`: the policy has plans.
/// 6. `fragmented`: it has none, yet most data lies in partitions too small to fill a tenth of a file each.
/// 7. `healthy`.
///
/// Where compaction is off, 3 to 5 say so in the reason.
public struct TableHealth: Hashable, Sendable {
    public enum Word: String, Hashable, Sendable, CaseIterable {
        case empty
        case failing
        case backlog
        case deletes
        case compactingSoon = "compacting soon"
        case fragmented
        case healthy
    }

    /// Partitions from which on a table can be fragmented.
    static let fragmentedPartitionsMin = 100

    public let word: Word
    public let reason: String
    public let totals: PlaceTotals
    public let bounds: CompactionBounds
    public let partitions: Int
    public let filesMedian: Int
    public let filesMax: Int
    public let partitionBytesMax: Int64
    /// Partitions with more files than the bound.
    public let partitionsOverBound: Int
    /// Files and bytes that plans would read now.
    public let backlogFiles: Int
    public let backlogBytes: Int64
    public let history: CompactionHistory

    public init(
        _ state: CompactionState, options: CompactionOptions, nowMs: Int64, history: CompactionHistory = .init()
    ) {
        let bounds = state.bounds(options)
        let counts = state.places.values.map(\.files).sorted()
        // Plans of the properties cannot fail: what the table lacks counts as absent.
        let plans = (try? CompactionPolicy.plans(state, options: options, nowMs: nowMs)) ?? []
        totals = state.totals
        self.bounds = bounds
        self.history = history
        partitions = counts.count
        filesMedian = counts.isEmpty ? 0 : counts[counts.count / 2]
        filesMax = counts.last ?? 0
        partitionBytesMax = state.places.values.map(\.bytes).max() ?? 0
        let over = state.places.values.filter { $0.files > bounds.filesMax(bytes: $0.bytes) }
        partitionsOverBound = over.count
        backlogFiles = plans.reduce(0) { $0 + $1.files.count }
        backlogBytes = plans.reduce(0) { $0 + $1.bytes }
        (word, reason) = Self.verdict(
            state, options, bounds, plans, over: over.max { $0.files < $1.files }, overCount: over.count, history)
    }

    private static func verdict(
        _ state: CompactionState, _ options: CompactionOptions, _ bounds: CompactionBounds, _ plans: [CompactionPlan],
        over worst: PlaceTotals?, overCount: Int, _ history: CompactionHistory
    ) -> (Word, String) {
        let totals = state.totals
        guard totals.files > 0 else { return (.empty, "no data files") }
        if history.failuresInARow > 0, let error = history.lastError {
            return (.failing, "the last \(many(history.failuresInARow, "compaction")) failed: \(error)")
        }
        let off = options.isEnabled ? "" : "; compaction is off (\(CompactionOptions.enabledProperty))"
        if let worst {
            let bound = bounds.filesMax(bytes: worst.bytes)
            let fullest = "the fullest with \(worst.files) files of \(bound)"
            return (.backlog, "\(many(overCount, "partition")) above the bound, \(fullest)\(off)")
        }
        let dirty = plans.filter { $0.reason == .deletes }
        if !dirty.isEmpty {
            let rows = dirty.reduce(0) { $0 + $1.deletedRows }
            return (.deletes, "\(many(dirty.count, "file")) to rewrite without \(rows) or more deleted rows\(off)")
        }
        if !plans.isEmpty {
            let files = plans.reduce(0) { $0 + $1.files.count }
            let bytes = ByteText.format(plans.reduce(0) { $0 + $1.bytes })
            let places = Set(plans.map(\.place)).count
            return (.compactingSoon, "\(files) files, \(bytes) to merge in \(many(places, "partition"))\(off)")
        }
        let places = state.places.count
        if places >= fragmentedPartitionsMin, totals.bytes / Int64(places) < options.targetBytes / 10 {
            let mean = ByteText.format(totals.bytes / Int64(places))
            return (.fragmented, "\(places) partitions of \(mean) on average: partition by something coarser")
        }
        return (.healthy, "files per partition are within the bound")
    }

    private static func many(_ count: Int, _ noun: String) -> String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }

    /// The share of data files below three quarters of the target; 0 for an empty table.
    public var smallFileRatio: Double { totals.files > 0 ? Double(totals.smallFiles) / Double(totals.files) : 0 }

    /// `healthy: files per partition are within the bound`
    public var text: String { "\(word.rawValue): \(reason)" }

    /// The figures, one line.
    public var details: String {
        func tenths(_ value: Double) -> String {
            let scaled = Int64((value * 10).rounded())
            return "\(scaled / 10).\(scaled % 10)"
        }
        var parts = [
            "\(filesMedian) per partition at the median, \(filesMax) at most",
            "\(Int((smallFileRatio * 100).rounded())) % below the target",
        ]
        if let amplification = history.amplification {
            parts.append(
                "written \(tenths(amplification)) times again (bound \(tenths(bounds.amplificationMax)))")
        }
        return parts.joined(separator: "; ")
    }

    public var json: JSONValue {
        .object([
            .init("status", .string(word.rawValue)), .init("reason", .string(reason)),
            .init("partitions", .integer(Int64(partitions))),
            .init("data-files", .integer(Int64(totals.files))), .init("bytes", .integer(totals.bytes)),
            .init("small-files", .integer(Int64(totals.smallFiles))), .init("small-bytes", .integer(totals.smallBytes)),
            .init("small-file-ratio", .double(smallFileRatio)),
            .init("files-with-deletes", .integer(Int64(totals.filesWithDeletes))),
            .init("files-per-partition-median", .integer(Int64(filesMedian))),
            .init("files-per-partition-max", .integer(Int64(filesMax))),
            .init("partitions-over-bound", .integer(Int64(partitionsOverBound))),
            .init("target-bytes", .integer(bounds.targetBytes)), .init("flush-bytes", .integer(bounds.flushBytes)),
            .init("files-allowed-beyond-full", .integer(Int64(bounds.tiers))),
            .init("write-amplification", history.amplification.map { .double($0) } ?? .null),
            .init("write-amplification-bound", .double(bounds.amplificationMax)),
            .init("backlog-files", .integer(Int64(backlogFiles))), .init("backlog-bytes", .integer(backlogBytes)),
            .init("last-run-ms", history.lastRunMs.map { .integer($0) } ?? .null),
            .init("failures", .integer(Int64(history.failures))),
        ])
    }
}
