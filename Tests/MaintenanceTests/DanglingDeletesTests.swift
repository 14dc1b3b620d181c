import Base
import Catalog
import Columnar
import Iceberg
import Parquet
import Storage
import Testing

@testable import Maintenance

@Suite struct DanglingDeletesTests {
    /// A delete file of these contents as an entry alone; no reader opens it here.
    private func deletes(
        _ fixture: WarehouseFixture, _ name: String, _ content: DataFile.Content, of target: DataFile,
        namesTarget: Bool = true
    ) throws -> DataFile {
        let path = try fixture.metadata().dataFolder + "/\(name).parquet"
        try fixture.warehouse.ledger.record([path], table: try fixture.metadata().tableUUID)
        try fixture.warehouse.store.put(path, [1, 2, 3])
        var file = DataFile(
            content: content, path: path, partition: target.partition, specId: target.specId, recordCount: 1,
            fileBytes: 3)
        if content == .equalityDeletes { file.equalityIds = [1] }
        if content == .positionDeletes, namesTarget { file.referencedDataFile = target.path }
        return file
    }

    private func delete(_ fixture: WarehouseFixture, _ files: [DataFile]) throws {
        var delta = TableCommitter.RowDelta()
        delta.addedDeletes = files
        _ = try fixture.warehouse.committer(for: fixture.table).rowDelta(delta)
    }

    private func deleteNames(_ fixture: WarehouseFixture) throws -> [String] {
        try fixture.liveFiles().filter { $0.content != .data }.map {
            String($0.path.split(separator: "/").last!.dropLast(8))
        }.sorted()
    }

