import Base
import Columnar
import Parquet
import Storage
import Testing

@testable import Iceberg

@Suite struct DeleteFileWriterTests {
    private static let byName = PartitionSpec(fields: [
        PartitionField(sourceId: 2, fieldId: 1000, name: "name", transform: .identity)
    ])

    private static func row(_ id: Int64, _ name: String) -> [Value] { DeleteFixture.row(id, name, nil, a: nil) }

    /// Two files in partition a, one in b, ten rows each.
    private func fixture(version: Int = 2, properties: [String: String] = [:]) throws -> DeleteFixture {
        let fixture = try DeleteFixture(version: version, spec: Self.byName, properties: properties)
        for (file, name) in ["a", "b", "a"].enumerated() {
            try fixture.add((0..<10).map { Self.row(Int64(file * 10 + $0), name) }, partition: [.string(name)])
        }
        return fixture
    }

    private func write(
        _ fixture: DeleteFixture, _ positions: [[Int64]]
    ) throws -> (added: [DataFile], removed: [ManifestEntry]) {
        let run = fixture.store.objectCount
        let writer = DeleteFileWriter(metadata: fixture.metadata, store: fixture.store) { folder, index, kind in
            "file:///w/t/data/\(folder.isEmpty ? "" : folder + "/")\(run)-\(index)-deletes.\(kind)"
        }
        return try writer.write(zip(try fixture.tasks(), positions).map { ($0, RowPositions($1)) })
    }

    /// Adds what was written to the table, as a commit does.
    private func commit(
        _ fixture: DeleteFixture, _ change: (added: [DataFile], removed: [ManifestEntry]), sequence: Int64,
        keeping: [ManifestEntry] = []
    ) throws {
        fixture.reindex()
        for entry in keeping where !change.removed.contains(entry) { try fixture.index.add(entry) }
        for file in change.added { try fixture.index.add(fixture.entry(file, sequence: sequence)) }
    }

    @Test func onePositionDeleteFileAPartition() throws {
        let fixture = try fixture()
        let change = try write(fixture, [[3, 1], [9], [0]])
        #expect(change.removed.isEmpty)
        #expect(change.added.map(\.partition) == [[.string("a")], [.string("b")]])
        #expect(change.added.map(\.recordCount) == [3, 1])
        let paths = fixture.data.map(\.dataFile.path)
        #expect(change.added.map(\.referencedDataFile) == [nil, paths[1]])
        let first = change.added[0]
        #expect(first.path.hasPrefix("file:///w/t/data/name=a/") && first.sortOrderId == nil)
        #expect(first.lowerBounds[2_147_483_546] == Array(paths[0].utf8))
        #expect(first.upperBounds[2_147_483_546] == Array(paths[2].utf8))
        #expect(first.lowerBounds[2_147_483_545] == SingleValue.encode(.long(0)))
        #expect(first.upperBounds[2_147_483_545] == SingleValue.encode(.long(3)))
        #expect(try fixture.store.size(first.path) == Int(first.fileBytes))
        let (reader, _) = try ParquetSource.open(first, nameMapping: nil, store: fixture.store)
        #expect(reader.footer.keyValueMetadata["delete-type"] == "position")
        let rows = try reader.readRowGroup(0, projection: PositionDeleteFile.schema)
        #expect((0..<3).map { rows.columns[0].value(at: $0) } == [paths[0], paths[0], paths[2]].map { .string($0) })
        #expect((0..<3).map { rows.columns[1].value(at: $0) } == [.long(1), .long(3), .long(0)])
        try commit(fixture, change, sequence: 2)
        #expect(try fixture.ids() == (0..<30).filter { ![1, 3, 19, 20].contains($0) })
    }

    @Test func oneFileADataFileTakesUpItsForerunner() throws {
        let fixture = try fixture(properties: ["write.delete.granularity": "file"])
        let first = try write(fixture, [[1], [], [2]])
        #expect(first.added.count == 2 && first.removed.isEmpty)
        #expect(first.added.allSatisfy { $0.referencedDataFile != nil })
        try commit(fixture, first, sequence: 2)
        let old = first.added.map { fixture.entry($0, sequence: 2) }
        let second = try write(fixture, [[5], [0], []])
        #expect(second.removed == [old[0]])
        #expect(second.added.map(\.recordCount) == [2, 1])
        try commit(fixture, second, sequence: 3, keeping: old)
        #expect(try fixture.ids() == (0..<30).filter { ![1, 5, 10, 22].contains($0) })
    }

