import Base
import Columnar
import Iceberg
import Testing

@testable import Maintenance

@Suite struct CompactionPolicyTests {
    private func file(
        _ name: String, _ bytes: Int64, partition: [Value] = [], spec: Int = 0, sequence: Int64 = 1
    ) -> CompactionCandidate {
        CompactionCandidate(
            path: name, specId: spec, partition: partition, fileBytes: bytes, recordCount: bytes / 100,
            sequenceNumber: sequence)
    }

    private func files(_ sizes: [Int64]) -> [CompactionCandidate] {
        sizes.enumerated().map { file("f\($0.offset)", $0.element, sequence: Int64($0.offset)) }
    }

    private func plans(
        _ files: [CompactionCandidate], _ options: CompactionOptions, isForced: Bool = false
    ) throws -> [CompactionPlan] {
        try CompactionPolicy.plans(
            CompactionState(files, options: options), options: options, nowMs: 0,
            request: CompactionRequest(isForced: isForced))
    }

    private struct Row: Sendable {
        let name: String
        let sizes: [Int64]
        /// Sizes of each expected group, in commit order.
        let groups: [[Int64]]
        var isForced = false
    }

    /// Target 100, so that a file below 75 is small.
    private static let table: [Row] = [
        Row(name: "nothing", sizes: [], groups: []),
        Row(name: "one small file", sizes: [5], groups: []),
        Row(name: "one small file, forced", sizes: [5], groups: [], isForced: true),
        Row(name: "four are too few", sizes: [5, 5, 5, 5], groups: []),
        Row(name: "five make a tier", sizes: [5, 5, 5, 5, 5], groups: [[5, 5, 5, 5, 5]]),
        Row(name: "two suffice when forced", sizes: [5, 9], groups: [[5, 9]], isForced: true),
        Row(name: "a big file does not join small ones", sizes: [50, 2, 2, 2, 2, 2], groups: [[2, 2, 2, 2, 2]]),
        Row(name: "it does once they match it", sizes: [8, 2, 2, 2, 2], groups: [[8, 2, 2, 2, 2]]),
        Row(name: "unless there is no room left", sizes: [10, 2, 2, 2, 2, 2], groups: [[2, 2, 2, 2, 2]]),
        Row(name: "or when the result is full", sizes: [60, 10, 10], groups: [[60, 10, 10]]),
        Row(name: "two are within the bound", sizes: [40, 40], groups: []),
        Row(name: "what large files lack makes a file", sizes: [60, 60, 60], groups: [[60, 60]]),
        Row(name: "and of larger ones it does not", sizes: [70, 70, 70], groups: []),
        Row(name: "too large together, forced", sizes: [60, 60, 60], groups: [], isForced: true),
        Row(name: "large files are done", sizes: [75, 75, 75, 75, 75, 100, 400], groups: []),
        Row(
            name: "large files are done, forced", sizes: [75, 75, 75, 75, 75, 100, 400], groups: [], isForced: true),
        Row(
            name: "groups stop at the target", sizes: Array(repeating: 20, count: 12),
            groups: [[20, 20, 20, 20, 20], [20, 20, 20, 20, 20]]),
        Row(name: "a series of doublings is worth a merge", sizes: [12, 24, 48], groups: [[12, 24, 48]]),
        Row(
            name: "of a longer one the smallest, at the bound", sizes: [3, 6, 12, 24, 48],
            groups: [[3, 6, 12], [24, 48]]),
        Row(name: "a steep series is merged for the bound", sizes: [1, 4, 20, 90], groups: [[1, 4]]),
        Row(name: "and waits below it", sizes: [4, 20, 90], groups: []),
        Row(name: "empty files count as one byte", sizes: [0, 0, 0, 0, 0], groups: [[0, 0, 0, 0, 0]]),
    ]

    @Test func decides() throws {
        let options = CompactionOptions(targetBytes: 100)
        for row in Self.table {
            let plans = try plans(files(row.sizes), options, isForced: row.isForced)
            #expect(plans.map { $0.files.map(\.fileBytes) } == row.groups, "\(row.name)")
        }
    }

