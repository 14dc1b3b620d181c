import Base
import Columnar
import Storage
import Testing

@testable import Iceberg

/// What commits do about a long history: expire it, and write it compressed.
@Suite struct HistoryTests {
    /// A table after some hundred commits of every kind that moves files between manifests.
    private func busyTable(_ steps: Int, seed: UInt64) throws -> TestTable {
        let table = try TestTable(properties: ["commit.manifest.min-count-to-merge": "5"])
        var random = SplitMix(seed)
        var files: [DataFile] = []
        for step in 0..<steps {
            if files.count > 3, random.next() % 3 == 0 {
                let chosen = [files.remove(at: Int(random.next() % 3)), files.removeLast()]
                let merged = table.file("merged-\(step)", records: chosen.reduce(0) { $0 + $1.recordCount })
                try table.put(table.replace(chosen, by: [merged]))
                files.append(merged)
            } else {
                let file = table.file("file-\(step)")
                try table.append([file])
                files.append(file)
            }
        }
        return table
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func whatBecomesUnreachableIsFoundFromTheOldestKeptSnapshotAlone(seed: UInt64) throws {
        let table = try busyTable(60, seed: seed)
        for count in [1, 7, 30, 59] {
            let gone = Set(table.metadata.snapshots.prefix(count).map(\.snapshotId))
            let counting = CountingReads(table.store)
            let (commit, unreachable) = try SnapshotProducer.expire(
                base: table.metadata, baseLocation: table.location, snapshotIds: gone, context: table.context(),
                store: counting)
            let before = try reachableFiles(table.metadata, store: table.store)
            let after = try reachableFiles(commit.metadata, store: table.store)
            // The metadata log is no part of what expiry looks at.
            let logged = Set(table.metadata.metadataLog.map(\.metadataFile))
            #expect(Set(unreachable) == before.subtracting(after).subtracting(logged))
            // However many snapshots are kept, their lists are not read.
            #expect(counting.lists.count <= count + 1)
        }
    }

    @Test func aBranchedHistoryIsSearchedWhole() throws {
        let table = try busyTable(30, seed: 9)
        let tenth = table.metadata.snapshots[9]
        try table.put(
            SnapshotProducer.setReference(
                base: table.metadata, baseLocation: table.location, name: "audit",
                reference: SnapshotReference(snapshotId: tenth.snapshotId, kind: .tag), context: table.context()))
        let gone = Set(table.metadata.snapshots.prefix(20).map(\.snapshotId)).subtracting([tenth.snapshotId])
        let (commit, unreachable) = try SnapshotProducer.expire(
            base: table.metadata, baseLocation: table.location, snapshotIds: gone, context: table.context(),
            store: table.store)
        let before = try reachableFiles(table.metadata, store: table.store)
        let after = try reachableFiles(commit.metadata, store: table.store)
        let logged = Set(table.metadata.metadataLog.map(\.metadataFile))
        #expect(Set(unreachable) == before.subtracting(after).subtracting(logged))
        #expect(!unreachable.contains(tenth.manifestList))
    }

    @Test func referencesEndWithTheirAge() throws {
        let table = try TestTable(properties: ["history.expire.max-ref-age-ms": "100"])
        for step in 0..<4 { try table.append([table.file("f\(step)")]) }
        let first = table.metadata.snapshots[0]
        func name(_ reference: String, _ kind: SnapshotReference.Kind, ageMs: Int64?) throws {
            try table.put(
                SnapshotProducer.setReference(
                    base: table.metadata, baseLocation: table.location, name: reference,
                    reference: SnapshotReference(
                        snapshotId: first.snapshotId, kind: kind, maxReferenceAgeMs: ageMs), context: table.context()))
        }
        try name("short", .tag, ageMs: nil)
        try name("long", .tag, ageMs: 1_000_000)
        try name("work", .branch, ageMs: 50)
        let late = Retention(
            table.metadata.tableProperties, nowMs: first.timestampMs + 500, oldBeforeMs: .max, snapshotsMin: 1
        ).expired(in: table.metadata)
        #expect(late.references == ["short", "work"])
        // The long-lived tag keeps the first snapshot, main its head.
        #expect(late.snapshotIds == table.metadata.snapshots[1...2].map(\.snapshotId))
        let (commit, _) = try SnapshotProducer.expire(
            base: table.metadata, baseLocation: table.location, snapshotIds: Set(late.snapshotIds),
            references: late.references, context: table.context(), store: table.store)
        #expect(commit.metadata.refs.keys.sorted() == ["long", "main"])
    }

    @Test func aLongHistoryIsCompressedPartByPart() throws {
        let table = try TestTable(properties: ["write.metadata.compression-codec": "gzip"])
        try table.append([table.file("first")])
        let added = try Self.lengthened(table.metadata, by: 500, seed: 5)
        let once = try added.serializeCompressed()
        let plain = try added.serialize()
        #expect(once.starts(with: [0x1f, 0x8b]))
        #expect(try Deflate.decompress(once, wrapping: .gzip, limit: 1 << 24) == plain)
        #expect(try TableMetadata.parse(once, source: "m") == added)

        // Nothing is forgotten and nothing stale is used when the history grows, loses its beginning, or changes.
        var next = try Self.lengthened(added, by: 3, seed: 6)
        #expect(try Deflate.decompress(next.serializeCompressed(), wrapping: .gzip, limit: 1 << 24) == next.serialize())
        try next.removeSnapshots(Set(next.snapshots.prefix(70).map(\.snapshotId)))
        #expect(try Deflate.decompress(next.serializeCompressed(), wrapping: .gzip, limit: 1 << 24) == next.serialize())
        next.snapshots[10].summary["changed"] = "yes"
        #expect(try Deflate.decompress(next.serializeCompressed(), wrapping: .gzip, limit: 1 << 24) == next.serialize())
    }

    @Test func compressionFollowsThePropertyAndTheLength() throws {
        func location(_ properties: [String: String], snapshots: Int) throws -> String {
            let table = try TestTable(properties: properties)
            try table.append([table.file("first")])
            let long = try Self.lengthened(table.metadata, by: snapshots, seed: 7)
            return try MetadataCommit.prepare(
                long, base: table.metadata, baseLocation: table.location, context: table.context()
            ).metadataLocation
        }
        let codec = "write.metadata.compression-codec"
        #expect(try location([:], snapshots: 10).hasSuffix("-\(UUID(high: 3, low: 3)).metadata.json"))
        #expect(try location([:], snapshots: 1000).hasSuffix("-\(UUID(high: 3, low: 3)).gz.metadata.json"))
        #expect(try location([codec: "none"], snapshots: 1000).hasSuffix("\(UUID(high: 3, low: 3)).metadata.json"))
        #expect(try location([codec: "gzip"], snapshots: 0).hasSuffix(".gz.metadata.json"))
    }

    @Test func damagedCompressedMetadataIsRefused() throws {
        let table = try TestTable()
        try table.append([table.file("first")])
        let bytes = try table.metadata.serializeCompressed()
        for length in [3, 20, bytes.count - 9, bytes.count - 1] {
            let error = #expect(throws: FirnError.self) {
                _ = try TableMetadata.parse(Array(bytes.prefix(length)), source: "m")
            }
            #expect(error?.kind == .corrupted)
        }
    }