    @Test func vectorsTakeUpAllEarlierPositions() throws {
        let fixture = try fixture(version: 3)
        let paths = fixture.data.map(\.dataFile.path)
        let shared = try fixture.deletePositions(
            [(paths[0], 0), (paths[2], 9)], partition: [.string("a")])
        let own = try fixture.deletePositions([(paths[1], 7)], partition: [.string("b")], isReferenced: true)
        let first = try write(fixture, [[1, 2], [3], []])
        let entries = [fixture.entry(shared, sequence: 2), fixture.entry(own, sequence: 2)]
        // The delete file of the partition still serves the other data file.
        #expect(first.removed == [entries[1]])
        #expect(Set(first.added.map(\.path)).count == 1 && first.added.map(\.recordCount) == [3, 2])
        #expect(first.added.map(\.referencedDataFile) == [paths[0], paths[1]])
        #expect(first.added.map(\.partition) == [[.string("a")], [.string("b")]])
        let file = try PuffinFile(first.added[0].path, store: fixture.store)
        #expect(file.footer.blobs.map { Int64($0.offset) } == first.added.map(\.contentOffset))
        #expect(file.footer.blobs.map { Int64($0.length) } == first.added.map(\.contentBytes))
        #expect(first.added.allSatisfy { $0.format == "PUFFIN" && $0.isDeletionVector })
        try commit(fixture, first, sequence: 3, keeping: entries)
        #expect(try fixture.ids() == (0..<30).filter { ![0, 1, 2, 13, 17, 29].contains($0) })
        // The next vector takes the place of the last.
        let second = try write(fixture, [[5], [], []])
        #expect(second.removed == [fixture.entry(first.added[0], sequence: 3)])
        #expect(second.added.map(\.recordCount) == [4])
    }

    /// Their entries stand in different manifests, and every manifest names the vectors of a file front to back.
    @Test func vectorsOfDifferentSpecsAreInDifferentFiles() throws {
        let fixture = try fixture(version: 3)
        var tasks = try fixture.tasks()
        var old = tasks[1].dataFile
        (old.specId, old.partition) = (7, [])
        tasks[1] = FileScanTask(
            dataFile: old, sequenceNumber: 1, spec: PartitionSpec(specId: 7, fields: []), deletes: [])
        let run = fixture.store.objectCount
        let writer = DeleteFileWriter(metadata: fixture.metadata, store: fixture.store) { _, index, kind in
            "file:///w/t/data/\(run)-\(index)-deletes.\(kind)"
        }
        let change = try writer.write(tasks.map { ($0, RowPositions([4, 5])) })
        let bySpec = Dictionary(grouping: change.added, by: \.specId)
        #expect(bySpec[0]?.count == 2 && bySpec[7]?.count == 1)
        #expect(Set(change.added.map(\.path)).count == 2)
        for files in bySpec.values {
            #expect(Set(files.map(\.path)).count == 1)
            let offsets = files.compactMap(\.contentOffset)
            #expect(offsets.count == files.count && offsets == offsets.sorted())
            #expect(try fixture.store.size(files[0].path) == Int(files[0].fileBytes))
        }
    }

    @Test func nothingToDeleteWritesNothing() throws {
        let fixture = try fixture()
        let count = fixture.store.objectCount
        let change = try write(fixture, [[], [], []])
        #expect(change.added.isEmpty && fixture.store.objectCount == count)
        let task = try fixture.tasks()[0]
        let writer = DeleteFileWriter(metadata: fixture.metadata, store: fixture.store) { _, _, _ in "" }
        let error = #expect(throws: FirnError.self) {
            try writer.write([(task, RowPositions([1])), (task, RowPositions([2]))])
        }
        #expect(error?.code == "duplicate_target")
    }

    @Test func largeDeletesAreDivided() throws {
        let fixture = try fixture(properties: ["write.delete.target-file-size-bytes": "1"])
        let change = try write(fixture, [[1], [2], [3]])
        #expect(change.added.count == 3)
        try commit(fixture, change, sequence: 2)
        #expect(try fixture.ids() == (0..<30).filter { ![1, 12, 23].contains($0) })
    }
}

extension MemoryStore {
    /// How many objects there are.
    fileprivate var objectCount: Int { (try? list("file:///w").count) ?? 0 }
}
