import Columnar
import Iceberg
import Testing

@testable import Maintenance

/// A table without a disk: files arrive, and the policy's plans are carried out at once.
struct PolicyTable {
    let options: CompactionOptions
    private(set) var files: [String: CompactionCandidate] = [:]
    private(set) var arrivedBytes: Int64 = 0
    private(set) var arrivedFiles = 0
    private(set) var writtenBytes: Int64 = 0
    private(set) var merges = 0
    private(set) var commits = 0
    /// Files and bytes that arrived in files below the target: what the bounds are about.
    private(set) var smallArrived: (bytes: Int64, files: Int64) = (0, 0)
    private var names = 0

    init(_ options: CompactionOptions) { self.options = options }

    mutating func arrive(_ bytes: Int64, in partition: Int) {
        let bytes = max(bytes, 1)
        arrivedBytes += bytes
        arrivedFiles += 1
        if bytes < options.targetBytes {
            smallArrived.bytes += bytes
            smallArrived.files += 1
        }
        add(bytes, partition: [.int(Int32(partition))])
    }

    private mutating func add(_ bytes: Int64, partition: [Value]) {
        names += 1
        files["f\(names)"] = CompactionCandidate(
            path: "f\(names)", specId: 0, partition: partition, fileBytes: bytes, recordCount: bytes,
            sequenceNumber: Int64(names))
    }

    var flushBytes: Int64 { smallArrived.files > 0 ? smallArrived.bytes / smallArrived.files : 1 }

    var state: CompactionState {
        CompactionState(
            Array(files.values), options: options, commits: CommitFacts(flushBytes: arrivedFiles > 0 ? flushBytes : nil)
        )
    }

    var bounds: CompactionBounds { CompactionBounds(targetBytes: options.targetBytes, flushBytes: flushBytes) }

    /// Until the policy wants nothing more; returns the rounds that it took.
    @discardableResult
    mutating func compact(roundsMax: Int = 50) throws -> Int {
        for round in 0..<roundsMax {
            let plans = try CompactionPolicy.plans(state, options: options, nowMs: 0)
            guard !plans.isEmpty else { return round }
            commits += 1
            for plan in plans {
                merges += 1
                writtenBytes += plan.bytes
                for file in plan.files { files[file.path] = nil }
                add(plan.bytes, partition: plan.partition)
            }
        }
        return roundsMax
    }

    /// By how many files the fullest partition passes the bound; negative within it.
    var filesOverBound: Int {
        let bounds = bounds
        return state.places.values.map { $0.files - bounds.filesMax(bytes: $0.bytes) }.max() ?? 0
    }

    var amplification: Double { arrivedBytes > 0 ? Double(writtenBytes) / Double(arrivedBytes) : 0 }
}

/// The two promises of the policy, with files of all kinds of sizes.
@Suite struct CompactionBoundsTests {
    /// How sizes come: the answer is in thousandths of the mean.
    private static let shapes: [(name: String, size: @Sendable (inout SplitMix, Int) -> Int)] = [
        ("equal", { _, _ in 1000 }),
        ("uniform", { random, _ in random.below(2000) + 1 }),
        ("one large among crumbs", { random, _ in random.below(50) == 0 ? 30_000 : 100 }),
        ("powers of two, random", { random, _ in 16 << random.below(12) }),
        ("powers of two, one after the other", { _, step in 16 << (step % 11) }),
        ("steep series", { _, step in [4, 20, 90, 400, 1800, 8200, 37_000][step % 7] }),
        ("steep series, random", { random, _ in [4, 20, 90, 400, 1800, 8200, 37_000][random.below(7)] }),
        ("falling series", { _, step in 20_000 / (1 + step % 200) }),
        ("growing", { _, step in 300 + step }),
        ("two sizes in turns", { _, step in step / 100 % 2 == 0 ? 50 : 3000 }),
    ]

    /// Files per partition and amplification, at every arrival, for a target of 24 to 20,000 mean files.
    @Test(arguments: shapes.indices, [24, 100, 1000, 20_000])
    func boundsHold(_ shape: Int, _ ratio: Int) throws {
        let options = CompactionOptions(targetBytes: Int64(ratio) * 1000)
        var random = SplitMix(state: UInt64(shape * 1000 + ratio))
        var table = PolicyTable(options)
        for step in 0..<700 {
            table.arrive(Int64(Self.shapes[shape].size(&random, step)), in: 0)
            // The mean of few files says little about those to come.
            guard step >= 100 else {
                try table.compact()
                continue
            }
            #expect(table.filesOverBound <= 0, "\(Self.shapes[shape].name), step \(step)")
            #expect(try table.compact() < 20)
            #expect(table.filesOverBound <= -table.bounds.headRoom / 2, "at rest, step \(step)")
        }
        #expect(table.amplification < table.bounds.amplificationMax, "\(Self.shapes[shape].name)")
        #expect(table.writtenBytes > 0)
        #expect(table.files.values.reduce(0) { $0 + $1.fileBytes } == table.arrivedBytes)
    }

