import Columnar
import Iceberg

@testable import Maintenance

/// A table that takes a flush every second of virtual time, without any file or metadata: only the policy is real.
///
/// 1. Partitions are six hours of one of two regions. The first region gets a file each second, the second one every
///    fifth; one second in a hundred also brings a late file for a partition of the last three days.
/// 2. Every ten minutes some rows of a random file of these days are deleted.
/// 3. The policy looks every `lookSeconds` at the partitions that changed, and every ten minutes at all that are not
///    known to be at rest. Its plans are carried out at once, but files have piled up since the look before.
/// 4. At each look, before anything is merged, the files of every partition are held against the bound.
///
/// A partition's fate depends on no other, so that looking at some of them changes nothing but who comes along.
struct FlushSimulation {
    static let lookSeconds = 3
    static let millisecondsAtStart: Int64 = 1_767_225_600_000

    struct Figures {
        var flushes = 0
        var arrivedBytes: Int64 = 0
        var writtenBytes: Int64 = 0
        var merges = 0
        /// Looks with plans: each would be one commit.
        var commits = 0
        var coldBytes: Int64 = 0
        var deleteBytes: Int64 = 0
        /// By how many files any partition ever passed the bound; negative within it.
        var overBoundMax = Int.min
        var liveFiles = 0
        var liveBytes: Int64 = 0
        var partitions = 0
        var openPartitions = 0
        var filesPerPartitionMax = 0

        var amplification: Double { Double(writtenBytes) / Double(max(arrivedBytes, 1)) }
    }

    private struct Partition {
        var files: [CompactionCandidate] = []
        var closedFiles = 0
        var closedBytes: Int64 = 0
        var isAtRest = false
    }

    private(set) var figures = Figures()
    let options: CompactionOptions
    private var random: SplitMix
    private var second = 0
    private var names = 0
    private var partitions: [Int: Partition] = [:]
    private var touched: Set<Int> = []
    /// Ends of the minutes that commits may be asked about.
    private var minutes: [Int64] = []

    init(targetBytes: Int64, seed: UInt64) {
        options = CompactionOptions(targetBytes: targetBytes)
        random = SplitMix(state: seed)
    }

    private var nowMs: Int64 { Self.millisecondsAtStart + Int64(second) * 1000 }
    private var minute: Int { second / 60 }

    mutating func run(days: Int) throws {
        for _ in 0..<days * 86_400 {
            step()
            if second % Self.lookSeconds == 0 {
                let isFull = second % 600 == 0
                try look(isFull ? partitions.keys.filter { !partitions[$0]!.isAtRest } : Array(touched))
                touched = []
            }
            second += 1
        }
        count()
    }

    private mutating func step() {
        let window = second / 21_600
        add(flushBytes, to: window * 2)
        if second % 5 == 0 { add(flushBytes, to: window * 2 + 1) }
        if random.below(100) == 0 { add(flushBytes / 4, to: max(0, window - random.below(12)) * 2 + random.below(2)) }
        if second % 600 == 599 { delete(from: max(0, window - random.below(12)) * 2) }
    }

    private var flushBytes: Int64 {
        mutating get { Int64(10_000 + random.below(20_000)) }
    }

    private mutating func add(_ bytes: Int64, to partition: Int) {
        figures.flushes += 1
        figures.arrivedBytes += bytes
        put(bytes, in: partition, minute: minute)
        partitions[partition]!.isAtRest = false
        touched.insert(partition)
    }

    private mutating func put(_ bytes: Int64, in partition: Int, minute: Int) {
        guard bytes < options.targetBytes else {
            partitions[partition, default: Partition()].closedFiles += 1
            partitions[partition]!.closedBytes += bytes
            return
        }
        names += 1
        partitions[partition, default: Partition()].files.append(
            CompactionCandidate(
                path: "f\(names)", specId: 0, partition: [.int(Int32(partition))], fileBytes: bytes,
                recordCount: bytes / 20, sequenceNumber: Int64(minute)))
    }

