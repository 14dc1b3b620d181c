import Base
import Catalog
import Columnar
import Iceberg
import Parquet
import Storage
import Testing

@testable import Maintenance

/// Random histories with branches, tags and retention of their own, beside a model that follows the words of the spec:
/// which snapshots stay, what their rows are, and that the files in the store are those that some snapshot needs.
@Suite struct RetentionModelTests {
    private struct Random {
        var state: UInt64

        mutating func next(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(below))
        }
    }

    private final class Model {
        let fixture: WarehouseFixture
        var random: Random
        var nextId = 0
        /// The ids of the rows of each snapshot.
        var rows: [Int64: [Int64]] = [:]

        init(seed: UInt64) throws {
            fixture = try WarehouseFixture()
            random = Random(state: seed)
            try fixture.createTable(
                partitioned: true,
                properties: [
                    "history.expire.max-snapshot-age-ms": "1000", "history.expire.min-snapshots-to-keep": "2",
                    "history.expire.max-ref-age-ms": "6000", "commit.manifest.min-count-to-merge": "4",
                    "write.metadata.previous-versions-max": "3",
                ])
        }

        var committer: TableCommitter { get throws { try fixture.warehouse.committer(for: fixture.table) } }
        var metadata: TableMetadata { get throws { try fixture.metadata() } }

        func branch() throws -> String {
            let branches = try metadata.refs.filter { $0.value.kind == .branch }.map(\.key).sorted()
            return branches.isEmpty || random.next(2) == 0 ? "main" : branches[random.next(branches.count)]
        }

        func snapshot() throws -> Int64? {
            let all = try metadata.snapshots
            return all.isEmpty ? nil : all[random.next(all.count)].snapshotId
        }

        func files(_ ids: Range<Int>) throws -> [DataFile] {
            let metadata = try metadata
            let name = fixture.warehouse.environment.uuid()
            let writer = try DataFileWriter(metadata: metadata, store: fixture.warehouse.store) { folder, index in
                let location = metadata.dataFolder + "/\(folder)/\(name)-\(index).parquet"
                try self.fixture.warehouse.ledger.record([location], table: metadata.tableUUID)
                return location
            }
            try writer.write(
                WarehouseFixture.batch(ids.map(WarehouseFixture.row), schema: metadata.currentSchema))
            return try writer.finish()
        }

        /// Rows as a reader sees them.
        func read(_ snapshotId: Int64) throws -> [Int64] {
            try fixture.rows(at: snapshotId).map { row in
                guard case .long(let id) = row[0] else { return -1 }
                return id
            }
        }

        func live(_ snapshot: Snapshot) throws -> [ManifestEntry] {
            try Manifests.liveEntries(of: snapshot, metadata: try metadata, store: fixture.warehouse.store)
        }
    }

    private func step(_ model: Model) throws {
        let fixture = model.fixture
        fixture.clock.advance(ms: Int64(model.random.next(250)))
        switch model.random.next(13) {
        case 0...3: try append(model)
        case 4: try removeFile(model)
        case 5: try deleteRow(model)
        case 6: try name(model)
        case 7:
            guard let id = try model.snapshot() else { return }
            _ = try model.committer.setCurrent(id)
        case 8:
            try keepingRows(model) {
                _ = try CompactionRun(warehouse: fixture.warehouse, table: fixture.table, isForced: true).run()
            }
        case 9:
            try keepingRows(model) {
                _ = try ManifestRewrite.run(fixture.warehouse, table: fixture.table, isForced: true)
            }
        case 10:
            try keepingRows(model) { _ = try DanglingDeletes.run(fixture.warehouse, table: fixture.table) }
        default: try expire(model)
        }
    }

    private func append(_ model: Model) throws {
        let branch = try model.branch()
        let ids = model.nextId..<model.nextId + 1 + model.random.next(4)
        model.nextId = ids.upperBound
        var delta = TableCommitter.RowDelta()
        delta.branch = branch
        delta.addedData = try model.files(ids)
        let before = try model.metadata.snapshot(ref: branch) ?? model.metadata.currentSnapshot
        let id = try #require(try model.committer.rowDelta(delta).snapshotId)
        model.rows[id] = (before.flatMap { model.rows[$0.snapshotId] } ?? []) + ids.map(Int64.init)
    }

    private func removeFile(_ model: Model) throws {
        guard let head = try model.metadata.currentSnapshot else { return }
        let files = try model.live(head).filter { $0.dataFile.content == .data }
        guard !files.isEmpty else { return }
        let file = files[model.random.next(files.count)].dataFile
        let id = try #require(try model.committer.deleteFiles([file.path]).snapshotId)
        model.rows[id] = try model.read(id)
        #expect(model.rows[id]!.count == model.rows[head.snapshotId]!.count - Int(try left(file, head, model)))
    }

    /// Rows of a file that no position delete has taken yet.
    private func left(_ file: DataFile, _ snapshot: Snapshot, _ model: Model) throws -> Int64 {
        let deletes = try model.live(snapshot).filter { $0.dataFile.referencedDataFile == file.path }
        return file.recordCount - (deletes.isEmpty ? 0 : 1)
    }

    /// Deletes the first row of a file by position, once a file.
    private func deleteRow(_ model: Model) throws {
        guard let head = try model.metadata.currentSnapshot else { return }
        let entries = try model.live(head)
        let deleted = Set(entries.compactMap(\.dataFile.referencedDataFile))
        let files = entries.map(\.dataFile).filter { $0.content == .data && !deleted.contains($0.path) }
        guard !files.isEmpty else { return }
        let file = files[model.random.next(files.count)]
        let metadata = try model.metadata
        let path = metadata.dataFolder + "/\(model.fixture.warehouse.environment.uuid())-deletes.parquet"
        try model.fixture.warehouse.ledger.record([path], table: metadata.tableUUID)
        let schema = Schema(fields: [
            Field(id: 2_147_483_546, name: "file_path", required: true, type: .string),
            Field(id: 2_147_483_545, name: "pos", required: true, type: .long),
        ])
        let sink = try model.fixture.warehouse.store.putStream(path)
        let writer = ParquetFileWriter(schema: schema, options: ParquetWriteOptions()) { try sink.write($0) }
        let builder = BatchBuilder(schema)
        builder.columns[0].append(.string(file.path))
        builder.columns[1].append(.long(0))
        try writer.write(builder.finish())
        let bytes = try writer.close().fileBytes
        try sink.finish()
        var deletes = DataFile(
            content: .positionDeletes, path: path, partition: file.partition, specId: file.specId, recordCount: 1,
            fileBytes: Int64(bytes))
        deletes.referencedDataFile = file.path
        var delta = TableCommitter.RowDelta()
        delta.addedDeletes = [deletes]
        let id = try #require(try model.committer.rowDelta(delta).snapshotId)
        model.rows[id] = try model.read(id)
        #expect(model.rows[id]!.count == model.rows[head.snapshotId]!.count - 1)
    }

    private func name(_ model: Model) throws {
        guard let id = try model.snapshot() else { return }
        let kind: SnapshotReference.Kind = model.random.next(2) == 0 ? .tag : .branch
        let name = "\(kind.rawValue)-\(model.random.next(3))"
        var reference = SnapshotReference(snapshotId: id, kind: kind)
        if model.random.next(2) == 0 { reference.maxReferenceAgeMs = Int64(1 + model.random.next(4000)) }
        if kind == .branch, model.random.next(2) == 0 { reference.minSnapshotsToKeep = 1 + model.random.next(4) }
        if kind == .branch, model.random.next(2) == 0 {
            reference.maxSnapshotAgeMs = Int64(1 + model.random.next(3000))
        }
        _ = try model.committer.setReference(name, model.random.next(4) == 0 ? nil : reference)
    }

    /// Runs what changes no row, in however many commits.
    private func keepingRows(_ model: Model, _ body: () throws -> Void) throws {
        let before = try model.metadata.currentSnapshotId
        try body()
        guard let before, let rows = model.rows[before] else { return }
        var next = try model.metadata.currentSnapshot
        while let snapshot = next, model.rows[snapshot.snapshotId] == nil {
            model.rows[snapshot.snapshotId] = rows
            next = try snapshot.parentSnapshotId.flatMap { try model.metadata.snapshot(id: $0) }
        }
    }

    /// Which snapshots and references stay, by https://iceberg.apache.org/spec/#snapshot-retention-policy.
    private func kept(_ metadata: TableMetadata, nowMs: Int64) -> (snapshots: Set<Int64>, references: Set<String>) {
        func ancestors(_ id: Int64) -> [Snapshot] {
            var chain: [Snapshot] = []
            var next: Int64? = id
            while let found = next.flatMap({ metadata.snapshot(id: $0) }) {
                chain.append(found)
                next = found.parentSnapshotId
            }
            return chain
        }
        let references = metadata.refs.filter { name, reference in
            let head = metadata.snapshot(id: reference.snapshotId)!
            return name == "main" || nowMs - head.timestampMs <= reference.maxReferenceAgeMs ?? 6000
        }
        var kept: Set<Int64> = []
        var belongs: Set<Int64> = []
        for reference in references.values {
            kept.insert(reference.snapshotId)
            belongs.insert(reference.snapshotId)
            guard reference.kind == .branch else { continue }
            let chain = ancestors(reference.snapshotId)
            belongs.formUnion(chain.map(\.snapshotId))
            let stays = chain.enumerated().prefix { index, snapshot in
                index < reference.minSnapshotsToKeep ?? 2
                    || nowMs - snapshot.timestampMs <= reference.maxSnapshotAgeMs ?? 1000
            }
            kept.formUnion(stays.map(\.element.snapshotId))
        }
        for snapshot in metadata.snapshots
        where !belongs.contains(snapshot.snapshotId) && nowMs - snapshot.timestampMs <= 1000 {
            kept.insert(snapshot.snapshotId)
        }
        return (kept, Set(references.keys))
    }

    private func expire(_ model: Model) throws {
        let before = try model.metadata
        let expected = kept(before, nowMs: model.fixture.clock.nowMs())
        let report = try SnapshotExpiry.run(
            model.fixture.warehouse, table: model.fixture.table, snapshotsAtOnceMax: 1 + model.random.next(6))
        let after = try model.metadata
        #expect(Set(after.snapshots.map(\.snapshotId)) == expected.snapshots)
        #expect(Set(after.refs.keys) == expected.references)
        #expect(report.snapshotsExpired == before.snapshots.count - after.snapshots.count)
    }

    /// The store holds what the table needs and what the ledger knows; after a collection nothing else.
    private func check(_ model: Model, collects: Bool) throws {
        let (fixture, metadata) = (model.fixture, try model.metadata)
        if collects { try fixture.warehouse.collectGarbage() }
        var needed = Set(metadata.metadataLog.map(\.metadataFile))
        needed.insert(try fixture.warehouse.loadTable(fixture.table).metadataLocation)
        for snapshot in metadata.snapshots {
            needed.insert(snapshot.manifestList)
            needed.formUnion(try Manifests.list(of: snapshot, store: fixture.warehouse.store).map(\.path))
            needed.formUnion(try model.live(snapshot).map(\.dataFile.path))
        }
        let listed = Set(try fixture.warehouse.store.list(metadata.location))
        let ledger = Set(try fixture.warehouse.ledger.entries().map(\.path))
        #expect(needed.isSubset(of: listed), "\(needed.subtracting(listed))")
        #expect(needed.isDisjoint(with: ledger))
        #expect(listed.subtracting(needed).isSubset(of: ledger))
        if collects { #expect(listed == needed, "\(listed.symmetricDifference(needed))") }
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func noSnapshotWithinRetentionLosesAFile(seed: UInt64) throws {
        let model = try Model(seed: seed &* 7919)
        for number in 1...60 {
            try step(model)
            try check(model, collects: number % 7 == 0)
            guard number % 10 == 0 else { continue }
            for snapshot in try model.metadata.snapshots {
                #expect(try model.read(snapshot.snapshotId) == model.rows[snapshot.snapshotId]?.sorted())
            }
        }
        #expect(try model.metadata.snapshots.count > 1)
        let orphans = try OrphanFiles.run(model.fixture.warehouse, table: model.fixture.table)
        #expect(orphans.orphans == [] && orphans.young == 0)
    }
}
