import Base
import Catalog
import Columnar
import Glibc
import Iceberg
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Maintenance

/// A process that ends at any step of a compaction, an expiry or a collection leaves a table that is right, and nothing
/// else after one collection (G6, G9).
///
/// Table files are on a simulated disk, which loses its power at the point: nothing that runs afterwards, clean-up
/// included, changes it. Then it comes back either as after `kill -9` or as after a power failure.
@Suite struct FaultPointTests {
    /// One process after the other on one disk.
    private final class World: @unchecked Sendable {
        let directory: String
        let simulated: SimulatedEnvironment
        let table = try! TableIdentifier(parsing: "t.events")
        var warehouse: Warehouse!
        /// Points that were reached, in order.
        let reached = Mutex<[FaultPoint]>([])

        init(seed: UInt64) throws {
            // SQLite reaches its own file by itself.
            var template = Array("/tmp/firn-faults-XXXXXX".utf8CString)
            directory = String(cString: mkdtemp(&template))
            simulated = SimulatedEnvironment.make(seed: seed)
            try simulated.files.createDirectories(directory)
            try start()
        }

        deinit {
            let files = PosixFileSystem()
            for entry in (try? files.list(directory)) ?? [] { try? files.remove(directory + "/" + entry.name) }
            try? files.removeEmptyDirectory(directory)
        }

        /// A new process. At the n-th time that it reaches `point` it is gone.
        func start(dyingAt point: FaultPoint? = nil, time: Int = 1) throws {
            var environment = simulated.environment
            reached.withLock { $0 = [] }
            // Weak, as the warehouse holds this, and this holds the warehouse.
            environment.faults = FaultPoints { [weak self] now in
                guard let self else { return }
                let count = reached.withLock { reached in
                    reached.append(now)
                    return reached.count { $0 == now }
                }
                guard now == point, count == time else { return }
                simulated.files.powerOff()
                throw FirnError(.io, "dead", "the process is gone")
            }
            warehouse = try Warehouse(directory: directory, environment: environment, create: true)
        }

        func fill() throws {
            try warehouse.createNamespace(["t"])
            _ = try warehouse.createTable(
                table, schema: WarehouseFixture.schema, spec: PartitionSpec(), properties: [:])
            for step in 0..<4 { try append(step * 10..<step * 10 + 10) }
        }

        func append(_ ids: Range<Int>) throws {
            simulated.clock.advance(milliseconds: 10)
            let committer = try warehouse.committer(for: table)
            let metadata = try committer.table().metadata
            let writer = try DataFileWriter(metadata: metadata, store: warehouse.store) { _, _ in
                try self.location(metadata, "a.parquet")
            }
            try writer.write(
                WarehouseFixture.batch(ids.map(WarehouseFixture.row), schema: metadata.currentSchema))
            _ = try committer.append(try writer.finish(), ingest: nil)
        }

        /// Deletes the first row of one live file.
        func deleteOne() throws {
            let committer = try warehouse.committer(for: table)
            let metadata = try committer.table().metadata
            let plan = try ScanPlanner.plan(
                metadata: metadata, snapshot: metadata.currentSnapshot!, store: warehouse.store)
            let writer = DeleteFileWriter(metadata: metadata, store: warehouse.store) { _, _, kind in
                try self.location(metadata, "d.\(kind)")
            }
            var delta = TableCommitter.RowDelta()
            (delta.addedDeletes, delta.removedDeletes) = try writer.write([(plan.tasks[0], RowPositions([0]))])
            _ = try committer.rowDelta(delta)
        }

        private func location(_ metadata: TableMetadata, _ name: String) throws -> String {
            let location = "\(metadata.dataFolder)/\(warehouse.environment.uuid())-\(name)"
            try warehouse.ledger.record([location], table: metadata.tableUUID)
            return location
        }

        func compact() throws -> CompactionReport {
            var run = CompactionRun(warehouse: warehouse, table: table, isForced: true)
            var isFirst = true
            run.beforeCommit = {
                if isFirst { try self.deleteOne() }
                isFirst = false
            }
            return try run.run()
        }

        func expire() throws {
            simulated.clock.advance(milliseconds: 10)
            let request = TableCommitter.ExpiryRequest(olderThanMs: simulated.clock.nowMs(), retainLast: 1)
            _ = try SnapshotExpiry.run(warehouse, table: table, request: request)
        }

