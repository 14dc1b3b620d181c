import Base
import Columnar
import Iceberg
import Storage
import Testing

@testable import Catalog

/// Transactions that clients of the REST catalog send: several tables, creations among them, and requests with keys.
@Suite struct ForeignTransactionTests {
    private func setting(_ key: String, _ table: Table, _ requirements: [TableRequirement] = []) -> TableTransaction {
        TableTransaction(
            identifier: table.identifier, requirements: requirements, updates: [.setProperties([key: "1"])])
    }

    private func creating(_ name: String, _ scratch: ScratchWarehouse) throws -> TableTransaction {
        let id = try TableIdentifier(parsing: name)
        let staged = try scratch.warehouse.stageTable(id, schema: ScratchWarehouse.schema)
        return TableTransaction(
            identifier: id, requirements: [.assertCreate],
            updates: [
                .assignUUID(staged.tableUUID), .addSchema(staged.currentSchema), .setCurrentSchema(-1),
                .addSpec(staged.defaultSpec), .setDefaultSpec(-1), .setLocation(staged.location),
            ])
    }

    private func request(_ key: String = "k", fingerprint: String = "f", lifetimeMs: Int64 = 60_000) -> KeyedRequest {
        KeyedRequest(key: key, fingerprint: fingerprint, status: 200, lifetimeMs: lifetimeMs)
    }

    private func properties(_ warehouse: Warehouse, _ table: Table) throws -> [String: String] {
        try warehouse.loadTable(table.identifier).metadata.properties
    }

    @Test func changesAndCreationsAreOneTransaction() throws {
        let scratch = try ScratchWarehouse()
        let (one, two) = (try scratch.makeTable("shop.one"), try scratch.makeTable("shop.two"))
        let warehouse = scratch.warehouse
        let made = try creating("shop.made", scratch)
        let before = try scratch.filesOnDisk()
        let wrong = setting("a", two, [.assertCurrentSchemaId(9)])
        #expect(fails(.conflict, "requirement_failed") { _ = try warehouse.commit([setting("a", one), made, wrong]) })
        #expect(try scratch.filesOnDisk() == before)
        #expect(try warehouse.listTables().count == 2)
        #expect(try warehouse.ledger.entries() == [])
        let results = try warehouse.commit([setting("a", one), made, setting("a", two)])
        #expect(results.map(\.table.identifier.name) == ["one", "made", "two"])
        #expect(try properties(warehouse, one)["a"] == "1" && properties(warehouse, two)["a"] == "1")
        let found = try warehouse.loadTable(made.identifier)
        #expect(found.metadata == results[1].table.metadata)
        #expect(found.metadata.properties["write.parquet.compression-codec"] == "zstd")
        #expect(try warehouse.ledger.entries() == [])
        // The table that came into being has a committer like any other.
        let files = try warehouse.writeDataFiles(1, of: found)
        _ = try warehouse.committer(for: made.identifier).append(files, ingest: nil)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
        #expect(fails(.conflict, "requirement_failed") { _ = try warehouse.commit([made]) })
    }

    @Test func aNameTakenMeanwhileEndsTheWholeTransaction() throws {
        let scratch = try ScratchWarehouse()
        let one = try scratch.makeTable("shop.one")
        let warehouse = scratch.warehouse
        let made = try creating("shop.made", scratch)
        let other = try scratch.another()
        let once = Counter()
        scratch.store.setHook { call, location in
            guard call == .put, location.hasSuffix(".metadata.json"), once.next() == 0 else { return }
            _ = try other.createTable(try TableIdentifier(parsing: "shop.made"), schema: ScratchWarehouse.schema)
        }
        #expect(fails(.alreadyExists, "table_exists") { _ = try warehouse.commit([setting("a", one), made]) })
        scratch.store.setHook(nil)
        #expect(try properties(warehouse, one)["a"] == nil)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
    }

    @Test func aRivalsCommitIsBuiltOn() throws {
        let scratch = try ScratchWarehouse()
        let one = try scratch.makeTable("shop.one")
        let made = try creating("shop.made", scratch)
        let other = try scratch.another()
        let once = Counter()
        scratch.store.setHook { call, location in
            guard call == .put, location.contains("/one/metadata/"), once.next() == 0 else { return }
            _ = try other.committer(for: one.identifier).setProperties(["rival": "1"])
        }
        let held = [TableRequirement.assertTableUUID(one.metadata.tableUUID)]
        let results = try scratch.warehouse.commit([made, setting("a", one, held)])
        scratch.store.setHook(nil)
        #expect(results[1].attempts == 2)
        #expect(try properties(scratch.warehouse, one).filter { ["a", "rival"].contains($0.key) }.count == 2)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
    }