    @Test func whatAppliesToNothingGoesAndNothingElse() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: true)
        // Two files: days 20000 and 20001, of one row each.
        try fixture.append(1..<3)
        let first = try fixture.liveFiles()
        try delete(
            fixture,
            [
                deletes(fixture, "named", .positionDeletes, of: first[0]),
                deletes(fixture, "live", .positionDeletes, of: first[1]),
                deletes(fixture, "equal", .equalityDeletes, of: first[0]),
                deletes(fixture, "equal-live", .equalityDeletes, of: first[1]),
            ])
        // Younger rows of the first partition keep nothing alive that came before them.
        try fixture.append(8..<9)
        let committer = try fixture.warehouse.committer(for: fixture.table)
        let gone = try #require(first.first { $0.partition == first[0].partition })
        // Another engine removes the file and leaves the deletes.
        try removeKeepingDeletes(fixture, gone.path)
        #expect(try deleteNames(fixture) == ["equal", "equal-live", "live", "named"])
        let before = try committer.table().metadata.currentSnapshot!
        let report = try DanglingDeletes.run(fixture.warehouse, table: fixture.table)
        #expect(try deleteNames(fixture) == ["equal-live", "live"])
        #expect(report.removed == 2 && report.positionDeletesRemoved == 1 && report.equalityDeletesRemoved == 1)
        #expect(report.deletesBefore == 4 && report.commits == 1)
        let after = try committer.table().metadata.currentSnapshot!
        #expect(after.snapshotId == report.snapshotId && after.operation == "replace")
        #expect(after.summary["total-delete-files"] == "2" && after.summary["removed-delete-files"] == "2")
        #expect(after.summary["total-data-files"] == before.summary["total-data-files"])
        let again = try DanglingDeletes.run(fixture.warehouse, table: fixture.table)
        #expect(again.removed == 0 && again.snapshotId == nil)
        var doctor = TableDoctor(table: fixture.table, warehouse: fixture.warehouse)
        doctor.options.depth = .metadata
        let codes = try doctor.examine().findings.map(\.code)
        #expect(!codes.contains(.danglingEqualityDelete) && !codes.contains(.danglingPositionDelete))
    }

    /// A commit that drops a data file and leaves its deletes alone, as engines do that do not look for them.
    private func removeKeepingDeletes(_ fixture: WarehouseFixture, _ path: String) throws {
        _ = try fixture.warehouse.committer(for: fixture.table).commit(building: { base, context in
            let metadata = base.metadata
            let manifests = try Manifests.list(of: metadata.currentSnapshot!, store: fixture.warehouse.store)
            var entries: [ManifestEntry] = []
            for manifest in manifests {
                entries += try Manifests.entries(of: manifest, metadata: metadata, store: fixture.warehouse.store)
            }
            let live = entries.filter(\.isLive).map { entry in
                var entry = entry
                if entry.dataFile.path == path { entry.status = .deleted }
                return entry
            }
            var totals: [String: Int64] = [:]
            for entry in live where entry.isLive { entry.dataFile.count(into: &totals) }
            return try SnapshotProducer.rebuild(
                base: metadata, baseLocation: base.metadataLocation, keeping: [], entries: live, operation: "delete",
                totals: totals, context: context, store: fixture.warehouse.store)
        })
    }

    @Test func deletesOfAWholePartitionAreJudgedByWhatTheyName() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        try fixture.append(0..<5)
        let old = try fixture.liveFiles()[0]
        try fixture.append(5..<10)
        let names = [old.path, old.path + "-never-was"]
        let uuid = try fixture.metadata().tableUUID
        let path = try fixture.metadata().dataFolder + "/wide.parquet"
        try fixture.warehouse.ledger.record([path], table: uuid)
        let sink = try fixture.warehouse.store.putStream(path)
        let schema = Schema(fields: [
            Field(id: 2_147_483_546, name: "file_path", required: true, type: .string),
            Field(id: 2_147_483_545, name: "pos", required: true, type: .long),
        ])
        let writer = ParquetFileWriter(schema: schema, options: ParquetWriteOptions()) { try sink.write($0) }
        let builder = BatchBuilder(schema)
        for name in names {
            builder.columns[0].append(.string(name))
            builder.columns[1].append(.long(0))
        }
        try writer.write(builder.finish())
        let summary = try writer.close()
        try sink.finish()
        try delete(
            fixture,
            [
                DataFile(
                    content: .positionDeletes, path: path, recordCount: 2, fileBytes: Int64(summary.fileBytes))
            ])
        #expect(try DanglingDeletes.run(fixture.warehouse, table: fixture.table).removed == 0)
        try removeKeepingDeletes(fixture, old.path)
        // A younger live file that is as old as the deletes keeps them, unless they are opened.
        let report = try DanglingDeletes.run(fixture.warehouse, table: fixture.table)
        #expect(report.positionDeletesRemoved == 1)
        #expect(try deleteNames(fixture) == [])
    }

    @Test func aFileThatComesBackMeanwhileKeepsItsDeletes() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        try fixture.append(0..<5)
        let file = try fixture.liveFiles()[0]
        try delete(fixture, [deletes(fixture, "d", .positionDeletes, of: file)])
        let whole = try fixture.metadata().currentSnapshotId!
        try removeKeepingDeletes(fixture, file.path)
        var calls = 0
        let report = try DanglingDeletes.run(
            fixture.warehouse, table: fixture.table, hooks: .init(), deletesMax: 1,
            beforeCommit: {
                calls += 1
                guard calls == 1 else { return }
                _ = try fixture.warehouse.committer(for: fixture.table).rollback(to: whole)
            })
        #expect(calls == 1 && report.conflicts == 1 && report.removed == 0)
        #expect(try deleteNames(fixture) == ["d"])
    }

    @Test func manyDeletesAreLookedAtInParts() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable()
        try fixture.append(0..<5)
        let file = try fixture.liveFiles()[0]
        try delete(
            fixture,
            try (0..<7).map {
                try deletes(fixture, "d\($0)", $0 % 2 == 0 ? .positionDeletes : .equalityDeletes, of: file)
            })
        try removeKeepingDeletes(fixture, file.path)
        let report = try DanglingDeletes.run(
            fixture.warehouse, table: fixture.table, hooks: .init(), deletesMax: 2)
        #expect(report.removed == 7 && report.deletesBefore == 7 && report.commits == 1)
        #expect(try fixture.pendingFiles == [])
    }
}