        func rows() throws -> [Value] {
            let metadata = try warehouse.loadTable(table).metadata
            var ids: [Value] = []
            let plan = try ScanPlanner.plan(
                metadata: metadata, snapshot: metadata.currentSnapshot!, store: warehouse.store)
            for task in plan.tasks {
                let reader = try DataFileReader(task, schema: metadata.currentSchema, store: warehouse.store)
                while let batch = try reader.next() {
                    for row in 0..<batch.rowCount { ids.append(batch.columns[0].value(at: row)) }
                }
            }
            return ids
        }

        /// What the table refers to, and what is there.
        func checkFiles() throws {
            let metadata = try warehouse.loadTable(table)
            var live = Set([metadata.metadataLocation] + metadata.metadata.metadataLog.map(\.metadataFile))
            for snapshot in metadata.metadata.snapshots {
                live.insert(snapshot.manifestList)
                for manifest in try Manifests.list(of: snapshot, store: warehouse.store) {
                    live.insert(manifest.path)
                    try Manifests.forEachEntry(of: manifest, metadata: metadata.metadata, store: warehouse.store) {
                        if $0.isLive { live.insert($0.dataFile.path) }
                        return true
                    }
                }
            }
            let present = simulated.files.contents.keys.filter { !$0.contains("/wal/") }.map { "file://" + $0 }
            #expect(Set(present) == live)
            #expect(try warehouse.ledger.entries().isEmpty)
        }
    }

    private enum Work: String, CaseIterable { case compact, expire, collect }

    /// Runs one kind of work; answers the points it reached.
    private func run(_ work: Work, in world: World) throws {
        switch work {
        case .compact: _ = try world.compact()
        case .expire: try world.expire()
        case .collect: _ = try world.warehouse.collectGarbage()
        }
    }

    private func prepared(_ work: Work, seed: UInt64) throws -> World {
        let world = try World(seed: seed)
        try world.fill()
        if work != .compact { _ = try world.compact() }
        if work == .collect {
            // Garbage that nobody has collected yet: the process that expired died at once.
            try world.start(dyingAt: .collectionListed)
            try? world.expire()
            world.simulated.files.restart()
            try world.start()
        }
        return world
    }

    @Test(arguments: ["compact", "expire", "collect"], [false, true])
    func everyStepIsSurvived(_ name: String, losesPower: Bool) throws {
        let work = try #require(Work(rawValue: name))
        var seed: UInt64 = 1
        let dry = try prepared(work, seed: seed)
        try dry.start()
        try run(work, in: dry)
        let reached = dry.reached.withLock { $0 }
        let expected = FaultPoint.allCases.filter { !$0.rawValue.hasPrefix("remote.") }.filter {
            switch work {
            case .compact: !$0.rawValue.hasPrefix("collection.")
            case .expire: $0 != .commitManifestWritten && $0 != .commitListWritten && !$0.rawValue.hasPrefix("compact")
            case .collect: $0.rawValue.hasPrefix("collection.")
            }
        }
        #expect(Set(reached) == Set(expected), "\(reached)")
        for point in expected {
            for time in Set([1, reached.count { $0 == point }]) {
                seed += 1
                try survive(work, point, time, seed, losesPower: losesPower)
            }
        }
    }

    private func survive(_ work: Work, _ point: FaultPoint, _ time: Int, _ seed: UInt64, losesPower: Bool) throws {
        let world = try prepared(work, seed: seed)
        let before = Set(try world.rows())
        try world.start(dyingAt: point, time: time)
        do {
            try run(work, in: world)
            // Deleting files goes on when a page of them fails.
            #expect(point == .collectionListed, "\(work) did not end at \(point)")
        } catch {}
        let comment = Comment(rawValue: "\(work) at \(point), time \(time)")
        losesPower ? world.simulated.files.crash(seed: seed) : world.simulated.files.restart()
        try world.start()
        _ = try world.warehouse.collectGarbage()
        try world.checkFiles()
        // One row may have been deleted beside the compaction.
        let after = try world.rows()
        #expect(Set(after).count == after.count, comment)
        #expect(Set(after).isSubset(of: before) && before.count - after.count <= 1, comment)
        // And everything goes on.
        _ = try CompactionRun(warehouse: world.warehouse, table: world.table, isForced: true).run()
        #expect(Set(try world.rows()) == Set(after), comment)
        try world.expire()
        try world.checkFiles()
        #expect(Set(try world.rows()) == Set(after), comment)
    }

    @Test func namesArmAProcess() {
        #expect(Set(FaultPoint.allCases.map(\.rawValue)).count == FaultPoint.allCases.count)
        #expect(!FaultPoints.none.areArmed && !FaultPoints.ofProcess().areArmed)
    }
}