    private mutating func delete(from partition: Int) {
        guard let files = partitions[partition]?.files, !files.isEmpty else { return }
        let index = random.below(files.count)
        let old = files[index]
        partitions[partition]!.files[index] = CompactionCandidate(
            path: old.path, specId: old.specId, partition: old.partition, fileBytes: old.fileBytes,
            recordCount: old.recordCount, sequenceNumber: old.sequenceNumber,
            deletedRecords: min(old.recordCount, old.deletedRecords + old.recordCount / Int64(4 + random.below(20))),
            hasDeletes: true)
        partitions[partition]!.isAtRest = false
        touched.insert(partition)
    }

    private var commitFacts: CommitFacts {
        // Commits of the last 90 minutes are known, as with an hour of snapshots; older ones are older.
        let first = max(0, minute - 90)
        return CommitFacts(
            flushBytes: figures.arrivedBytes / Int64(max(figures.flushes, 1)), firstSequence: Int64(first),
            timesMs: (first...max(first, minute)).map { Self.millisecondsAtStart + Int64($0) * 60_000 })
    }

    private mutating func look(_ names: [Int]) throws {
        let state = state(of: names)
        let bounds = state.bounds(options)
        for totals in state.places.values {
            let over = totals.files - bounds.filesMax(bytes: totals.bytes)
            // The first files of a table say little about the mean.
            if figures.flushes > 500 { figures.overBoundMax = max(figures.overBoundMax, over) }
            figures.filesPerPartitionMax = max(figures.filesPerPartitionMax, totals.files)
        }
        let plans = try CompactionPolicy.plans(state, options: options, nowMs: nowMs)
        if !plans.isEmpty { figures.commits += 1 }
        for plan in plans { carryOut(plan) }
        let busy = Set(plans.map(\.place))
        for name in names where !busy.contains(Self.place(name)) {
            // Cold and without plans: nothing happens until something arrives.
            guard let newest = state.places[Self.place(name)]?.newestSequence else { continue }
            if minute - Int(newest) > 61 { partitions[name]!.isAtRest = true }
        }
    }

    private static func place(_ name: Int) -> CompactionPlace {
        CompactionPlace(specId: 0, partition: [.int(Int32(name))])
    }

    /// The closed files count as one candidate's worth of totals, without being candidates.
    private func state(of names: [Int]) -> CompactionState {
        let files = names.flatMap { partitions[$0]!.files }
        var closed: [CompactionPlace: PlaceTotals] = [:]
        for name in names where partitions[name]!.closedFiles > 0 {
            var totals = PlaceTotals()
            totals.files = partitions[name]!.closedFiles
            totals.bytes = partitions[name]!.closedBytes
            totals.rows = totals.bytes / 20
            closed[Self.place(name)] = totals
        }
        return CompactionState(files, others: closed, options: options, commits: commitFacts)
    }

    private mutating func carryOut(_ plan: CompactionPlan) {
        guard case .int(let number) = plan.partition[0] else { return }
        let gone = Set(plan.files.map(\.path))
        partitions[Int(number)]!.files.removeAll { gone.contains($0.path) }
        let bytes = plan.files.reduce(0) { $0 + $1.fileBytes - Int64(Double($1.fileBytes) * $1.deletedShare) }
        figures.merges += 1
        figures.writtenBytes += bytes
        if plan.reason == .cold { figures.coldBytes += bytes }
        if plan.reason == .deletes { figures.deleteBytes += bytes }
        // As old as what it is made of: an output is no sign of new data.
        put(bytes, in: Int(number), minute: Int(plan.files.map(\.sequenceNumber).max() ?? 0))
    }

    private mutating func count() {
        figures.partitions = partitions.count
        for partition in partitions.values {
            figures.liveFiles += partition.files.count + partition.closedFiles
            figures.liveBytes += partition.files.reduce(partition.closedBytes) { $0 + $1.fileBytes }
            if !partition.isAtRest { figures.openPartitions += 1 }
        }
    }
}