    /// Files with many deleted rows are rewritten by themselves unless a group takes them.
    @Test func deletedRowsMakeFilesDirty() throws {
        func dirty(_ name: String, _ bytes: Int64, deleted: Int64) -> CompactionCandidate {
            CompactionCandidate(
                path: name, specId: 0, partition: [], fileBytes: bytes, recordCount: 100, sequenceNumber: 1,
                deletedRecords: deleted, hasDeletes: deleted > 0)
        }
        let live = [
            dirty("a", 400, deleted: 29), dirty("b", 400, deleted: 30), dirty("c", 40, deleted: 90),
            dirty("d", 40, deleted: 0), dirty("e", 5, deleted: 1000), dirty("f", 400, deleted: 0),
        ]
        func names(_ options: CompactionOptions, isForced: Bool = false) throws -> [[String]] {
            try plans(live, options, isForced: isForced).map { $0.files.map(\.path) }
        }
        #expect(try names(CompactionOptions(targetBytes: 100)) == [["c", "d", "e"], ["b"]])
        #expect(try names(CompactionOptions(targetBytes: 100), isForced: true) == [["c", "d", "e"], ["a"], ["b"]])
        #expect(
            try names(CompactionOptions(targetBytes: 100, deletedShareMin: 0.2)) == [["c", "d", "e"], ["a"], ["b"]])
        let plan = try plans([live[1]], CompactionOptions(targetBytes: 100))[0]
        #expect(plan.reason == .deletes && plan.explain(spec: nil) == "1 file, 400 B -> 1 file: drops deleted rows")
    }

    /// With twelve tiers: merges are due from an excess of 8 on, wanted from 6 on when others are, urgent from 10 on.
    private static let fine = CompactionOptions(targetBytes: 1 << 30, flushBytes: 1 << 18)

    private func place(_ key: String, _ sizes: [Int64]) -> [CompactionCandidate] {
        sizes.enumerated().map { file("\(key)\($0.offset)", $0.element, partition: [.string(key)]) }
    }

    private func sizes(_ plans: [CompactionPlan]) -> [[Int64]] { plans.map { $0.files.map { $0.fileBytes >> 20 } } }

    @Test func pressedPartitionsAreRelievedForFewBytes() throws {
        let (large, small): (Int64, Int64) = (8 << 20, 1 << 20)
        let due = place("due", Array(repeating: large, count: 6) + Array(repeating: small, count: 3))
        let urgent = place("urgent", Array(repeating: large, count: 6) + Array(repeating: small, count: 5))
        let found = try plans(due + urgent, Self.fine)
        #expect(sizes(found) == [[1, 1, 1, 1, 1], [8, 8, 8, 8, 8, 8, 1, 1, 1]])
        #expect(found.allSatisfy { $0.isDue })
        // Nothing small is worth a merge: the large ones are.
        let steep = place("steep", Array(repeating: large, count: 10) + [small])
        #expect(try sizes(plans(steep, Self.fine)).map { $0.sorted() } == [[1] + Array(repeating: 8, count: 10)])
    }

    @Test func smallPlansGoFirstAmongEquals() throws {
        let all = place("a", Array(repeating: 4 << 20, count: 9)) + place("b", Array(repeating: 2 << 20, count: 9))
        #expect(try plans(all, Self.fine).map(\.partition) == [[.string("b")], [.string("a")]])
    }

    @Test func nearlyDuePartitionsComeAlongWhileItIsLittle() throws {
        let due = place("due", Array(repeating: 1 << 20, count: 9))
        let ready = place("ready", Array(repeating: 6 << 20, count: 7))
        let heavy = place("heavy", Array(repeating: 9 << 20, count: 7))
        #expect(try plans(ready + heavy, Self.fine).isEmpty)
        let found = try plans(due + ready + heavy, Self.fine)
        #expect(found.map(\.partition) == [[.string("due")], [.string("ready")]])
        #expect(found.map(\.isDue) == [true, false])
    }

    @Test func optionsComeFromProperties() {
        func share(_ text: String) -> Double {
            CompactionOptions(TableProperties(["firn.compaction.delete-ratio": text])).deletedShareMin
        }
        #expect(share("0.5") == 0.5 && share("1") == 1)
        #expect(["", "0", "-1", "2", "nan"].allSatisfy { share($0) == 0.3 })
    }

    @Test func plansNeverMixPlaces() throws {
        let options = CompactionOptions(targetBytes: 100)
        var all: [CompactionCandidate] = []
        for index in 0..<40 {
            all.append(
                file(
                    "f\(index)", 3, partition: [index % 4 == 0 ? .null : .date(Int32(index % 4)), .string("x")],
                    spec: index % 8 < 4 ? 0 : 1, sequence: Int64(40 - index)))
        }
        let plans = try plans(all, options)
        #expect(plans.count == 8)
        for plan in plans {
            #expect(plan.files.count == 5)
            #expect(plan.files.allSatisfy { $0.specId == plan.specId && $0.partition == plan.partition })
            #expect(plan.files.map(\.sequenceNumber) == plan.files.map(\.sequenceNumber).sorted())
        }
    }

    @Test func plansDoNotDependOnTheOrderOfFiles() throws {
        let options = CompactionOptions(targetBytes: 1000)
        let all = (0..<60).map { index in
            let bytes = Int64(index * index % 97 + 1)
            return file("f\(index)", bytes, partition: [Value.int(Int32(index % 3))])
        }
        let plans = try plans(all, options)
        #expect(!plans.isEmpty)
        #expect(try self.plans(all.reversed(), options) == plans)
    }

    @Test func groupsAreBoundedByFilesAndBytes() throws {
        var options = CompactionOptions(targetBytes: 1000, groupBytesMax: 100)
        let all = files(Array(repeating: 1, count: 950))
        let bounded = try plans(all, options)
        #expect(!bounded.isEmpty && bounded.allSatisfy { $0.bytes <= 100 })
        options = CompactionOptions(targetBytes: 1000)
        options.groupFilesMax = 10
        let plans = try plans(all, options)
        #expect(plans.count == 95 && plans.allSatisfy { $0.files.count == 10 && $0.reason == .tier })
    }

    /// Random tables: every small file is in at most one plan, and each plan keeps its promise.
    @Test(arguments: 1...200)
    func plansKeepTheirPromises(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        let target = Int64(random.below(2000) + 20)
        let options = CompactionOptions(
            targetBytes: target, inputFilesMin: random.below(2) == 0 ? nil : random.below(8) + 2)
        let isForced = random.below(4) == 0
        var all: [CompactionCandidate] = []
        for index in 0..<random.below(300) {
            let bytesMax = random.below(3) == 0 ? Int(target) * 2 : 20
            let partition = [Value.int(Int32(random.below(3)))]
            all.append(
                file(
                    "f\(index)", Int64(random.below(bytesMax)), partition: partition, spec: random.below(2),
                    sequence: Int64(random.below(50))))
        }
        let plans = try plans(all, options, isForced: isForced)
        let planned = plans.flatMap { $0.files.map(\.path) }
        #expect(Set(planned).count == planned.count)
        for plan in plans {
            let sizes = plan.files.map { max($0.fileBytes, 1) }.sorted()
            let sum = sizes.reduce(0, +)
            #expect(sizes.count >= 2 && sum <= 2 * target && sizes.last! < target)
            #expect(plan.files.allSatisfy { $0.specId == plan.specId && $0.partition == plan.partition })
            switch plan.reason {
            case .full: #expect(sum >= options.smallBytesBelow && !isForced)
            case .tier: #expect(sum < options.smallBytesBelow && !isForced)
            case .forced: #expect(isForced && sum <= target && sizes.last! < options.smallBytesBelow)
            case .deletes, .cold, .evolution: Issue.record("nothing asks for this")
            }
        }
    }

    @Test func explainsItself() {
        let plan = CompactionPlan(
            specId: 3, partition: [.int(20778), .null], files: files([3 << 20, 1 << 20]), reason: .tier)
        let spec = PartitionSpec(
            specId: 3,
            fields: [
                PartitionField(sourceId: 1, fieldId: 1000, name: "ts_day", transform: .day),
                PartitionField(sourceId: 2, fieldId: 1001, name: "country", transform: .identity),
            ])
        #expect(
            plan.explain(spec: spec)
                == "2 files, 4.0 MiB -> 1 file in ts_day=2026-11-21/country=null: joins small files")
        #expect(plan.explain(spec: nil) == "2 files, 4.0 MiB -> 1 file: joins small files")
        #expect(ByteText.format(0) == "0 B" && ByteText.format(1023) == "1023 B" && ByteText.format(1536) == "1.5 KiB")
    }

    @Test func readsProperties() {
        let options = CompactionOptions(
            TableProperties([
                "write.target-file-size-bytes": "1000", "firn.compaction.min-input-files": "3",
                "firn.compaction.group-bytes-max": "400", "firn.compaction.enabled": "FALSE",
            ]))
        #expect(options.groupBytesMax == 400 && options.targetBytes == 300 && options.smallBytesBelow == 225)
        #expect(options.inputFilesMin == 3)
        #expect(!options.isEnabled)
        let defaults = CompactionOptions(TableProperties([:]))
        #expect(defaults.outputBytesMax == 536_870_912 && defaults.smallBytesBelow == 402_653_184)
        #expect(defaults.isEnabled && defaults.inputFilesMin == nil && defaults.groupBytesMax == 1 << 30)
        let bad = CompactionOptions(
            TableProperties([
                "write.target-file-size-bytes": "0", "firn.compaction.min-input-files": "1",
                "firn.compaction.group-bytes-max": "-1", "firn.compaction.enabled": "perhaps",
            ]))
        #expect(bad == defaults)
    }
}

/// A small generator, so that a failing seed fails again.
struct SplitMix {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Int(XXHash64.avalanche(state) % UInt64(max(bound, 1)))
    }
}
