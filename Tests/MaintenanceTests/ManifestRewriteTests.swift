import Base
import Catalog
import Columnar
import Iceberg
import Storage
import Testing

@testable import Maintenance

@Suite struct ManifestRewriteTests {
    private static let metadata = try! TableMetadata.create(
        schema: WarehouseFixture.schema,
        spec: PartitionSpec(fields: [
            PartitionField(sourceId: 2, name: "day", transform: .identity),
            PartitionField(sourceId: 1, name: "bucket", transform: .bucket(16)),
        ]), sortOrder: .unsorted, location: "file:///w/t", properties: [:], uuid: UUID(high: 0, low: 1), nowMs: 1)

    /// A manifest whose files are of these days and buckets; nil days stand for null.
    private func manifest(
        _ name: String, _ days: ClosedRange<Int>?, _ buckets: ClosedRange<Int> = 0...15, mib: Int64 = 8,
        hasNull: Bool = false
    ) -> ManifestFile {
        func bound(_ value: Value) -> [UInt8] { SingleValue.encode(value)! }
        return ManifestFile(
            path: name, length: mib << 20, specId: 0, content: .data, sequenceNumber: 1, minSequenceNumber: 1,
            addedSnapshotId: 1, addedFilesCount: 10, existingFilesCount: 0, deletedFilesCount: 0, addedRowsCount: 10,
            existingRowsCount: 0, deletedRowsCount: 0,
            partitions: [
                .init(
                    containsNull: hasNull || days == nil, containsNaN: false,
                    lowerBound: days.map { bound(.date(Int32($0.lowerBound))) },
                    upperBound: days.map { bound(.date(Int32($0.upperBound))) }),
                .init(
                    containsNull: false, containsNaN: false, lowerBound: bound(.int(Int32(buckets.lowerBound))),
                    upperBound: bound(.int(Int32(buckets.upperBound)))),
            ])
    }

    private func plans(_ manifests: [ManifestFile], isForced: Bool = false) -> [ManifestPlan] {
        ManifestPolicy.plans(manifests, metadata: Self.metadata, isForced: isForced)
    }

    @Test func sortedManifestsAreLeftAlone() {
        var sorted = (0..<20).map { manifest("m\($0)", $0 * 3...$0 * 3 + 3) }
        // A day that fills several manifests, divided by bucket, and null first.
        sorted += (0..<15).map { manifest("d\($0)", 100...100, $0...$0 + 1) }
        sorted.append(manifest("n", nil))
        sorted.append(manifest("nn", 0...0, hasNull: true))
        #expect(plans(sorted).isEmpty)
        #expect(plans(sorted, isForced: true).isEmpty)
    }

    @Test func crossingManifestsAreRewrittenInTheOrderOfTheirPartitions() {
        let crossing = [5, 1, 3, 0, 4, 2].map { manifest("m\($0)", $0...90) }
        let plan = plans(crossing)
        #expect(plan.count == 1 && plan[0].manifests.map(\.path) == (0...5).map { "m\($0)" })
        #expect(plan[0].reason.contains("40.0 MiB"))
        // Little of it is not worth the price.
        #expect(plans(Array(crossing.prefix(4))).isEmpty)
        #expect(plans(Array(crossing.prefix(2)), isForced: true).count == 1)
        let large = (0..<200).map { manifest("s\($0)", $0 * 3...$0 * 3 + 3) }
        // Crossing by six manifests costs 80 of 1,648 MiB: a twentieth.
        #expect(plans(large + crossing).isEmpty)
    }

    @Test func smallManifestsAreMerged() {
        let few = (0..<99).map { manifest("m\($0)", $0...$0, mib: 0) }
        #expect(plans(few).isEmpty)
        #expect(plans(few + [manifest("x", 200...200, mib: 0)])[0].manifests.count == 100)
        #expect(plans(Array(few.prefix(2)), isForced: true)[0].reason == "2 small manifests of 0 B")
        // Two of just under half the target stay below it together; three of more than half are not small.
        #expect(plans([manifest("a", 1...1, mib: 5), manifest("b", 2...2, mib: 5)], isForced: true).isEmpty)
        #expect(plans([manifest("a", 1...1, mib: 17)])[0].reason.contains("twice the target"))
    }

    private func entries(_ fixture: WarehouseFixture) throws -> [String: [Int64?]] {
        let metadata = try fixture.metadata()
        let live = try Manifests.liveEntries(
            of: metadata.currentSnapshot!, metadata: metadata, store: fixture.warehouse.store)
        return Dictionary(
            uniqueKeysWithValues: live.map {
                ($0.dataFile.path, [$0.sequenceNumber, $0.fileSequenceNumber, $0.snapshotId, $0.dataFile.firstRowId])
            })
    }

