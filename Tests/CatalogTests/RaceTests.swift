import Base
import Catalog
import Iceberg
import Storage
import Testing

@Suite struct RaceTests {
    /// Two processes' worth of committers, each with its own connections, cache and owner, on one table.
    @Test func fiveHundredCommitsFromTwoProcessesLoseNone() throws {
        let scratch = try ScratchWarehouse()
        // Files in memory: the race is in the catalog, and a thousand file syncs would only slow it down.
        let store = MemoryStore()
        let warehouses = try (0..<2).map { _ in
            try Warehouse(directory: scratch.path, environment: .live, create: false, store: store)
        }
        let id = try TableIdentifier(parsing: "shop.orders")
        try warehouses[0].createNamespace(["shop"])
        let table = try warehouses[0].createTable(
            id, schema: ScratchWarehouse.schema,
            properties: [
                "commit.retry.min-wait-ms": "1", "commit.manifest.min-count-to-merge": "20",
                "write.metadata.previous-versions-max": "5",
            ])
        let written = Collector()
        let retries = Counter()
        try concurrently(2) { index in
            let committer = try warehouses[index].committer(for: id)
            for number in 0..<250 {
                // Keeps the metadata small, and races expiry against commits as well.
                if number % 10 == 9 { _ = try committer.expire(.init(olderThanMs: .max, retainLast: 2)) }
                let files = try warehouses[index].writeDataFiles(1, of: table)
                let result = try committer.append(files, ingest: nil)
                if result.attempts > 1 { retries.next() }
                written.add(files[0].path)
            }
        }
        let expected = written.all
        #expect(expected.count == 500)
        #expect(try warehouses[0].livePaths(id).sorted() == expected.sorted())
        let metadata = try warehouses[1].loadTable(id).metadata
        #expect(metadata.snapshots.count < 60)
        #expect(metadata.lastSequenceNumber == 500)
        #expect(metadata.currentSnapshot?.summary["total-records"] == "500")
        #expect(retries.current > 0)
        try warehouses[0].collectGarbage()
        #expect(try warehouses[0].ledger.entries() == [])
        #expect(try warehouses[0].findOrphans() == [])
        #expect(store.count == (try reachableFiles(metadata, store: store).count) + 1)
    }

    /// A table that gets another name between two reads of the catalog is not taken for gone.
    @Test func aTableIsFoundWhileItIsRenamed() throws {
        let scratch = try ScratchWarehouse()
        let first = try scratch.makeTable("shop.first")
        let wanted = try scratch.makeTable("shop.wanted")
        let uuid = wanted.metadata.tableUUID
        let other = try scratch.another()
        try scratch.restart()  // Nothing is cached.
        scratch.store.setHook { call, location in
            guard call == .get, location == first.metadataLocation else { return }
            try other.renameTable(wanted.identifier, to: TableIdentifier(parsing: "shop.another"))
        }
        #expect(try scratch.warehouse.findTable(uuid)?.metadata.tableUUID == uuid)
        scratch.store.setHook(nil)
        #expect(try scratch.warehouse.findTable(uuid)?.identifier.name == "another")
        #expect(try scratch.warehouse.findTable(Environment.live.uuid()) == nil)
    }

    /// Threads of one process never lose a race against each other.
    @Test func oneProcessCommitsWithoutConflicts() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let warehouse = scratch.warehouse
        let attempts = Counter()
        try concurrently(4) { _ in
            for _ in 0..<10 {
                let files = try warehouse.writeDataFiles(1, of: table)
                let result = try warehouse.committer(for: table.identifier).append(files, ingest: nil)
                for _ in 0..<result.attempts { attempts.next() }
            }
        }
        #expect(attempts.current == 40)
        #expect(try warehouse.livePaths(table.identifier).count == 40)
    }

    /// The guard belongs to what the caller validated: a retry after a lost race never takes a newer position instead.
    @Test func aRetryKeepsItsGuard() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let id = table.identifier
        let other = try scratch.another()
        let intruded = Counter()
        let store = scratch.store
        // While our attempt writes its metadata file, another process commits from the same log.
        store.setHook { call, location in
            guard call == .put, location.hasSuffix(".metadata.json"), intruded.next() == 0 else { return }
            let files = try other.writeDataFiles(1, of: table)
            _ = try other.committer(for: id).append(files, ingest: IngestMark(expectedPosition: 0, position: 7))
        }
        let files = try scratch.warehouse.writeDataFiles(1, of: table)
        #expect(
            fails(.fenced, "log_position_mismatch") {
                _ = try scratch.warehouse.committer(for: id).append(
                    files, ingest: IngestMark(expectedPosition: 0, position: 5))
            })
        store.setHook(nil)
        #expect(intruded.current > 0)
        #expect(try scratch.warehouse.logPosition(table.metadata.tableUUID) == 7)
        #expect(try scratch.warehouse.livePaths(id).count == 1)
        #expect(try scratch.warehouse.ledger.entries(.pending).map(\.path) == files.map(\.path))
    }

    /// An intruder that only moves marks leaves the pointer alone, so the swap alone would let both commit.
    @Test func theGuardHoldsWithoutAPointerChange() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let id = table.identifier
        let other = try scratch.another()
        let intruded = Counter()
        scratch.store.setHook { call, location in
            guard call == .put, location.hasSuffix(".metadata.json"), intruded.next() == 0 else { return }
            _ = try other.committer(for: id).append([], ingest: IngestMark(expectedPosition: 0, position: 7))
        }
        let files = try scratch.warehouse.writeDataFiles(1, of: table)
        #expect(
            fails(.fenced, "log_position_mismatch") {
                _ = try scratch.warehouse.committer(for: id).append(
                    files, ingest: IngestMark(expectedPosition: 0, position: 5))
            })
        scratch.store.setHook(nil)
        #expect(try scratch.warehouse.livePaths(id) == [])
        #expect(try scratch.warehouse.logPosition(table.metadata.tableUUID) == 7)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles().union(files.map(\.path)))
    }

    @Test func aForeignCommitInBetweenIsRebasedOn() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let id = table.identifier
        let other = try scratch.another()
        let intrusions = Counter()
        scratch.store.setHook { call, location in
            guard call == .put, location.hasSuffix(".metadata.json"), intrusions.next() < 3 else { return }
            _ = try other.committer(for: id).append(try other.writeDataFiles(1, of: table), ingest: nil)
        }
        let files = try scratch.warehouse.writeDataFiles(1, of: table)
        let result = try scratch.warehouse.committer(for: id).append(
            files, ingest: IngestMark(expectedPosition: 0, position: 5))
        scratch.store.setHook(nil)
        #expect(result.attempts == 4)
        #expect(try scratch.warehouse.livePaths(id).count == 4)
        #expect(try scratch.warehouse.logPosition(table.metadata.tableUUID) == 5)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
    }

    @Test func givesUpAsTheTableSays() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable(
            properties: ["commit.retry.num-retries": "2", "commit.retry.min-wait-ms": "1"])
        let other = try scratch.another()
        scratch.store.setHook { call, location in
            guard call == .put, location.hasSuffix(".metadata.json") else { return }
            _ = try other.committer(for: table.identifier).setProperties([location: "x"])
        }
        #expect(
            fails(.conflict, "commit_conflict") {
                _ = try scratch.warehouse.committer(for: table.identifier).setProperties(["a": "b"])
            })
        scratch.store.setHook(nil)
        #expect(try other.loadTable(table.identifier).metadata.properties["a"] == nil)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
    }
}