    /// Fifty partitions that get a file each second, while a merge takes three seconds from the look to the commit.
    @Test func headRoomIsEnoughForFlushesEverySecond() throws {
        let options = CompactionOptions(targetBytes: 512 << 20)
        var table = PolicyTable(options)
        var random = SplitMix(state: 7)
        var commitsBefore = 0
        for second in 0..<240 {
            for partition in 0..<50 { table.arrive(Int64(15_000 + random.below(10_000)), in: partition) }
            #expect(table.filesOverBound <= 0, "second \(second)")
            guard second % 3 == 0 else { continue }
            try table.compact()
            if second == 60 { commitsBefore = table.commits }
        }
        #expect(table.bounds.tiers == 15 && table.bounds.headRoom == 5)
        #expect(table.amplification < table.bounds.amplificationMax / 2)
        // Most looks bring nothing, and one commit serves many partitions.
        #expect(table.commits - commitsBefore <= 60)
        #expect(table.merges >= 15 * table.commits)
    }

    /// Partitions that get files at random, some a hundred times as often as others, in bursts.
    @Test(arguments: 1...6)
    func burstsAndSkewStayWithinTheBounds(seed: Int) throws {
        let options = CompactionOptions(targetBytes: 4 << 20)
        var table = PolicyTable(options)
        var random = SplitMix(state: UInt64(seed))
        for step in 0..<600 {
            let burst = random.below(20) == 0 ? 8 : 1
            for _ in 0..<burst {
                let partition = min(random.below(100), random.below(100), random.below(100))
                table.arrive(Int64(1 + random.below(8000) * (1 + partition % 7)), in: partition)
            }
            if step > 100 { #expect(table.filesOverBound <= burst - 1, "step \(step)") }
            try table.compact()
        }
        #expect(table.amplification < table.bounds.amplificationMax)
        #expect(table.writtenBytes > 0)
    }

    /// A backlog from before compaction was switched on goes in one pass, without passing the target by much.
    @Test func aBacklogGoesAtOnce() throws {
        let options = CompactionOptions(targetBytes: 1 << 20)
        var table = PolicyTable(options)
        for index in 0..<5000 { table.arrive(Int64(2000 + index % 17), in: index % 3) }
        #expect(try table.compact() <= 3)
        #expect(table.filesOverBound <= 0)
        #expect(table.amplification < 1.5)
        #expect(table.files.values.allSatisfy { $0.fileBytes <= 2 << 20 })
    }

    @Test func boundsAreWhatTheFormulaSays() {
        let bounds = CompactionBounds(targetBytes: 512 << 20, flushBytes: 20_000)
        #expect(bounds.tiers == 15 && bounds.due == 10 && bounds.ready == 8 && bounds.urgent == 12)
        #expect(bounds.filesMax(bytes: 0) == 15 && bounds.filesMax(bytes: (512 << 20) + 1) == 17)
        #expect(bounds.excess(files: 4, bytes: 3 << 29) == 1)
        #expect(abs(bounds.amplificationMax - 14.712) < 0.001)
        let large = CompactionBounds(targetBytes: 100, flushBytes: 5000)
        #expect(large.tiers == 1 && large.due == 1 && large.headRoom == 0 && large.amplificationMax == 0)
        #expect(CompactionBounds(targetBytes: 1 << 40, flushBytes: 0).tiers == 24)
    }

    @Test func choicesCountDoublings() throws {
        func best(
            _ sizes: [Int64], target: Int64 = 1000, least: Double = 1, aim: MergeChoice.Aim = .bits
        ) -> MergeChoice? {
            MergeChoice.best(
                of: sizes, targetBytes: target, bytesMax: 2 * target, filesMin: 2, filesMax: 100, bitsMin: least,
                aim: aim)
        }
        #expect(best([1]) == nil && best([]) == nil && best([1, 2]) == nil)
        #expect(best([5, 5]) == MergeChoice(count: 2, bits: 1))
        #expect(best([1, 1, 1, 1])?.bits == 2)
        // Twice as far past the target as within it: one doubling less.
        let past = try #require(best([500, 500, 500, 500]))
        #expect(past.count == 2 && abs(past.bits - 1) < 1e-9)
        #expect(best([900, 900]) == nil)
        #expect(best([100, 900]) == nil && best([100, 900], least: 0.4, aim: .last)?.count == 2)
    }
}