    /// `base` with more snapshots and log entries, whose ids are random.
    private static func lengthened(_ base: TableMetadata, by count: Int, seed: UInt64) throws -> TableMetadata {
        var metadata = base
        var random = SplitMix(seed)
        for _ in 0..<count {
            var next = metadata.currentSnapshot!
            next.parentSnapshotId = next.snapshotId
            next.snapshotId = Int64(random.next() >> 2)
            next.sequenceNumber += 1
            next.timestampMs += 1000
            next.manifestList = "file:///w/t/metadata/snap-\(next.snapshotId).avro"
            try metadata.addSnapshot(next)
            try metadata.setReference(
                "main", SnapshotReference(snapshotId: next.snapshotId, kind: .branch), nowMs: next.timestampMs,
                isAdded: true)
        }
        return metadata
    }
}

/// Numbers that are the same in every run.
private struct SplitMix {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// Remembers which manifest lists were read.
private final class CountingReads: ObjectStore, @unchecked Sendable {
    private let store: MemoryStore
    private(set) var lists: Set<String> = []

    init(_ store: MemoryStore) { self.store = store }

    func get(_ location: String) throws -> [UInt8] {
        if location.lastPathComponent.hasPrefix("snap-") { lists.insert(location) }
        return try store.get(location)
    }
    func put(_ location: String, _ bytes: [UInt8]) throws { try store.put(location, bytes) }
    func putStream(_ location: String) throws -> any ObjectSink { try store.putStream(location) }
    func read(_ location: String, range: Range<Int>) throws -> [UInt8] { try store.read(location, range: range) }
    func size(_ location: String) throws -> Int? { try store.size(location) }
    func delete(_ location: String) throws { try store.delete(location) }
    func list(_ prefix: String) throws -> [String] { try store.list(prefix) }
}

/// Merging manifests by size.
@Suite struct ManifestMergeTests {
    @Test(arguments: [
        ([4, 4, 4, 4], 100, [0..<4]),
        ([4, 4, 4, 1000], 100, [0..<3, 3..<4]),
        ([4, 9, 4], 100, [0..<1, 1..<2, 2..<3]),
        ([4, 8, 24, 72, 217], 100, [0..<4, 4..<5]),
        ([4], 100, [0..<1]),
        ([0, 0, 1], 100, [0..<3]),
        // A row that deletions left, longer than half of the count to merge: its smallest neighbours go together.
        ([1, 9, 1, 1, 5, 1, 1, 1], 10, [0..<1, 1..<2, 2..<4, 4..<5, 5..<8]),
        // A row of ever larger ones is as it should be, however low the count to merge.
        ([1, 3, 9, 27, 81, 243], 2, [0..<1, 1..<2, 2..<3, 3..<4, 4..<5, 5..<6]),
    ])
    func aLargeManifestWaitsUntilThoseAfterItHaveGrown(entries: [Int], countToMerge: Int, runs: [Range<Int>]) {
        #expect(SnapshotBuilder.runs(entries, countToMerge: countToMerge) == runs)
    }

    @Test func whateverDeletionsLeaveABinStaysShort() {
        var random = SplitMix(7)
        for _ in 0..<1000 {
            let entries = (0...random.next() % 300).map { _ in random.next() % 3 == 0 ? Int(random.next() % 5000) : 1 }
            let runs = SnapshotBuilder.runs(entries, countToMerge: 20)
            #expect(runs.flatMap { Array($0) } == Array(entries.indices))
            #expect(runs.count <= max(10, Int.bitWidth - entries.reduce(0, +).leadingZeroBitCount))
        }
    }

    @Test func manyCommitsStayCheapAndFew() throws {
        let table = try TestTable(properties: ["commit.manifest.min-count-to-merge": "4"])
        var written = 0
        for step in 0..<200 {
            try table.append([table.file("f\(step)")])
            let own = try table.manifests().filter { $0.addedSnapshotId == table.snapshots.last?.snapshotId }
            written += own.reduce(0) { $0 + ($1.addedFilesCount ?? 0) + ($1.existingFilesCount ?? 0) }
        }
        #expect(try table.live().count == 200)
        // Few manifests, and no entry written more often than its manifest doubled.
        #expect(try table.manifests().count < 20)
        #expect(written < 200 * 9)
    }
}