    @Test func aTableIsNotTwiceInATransaction() throws {
        let scratch = try ScratchWarehouse()
        let one = try scratch.makeTable("shop.one")
        let made = try creating("shop.made", scratch)
        #expect(
            fails(.invalidInput, "table_twice") {
                _ = try scratch.warehouse.commit([setting("a", one), setting("b", one)])
            })
        #expect(fails(.invalidInput, "table_twice") { _ = try scratch.warehouse.commit([made, made]) })
    }

    // MARK: Files

    /// What a client names must be there, and where tables may be: a table that nobody can read helps nobody.
    @Test(arguments: [
        ("as it is", nil), ("elsewhere", "bad_location"), ("missing", "bad_snapshot"), ("longer", "bad_snapshot"),
    ])
    func filesOfASnapshotAreLookedAt(_ fate: String, code: String?) throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let id = table.identifier
        var file = try warehouse.writeDataFiles(1, of: table)[0]
        switch fate {
        case "elsewhere": file.path = "file:///tmp/firn-elsewhere.parquet"
        case "missing": try warehouse.store.delete(file.path)
        case "longer": file.fileBytes += 1
        default: break
        }
        let commit = try SnapshotProducer.append(
            base: table.metadata, baseLocation: table.metadataLocation, files: [file],
            context: CommitContext(
                snapshotId: 7, commitUUID: warehouse.environment.uuid(), metadataUUID: warehouse.environment.uuid(),
                nowMs: table.metadata.lastUpdatedMs + 1), store: warehouse.store)
        try warehouse.store.putAll(commit.objects.dropLast())
        let change = TableTransaction(
            identifier: id, requirements: commit.requirements, updates: commit.updates)
        if let code {
            #expect(fails(.invalidInput, code) { _ = try warehouse.commit([change]) })
            #expect(try warehouse.loadTable(id).metadata.currentSnapshotId == nil)
        } else {
            _ = try warehouse.commit([change])
            #expect(try warehouse.livePaths(id) == [file.path])
        }
    }

    // MARK: Keys

    @Test func aRequestAndItsAnswerAreOneTransaction() throws {
        let scratch = try ScratchWarehouse()
        let one = try scratch.makeTable("shop.one")
        let warehouse = scratch.warehouse
        #expect(try warehouse.answer(to: request()) == nil)
        let done = try warehouse.commit([setting("a", one)], request: request(), showsTable: true)[0].table
        let answer = try #require(try warehouse.answer(to: request()))
        #expect(answer == KeyedRequest.Answer(status: 200, metadataLocation: done.metadataLocation))
        #expect(
            fails(.invalidInput, "idempotency_key_reused") { _ = try warehouse.answer(to: request(fingerprint: "x")) })
        // A second run of it has no effect at all.
        let files = try scratch.filesOnDisk()
        #expect(
            fails(.conflict, "request_repeated") { _ = try warehouse.commit([setting("b", one)], request: request()) })
        #expect(try properties(warehouse, one)["b"] == nil)
        #expect(try scratch.filesOnDisk() == files)
        #expect(
            fails(.conflict, "request_repeated") {
                try warehouse.dropTable(one.identifier, purge: true, request: request())
            })
        #expect(
            fails(.conflict, "request_repeated") { try warehouse.createNamespace(["x"], request: request()) })
        #expect(
            fails(.conflict, "request_repeated") {
                try warehouse.renameTable(one.identifier, to: TableIdentifier(parsing: "shop.x"), request: request())
            })
        #expect(
            fails(.conflict, "request_repeated") {
                _ = try warehouse.createTable(
                    TableIdentifier(parsing: "shop.x"), schema: ScratchWarehouse.schema, request: request())
            })
        #expect(try warehouse.listTables() == [one.identifier] && warehouse.listNamespaces() == [["shop"]])
        #expect(try scratch.filesOnDisk() == files)
    }

    /// The COMMIT fails for the client: the answer is there exactly when the change is.
    @Test(arguments: [CatalogDatabase.CommitPoint.before, .after])
    func aBrokenCommitKeepsTheTwoTogether(_ point: CatalogDatabase.CommitPoint) throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let database = warehouse.core.database
        let once = Counter()
        try warehouse.createNamespace(["kept"])
        database.setCommitHook { at in
            guard at == point, once.next() == 0 else { return }
            throw simulatedCrash
        }
        #expect(fails(.outcomeUnknown) { try warehouse.createNamespace(["made"], request: request()) })
        database.setCommitHook(nil)
        let happened = try warehouse.namespaceExists(["made"])
        #expect(happened == (point == .after))
        #expect(try (warehouse.answer(to: request()) != nil) == happened)
    }

    @Test func answersAreForgottenByAge() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        try warehouse.keep(KeyedRequest.Answer(status: 409, body: [1]), to: request("old"))
        #expect(try warehouse.answer(to: request("old"))?.body == [1])
        #expect(try warehouse.answer(to: request("old", lifetimeMs: -60_000)) == nil)
        try warehouse.keep(KeyedRequest.Answer(status: 200), to: request("new", lifetimeMs: -60_000))
        #expect(try warehouse.answer(to: request("old")) == nil)
    }

    // MARK: Places

    @Test func locationsOfTablesStayApart() throws {
        let scratch = try ScratchWarehouse()
        _ = try scratch.makeTable("shop.one")
        let id = try TableIdentifier(parsing: "shop.two")
        let root = "file://" + scratch.path
        for location in [
            root, root + "/wal/x", root + "/wal", root + "/shop", root + "/shop/one", root + "/shop/one/x",
            root + "/catalog.db", root + "/../x", "file:///etc", "/etc", scratch.path + "/x", "s3://b/x", "",
        ] {
            #expect(
                fails(.invalidInput, "bad_location") {
                    _ = try scratch.warehouse.stageTable(id, schema: ScratchWarehouse.schema, location: location)
                }, "\(location)")
        }
        for location in [root + "/shop/ones", root + "/x/y/", root + "/walnut"] {
            _ = try scratch.warehouse.stageTable(id, schema: ScratchWarehouse.schema, location: location)
        }
    }
}