    private func manifests(_ fixture: WarehouseFixture) throws -> [ManifestFile] {
        try Manifests.list(of: try fixture.metadata().currentSnapshot!, store: fixture.warehouse.store)
    }

    @Test(arguments: [2, 3])
    func entriesStayAsTheyAre(version: Int) throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(
            partitioned: true,
            properties: [
                "commit.manifest-merge.enabled": "false", "commit.manifest.target-size-bytes": "6000",
            ])
        for step in 0..<6 { try fixture.append(step * 10 + 1..<step * 10 + 9) }
        if version == 3 {
            _ = try fixture.warehouse.committer(for: fixture.table).upgrade(formatVersion: 3)
            // Half of the files get their row ids now, by the manifests they are in.
            for step in 6..<12 { try fixture.append(step * 10 + 1..<step * 10 + 9) }
        }
        let (before, rows) = (try entries(fixture), try fixture.rows())
        let manifestsBefore = try manifests(fixture)
        let report = try ManifestRewrite.run(fixture.warehouse, table: fixture.table, isForced: true)
        let after = try manifests(fixture)
        #expect(try entries(fixture) == before)
        #expect(try fixture.rows() == rows)
        #expect(after.count < manifestsBefore.count)
        #expect(
            report.entries == before.count && report.commits == 1 && report.manifestsBefore == manifestsBefore.count)
        #expect(report.tableManifestsAfter == after.count && report.manifestsAfter == after.count)
        #expect(try fixture.pendingFiles == [])
        // Sorted by day: no two of them share more than a bound.
        let fields = try fixture.metadata().partitionFields(of: fixture.metadata().spec(id: 0)!)
        let ranges = after.map { TupleRange($0, fields) }
        for (index, range) in ranges.enumerated() {
            for other in ranges[(index + 1)...] { #expect(!range.crosses(other)) }
        }
        let summary = try fixture.metadata().currentSnapshot!.summary
        #expect(summary["operation"] == "replace" && summary["manifests-created"] == String(after.count))
        #expect(summary["manifests-replaced"] == String(manifestsBefore.count))
        #expect(summary["total-data-files"] == String(before.count))
        if version == 3 {
            let next = try fixture.metadata().nextRowId!
            #expect(before.values.allSatisfy { $0[3]! < next })
        }
        var doctor = TableDoctor(table: fixture.table, warehouse: fixture.warehouse)
        doctor.options.depth = .metadata
        #expect(try doctor.examine().isClean)
    }

    @Test func groupsAreBoundedAndCommittedOneByOne() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: true, properties: ["commit.manifest-merge.enabled": "false"])
        for step in 0..<9 { try fixture.append(step * 10 + 1..<step * 10 + 9) }
        let before = try entries(fixture)
        let report = try ManifestRewrite.run(
            fixture.warehouse, table: fixture.table, isForced: true, hooks: .init(), memoryBytesMax: 2000)
        #expect(report.commits > 1)
        #expect(try entries(fixture) == before)
        #expect(try fixture.pendingFiles == [])
    }

    @Test func aManifestThatIsReplacedMeanwhileMakesTheRunPlanAnew() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: true, properties: ["commit.manifest-merge.enabled": "false"])
        for step in 0..<4 { try fixture.append(step * 10 + 1..<step * 10 + 9) }
        var calls = 0
        let report = try ManifestRewrite.run(
            fixture.warehouse, table: fixture.table, isForced: true, hooks: .init(), memoryBytesMax: 1 << 20,
            beforeCommit: {
                calls += 1
                if calls == 1 {
                    _ = try fixture.warehouse.committer(for: fixture.table).rewriteManifests()
                    try fixture.append(100..<105)
                }
            })
        #expect(report.conflicts == 1 && calls == 2 && report.commits == 1)
        #expect(try manifests(fixture).count == 1)
        #expect(try fixture.pendingFiles == [])
        #expect(try fixture.warehouse.findOrphans() == [])
    }

    @Test func commitsMeanwhileDoNotDisturb() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(partitioned: true, properties: ["commit.manifest-merge.enabled": "false"])
        for step in 0..<4 { try fixture.append(step * 10 + 1..<step * 10 + 9) }
        var appended = false
        let report = try ManifestRewrite.run(
            fixture.warehouse, table: fixture.table, isForced: true, hooks: .init(), memoryBytesMax: 1 << 20,
            beforeCommit: {
                if !appended { try fixture.append(100..<105) }
                appended = true
            })
        #expect(report.conflicts == 0 && report.commits == 1)
        #expect(try manifests(fixture).count == 2)
        #expect(try fixture.rows().count == 4 * 8 + 5)
    }
}
