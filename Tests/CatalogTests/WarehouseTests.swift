import Base
import Catalog
import Columnar
import Iceberg
import Storage
import Testing

@Suite struct WarehouseTests {
    @Test func openingNeedsAWarehouse() throws {
        #expect(
            fails(.notFound, "warehouse_not_found") {
                _ = try Warehouse(directory: "/tmp/firn-no-such", environment: .live, create: false)
            })
        for bad in ["relative", "/tmp/../x", "/tmp/a?b", "/tmp/a#b", "/tmp/a%20b", "s3://b/x", ""] {
            #expect(fails(.invalidInput) { _ = try Warehouse(directory: bad, environment: .live, create: true) })
        }
    }

    @Test func namespaces() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        try warehouse.createNamespace(["a", "b"], properties: ["owner": "me"])
        try warehouse.createNamespace(["a_"])
        #expect(try warehouse.listNamespaces() == [["a"], ["a", "b"], ["a_"]])
        #expect(try warehouse.listNamespaces(under: []) == [["a"], ["a_"]])
        #expect(try warehouse.listNamespaces(under: ["a"]) == [["a", "b"]])
        #expect(try warehouse.listNamespaces(under: ["a_"]) == [])
        #expect(fails(.notFound, "namespace_not_found") { _ = try warehouse.listNamespaces(under: ["x"]) })
        #expect(fails(.alreadyExists, "namespace_exists") { try warehouse.createNamespace(["a", "b"]) })
        try warehouse.createNamespace(["a", "b"], ifNotExists: true)
        #expect(try warehouse.namespaceProperties(["a", "b"]) == ["owner": "me"])
        try warehouse.setNamespaceProperties(["a", "b"], set: ["x": "1"], remove: ["owner", "exists"])
        #expect(try warehouse.namespaceProperties(["a", "b"]) == ["x": "1"])
        #expect(
            fails(.invalidInput, "bad_property") {
                try warehouse.setNamespaceProperties(["a"], set: ["k": String(repeating: "v", count: 1001)])
            })
        #expect(fails(.conflict, "namespace_not_empty") { try warehouse.dropNamespace(["a"]) })
        try warehouse.setNamespaceProperties(["a", "b"], set: [:], remove: ["x"])
        #expect(try warehouse.namespaceExists(["a", "b"]))
        try warehouse.dropNamespace(["a", "b"])
        #expect(try warehouse.listNamespaces() == [["a"], ["a_"]] || warehouse.listNamespaces() == [["a_"]])
        #expect(fails(.notFound) { try warehouse.dropNamespace(["a", "b"]) })
    }

    @Test func inferenceIsAllowedByTheNearestNamespaceThatSays() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        try warehouse.createNamespace(["a"], properties: [Warehouse.autoCreateProperty: "true"])
        try warehouse.createNamespace(["a", "b"])
        try warehouse.createNamespace(["a", "c"], properties: [Warehouse.autoCreateProperty: "false"])
        #expect(try warehouse.allowsTableInference(in: ["a"]))
        #expect(try warehouse.allowsTableInference(in: ["a", "b"]))
        #expect(try !warehouse.allowsTableInference(in: ["a", "c"]))
        #expect(try !warehouse.allowsTableInference(in: ["x"]))
    }

    @Test func newTables() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable("shop.eu.orders", properties: ["write.metadata.previous-versions-max": "7"])
        #expect(table.metadata.location == "file://" + scratch.path + "/shop/eu/orders")
        #expect(
            table.metadata.properties == [
                "write.parquet.compression-codec": "zstd", "write.metadata.delete-after-commit.enabled": "true",
                "write.metadata.previous-versions-max": "7", "history.expire.max-snapshot-age-ms": "3600000",
                "history.expire.min-snapshots-to-keep": "10",
            ])
        let name = try #require(table.metadataLocation.split(separator: "/").last)
        #expect(name.hasPrefix("00000-") && name.hasSuffix(".metadata.json"))
        let loaded = try scratch.another().loadTable(table.identifier).metadata
        #expect(try loaded == TableMetadata.parse(table.metadata.serialize(), source: "memory"))
        #expect(fails(.alreadyExists, "table_exists") { _ = try scratch.makeTable("shop.eu.orders") })
        #expect(
            fails(.invalidInput, "bad_property") {
                _ = try scratch.makeTable("shop.eu.other", properties: ["write.parquet.compression-codec": "brotli"])
            })
        let again = try scratch.warehouse.createTable(
            table.identifier, schema: ScratchWarehouse.schema, ifNotExists: true)
        #expect(again.metadataLocation == table.metadataLocation)
        #expect(try scratch.filesOnDisk() == [table.metadataLocation])
        #expect(try scratch.warehouse.ledger.entries() == [])
    }

    @Test func refusedTablesLeaveNothing() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let id = try TableIdentifier(parsing: "shop.orders")
        #expect(
            fails(.notFound, "namespace_not_found") {
                _ = try warehouse.createTable(id, schema: ScratchWarehouse.schema)
            })
        try warehouse.createNamespace(["shop"])
        for properties in [
            ["uuid": "x"], ["": "x"], ["write.data.path": "file:///etc"], ["write.metadata.path": "/tmp/x"],
            ["write.data.path": "file://" + scratch.path + "/../x"],
            ["write.data.path": "file://" + scratch.path + "/wal"],
            ["write.data.path": "s3://bucket/x"],
        ] {
            #expect(
                fails(.invalidInput, "bad_property") {
                    _ = try warehouse.createTable(id, schema: ScratchWarehouse.schema, properties: properties)
                })
        }
        let twins = Schema(fields: [
            Field(id: 1, name: "a", required: false, type: .long), Field(id: 2, name: "A", required: false, type: .int),
        ])
        #expect(fails(.invalidInput) { _ = try warehouse.createTable(id, schema: twins) })
        #expect(try scratch.filesOnDisk() == [])
        #expect(try warehouse.ledger.entries() == [])
    }

    @Test func tablesAndNamespacesDoNotShareNames() throws {
        let scratch = try ScratchWarehouse()
        _ = try scratch.makeTable("shop.orders")
        #expect(
            fails(.alreadyExists, "name_taken_by_table") {
                try scratch.warehouse.createNamespace(["shop", "orders", "x"])
            })
        try scratch.warehouse.createNamespace(["shop", "eu"])
        #expect(fails(.alreadyExists, "name_taken_by_namespace") { _ = try scratch.makeTable("shop.eu") })
        #expect(
            fails(.alreadyExists, "name_taken_by_namespace") {
                try scratch.warehouse.renameTable(
                    TableIdentifier(parsing: "shop.orders"), to: TableIdentifier(parsing: "shop.eu"))
            })
    }

    @Test func renaming() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable("shop.orders")
        _ = try scratch.makeTable("shop.taken")
        let to = try TableIdentifier(parsing: "shop.sales")
        #expect(
            fails(.alreadyExists, "table_exists") {
                try warehouse.renameTable(table.identifier, to: TableIdentifier(parsing: "shop.taken"))
            })
        #expect(
            fails(.notFound, "namespace_not_found") {
                try warehouse.renameTable(table.identifier, to: TableIdentifier(parsing: "nowhere.x"))
            })
        let committer = try warehouse.committer(for: table.identifier)
        try warehouse.renameTable(table.identifier, to: to)
        #expect(fails(.notFound, "table_not_found") { try warehouse.renameTable(table.identifier, to: to) })
        #expect(fails(.notFound, "table_not_found") { _ = try committer.setProperties(["a": "b"]) })
        _ = try warehouse.committer(for: to).setProperties(["a": "b"])
        // The old name is free, but its folder is not.
        let second = try scratch.makeTable("shop.orders")
        #expect(second.metadata.location.hasPrefix(table.metadata.location + "-"))
        #expect(second.metadata.tableUUID != table.metadata.tableUUID)
        // Whoever still holds the name's old table must not write into the new one.
        #expect(fails(.conflict, "table_replaced") { _ = try committer.setProperties(["a": "b"]) })
        #expect(try warehouse.listTables().map(\.name) == ["orders", "sales", "taken"])
    }

    @Test func droppingWithAndWithoutPurge() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let committer = try warehouse.committer(for: table.identifier)
        _ = try committer.append(
            try warehouse.writeDataFiles(3, of: table), ingest: IngestMark(expectedPosition: 0, position: 9))
        let uuid = table.metadata.tableUUID
        let before = try scratch.filesOnDisk()
        try warehouse.dropTable(table.identifier, purge: false)
        #expect(try scratch.filesOnDisk() == before)
        #expect(try warehouse.logPosition(uuid) == 9)
        #expect(fails(.notFound) { try warehouse.dropTable(table.identifier, purge: true) })

        let second = try scratch.makeTable()
        #expect(second.metadata.location != table.metadata.location)
        _ = try warehouse.committer(for: table.identifier).append(
            try warehouse.writeDataFiles(2, of: second), ingest: IngestMark(expectedPosition: 0, position: 4))
        try warehouse.dropTable(table.identifier, purge: true)
        #expect(try scratch.filesOnDisk() == before)
        #expect(try warehouse.logPosition(second.metadata.tableUUID) == 0)
        #expect(try warehouse.ledger.entries() == [])
        let folder = String(second.metadata.location.dropFirst(7))
        #expect(try PosixFileSystem().size(folder) == nil)
    }

    @Test func aDropNeverDeletesFilesOutsideTheTable() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let victim = try scratch.makeTable("shop.victim")
        let table = try scratch.makeTable("shop.orders")
        let outside = "file:///tmp/" + Environment.live.uuid().description + ".parquet"
        try warehouse.store.put(outside, [1])
        let inside = try warehouse.writeDataFiles(1, of: victim)
        // Live, so that no ledger row stands in the way of a mistake.
        let kept = try warehouse.committer(for: victim.identifier).append(inside, ingest: nil)
        let files = [outside, inside[0].path].map { DataFile(path: $0, recordCount: 1, fileBytes: 1) }
        // As `add_files` of another engine would register them.
        _ = try warehouse.committer(for: table.identifier).commit(building: { base, context in
            try SnapshotProducer.append(
                base: base.metadata, baseLocation: base.metadataLocation, files: files, context: context,
                store: warehouse.store)
        })
        try warehouse.dropTable(table.identifier, purge: true)
        #expect(try warehouse.store.size(outside) == 1)
        #expect(try warehouse.store.size(inside[0].path) == 3)
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
        #expect(try warehouse.livePaths(victim.identifier) == inside.map(\.path))
        #expect(kept.table.metadataLocation == (try warehouse.loadTable(victim.identifier).metadataLocation))
        try warehouse.store.delete(outside)
    }
}
