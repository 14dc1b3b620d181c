import Base
import Catalog
import Iceberg
import Storage
import Testing

@testable import Maintenance

@Suite struct SnapshotExpiryTests {
    private func history(_ count: Int) throws -> WarehouseFixture {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: ["history.expire.max-snapshot-age-ms": "3600000"])
        for step in 0..<count { try fixture.append(step * 2..<step * 2 + 2) }
        return fixture
    }

    private let all = TableCommitter.ExpiryRequest(olderThanMs: .max, retainLast: 1)

    @Test func aLongHistoryGoesInSteps() throws {
        let fixture = try history(23)
        var progress: [CleanUpProgress] = []
        let hooks = CleanUpHooks(onProgress: { if $0.step == "snapshots" { progress.append($0) } })
        let report = try SnapshotExpiry.run(
            fixture.warehouse, table: fixture.table, request: all, hooks: hooks, snapshotsAtOnceMax: 5)
        #expect(report.snapshotsExpired == 22 && report.snapshotsLeft == 1 && report.commits == 5)
        #expect(progress.map(\.done) == [5, 10, 15, 20, 22] && progress.allSatisfy { $0.total == 22 })
        #expect(try fixture.rows().count == 46 && fixture.warehouse.findOrphans() == [])
        #expect(fixture.warehouse.snapshotsExpired == 22)
    }

    @Test func aPreviewTellsWhatTheRunDoes() throws {
        let fixture = try history(12)
        let ids = try fixture.metadata().snapshots.map(\.snapshotId)
        let committer = try fixture.warehouse.committer(for: fixture.table)
        _ = try committer.setReference("keep", SnapshotReference(snapshotId: ids[3], kind: .tag))
        let files = try fixture.warehouse.store.list(fixture.metadata().location)
        let preview = try SnapshotExpiry.preview(fixture.warehouse, table: fixture.table, request: all)
        #expect(preview.snapshots.map(\.snapshotId) == ids.dropLast().filter { $0 != ids[3] })
        #expect(preview.snapshotsLeft == 2 && preview.bytes > 0)
        #expect(try fixture.warehouse.store.list(fixture.metadata().location) == files)
        _ = try SnapshotExpiry.run(fixture.warehouse, table: fixture.table, request: all)
        let left = Set(try fixture.warehouse.store.list(fixture.metadata().location))
        #expect(Set(files).subtracting(left) == Set(preview.files))
    }

    @Test func onlyWhatAReferenceReachesGoes() throws {
        let fixture = try history(3)
        let committer = try fixture.warehouse.committer(for: fixture.table)
        let fork = try fixture.metadata().currentSnapshotId!
        _ = try committer.setReference("work", SnapshotReference(snapshotId: fork, kind: .branch))
        for step in 3..<6 { try fixture.append(step * 2..<step * 2 + 2) }
        var request = all
        request.reference = "work"
        let report = try SnapshotExpiry.run(fixture.warehouse, table: fixture.table, request: request)
        #expect(report.snapshotsExpired == 2 && report.snapshotsLeft == 4)
        request.reference = "none"
        #expect(throws: FirnError.self) {
            try SnapshotExpiry.run(fixture.warehouse, table: fixture.table, request: request)
        }
    }

    /// What another writer does between the search and the commit: it needs what was to go, or it does not.
    @Test func aSearchThatIsOvertakenBeginsAnew() throws {
        let fixture = try history(8)
        let committer = try fixture.warehouse.committer(for: fixture.table)
        let second = try fixture.metadata().snapshots[1].snapshotId
        var steps = 0
        let step = try committer.expireNext(all) { _ in
            steps += 1
            // The committer is free during the search.
            if steps == 1 { try fixture.append(100..<102) }
            if steps == 2 { _ = try committer.setReference("late", SnapshotReference(snapshotId: second, kind: .tag)) }
        }
        #expect(try #require(step).snapshots == 7)
        let left = try fixture.metadata().snapshots.map(\.snapshotId)
        #expect(left.count == 2 && left.contains(second))
        for id in left { #expect(try !fixture.rows(at: id).isEmpty) }
    }

    @Test func whatASnapshotBroughtBackIsNotDeleted() throws {
        let fixture = try history(4)
        let base = try fixture.warehouse.loadTable(fixture.table)
        let ids = base.metadata.snapshots.map(\.snapshotId)
        let file = try fixture.liveFiles()[0]
        let committer = try fixture.warehouse.committer(for: fixture.table)
        _ = try committer.deleteFiles([file.path])
        let now = try fixture.warehouse.loadTable(fixture.table)
        let plan = try SnapshotProducer.planExpiry(
            of: now.metadata, snapshotIds: Set(ids), store: fixture.warehouse.store)
        #expect(plan.unreachable.contains(file.path))
        _ = try committer.commit(building: { base, context in
            try SnapshotProducer.append(
                base: base.metadata, baseLocation: base.metadataLocation, files: [file], context: context,
                store: fixture.warehouse.store)
        })
        #expect(
            (#expect(throws: FirnError.self) {
                _ = try committer.commit(building: { base, context in
                    try SnapshotProducer.expire(
                        plan, base: base.metadata, baseLocation: base.metadataLocation, context: context,
                        store: fixture.warehouse.store)
                })
            })?.code == "expiry_overtaken")
    }

    @Test func expiryInsideCommitsIsCountedAndItsFilesGoAtOnce() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: [
            "history.expire.max-snapshot-age-ms": "100", "history.expire.min-snapshots-to-keep": "1",
        ])
        for step in 0..<60 { try fixture.append(step * 2..<step * 2 + 2) }
        let left = try fixture.metadata().snapshots.count
        #expect(left < 40 && fixture.warehouse.snapshotsExpired == 60 - left)
        // The last commits keep a few for the next batch; the ledger knows them.
        #expect(try fixture.warehouse.ledger.entries(.garbage).count < 16)
    }

    /// A reference past its age names a snapshot until an expiry of its own drops it; commits go on meanwhile.
    @Test func commitsGoOnBesideAReferenceThatIsTooOld() throws {
        let fixture = try WarehouseFixture()
        try fixture.createTable(properties: [
            "history.expire.max-snapshot-age-ms": "100", "history.expire.min-snapshots-to-keep": "1",
        ])
        try fixture.append(0..<2)
        let first = try fixture.metadata().currentSnapshotId!
        let committer = try fixture.warehouse.committer(for: fixture.table)
        _ = try committer.setReference(
            "old", SnapshotReference(snapshotId: first, kind: .tag, maxReferenceAgeMs: 1))
        for step in 1..<40 { try fixture.append(step * 2..<step * 2 + 2) }
        #expect(try fixture.metadata().snapshot(id: first) != nil)
        let report = try SnapshotExpiry.run(fixture.warehouse, table: fixture.table)
        #expect(report.referencesExpired == 1)
        #expect(try fixture.metadata().snapshot(id: first) == nil && fixture.warehouse.findOrphans() == [])
    }

    @Test func filesThatCannotBeDeletedStayInTheLedger() throws {
        let fixture = try history(6)
        let store = try #require(fixture.warehouse.store as? MemoryStore)
        store.setHook { call, path in
            if call == .delete, path.contains("/snap-") { throw FirnError(.io, "hook", "no") }
        }
        let report = try SnapshotExpiry.run(fixture.warehouse, table: fixture.table, request: all)
        #expect(report.filesFailed == 5)
        #expect(try fixture.warehouse.ledger.entries(.garbage).count == 5)
        store.setHook(nil)
        #expect(try fixture.warehouse.collectGarbage().deleted == 5)
        #expect(try fixture.warehouse.findOrphans() == [])
    }
}
