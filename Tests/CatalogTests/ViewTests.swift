import Base
import Iceberg
import SQLiteKit
import Storage
import Testing

@testable import Catalog

@Suite struct ViewTests {
    private let view = try! TableIdentifier(parsing: "shop.totals")

    private func schema() throws -> ViewSchema {
        try ViewSchema(
            json: [
                "type": "struct", "fields": [["id": 1, "name": "n", "required": false, "type": "long"]],
            ], source: "test")
    }

    private func version(_ sql: String) -> ViewVersion {
        ViewVersion(
            schemaId: -1, timestampMs: 1, representations: [ViewRepresentation(sql: sql, dialect: "spark")],
            defaultNamespace: ["shop"])
    }

    @discardableResult private func create(
        _ scratch: ScratchWarehouse, _ id: TableIdentifier? = nil, location: String? = nil,
        properties: [String: String] = [:]
    ) throws -> View {
        let id = id ?? view
        try scratch.warehouse.createNamespace(id.namespace, ifNotExists: true)
        return try scratch.warehouse.createView(
            id, schema: try schema(), version: version("SELECT 1"), location: location, properties: properties)
    }

    private func replace(_ sql: String, in warehouse: Warehouse) throws -> View {
        var version = version(sql)
        version.schemaId = 0
        return try warehouse.commitView(view, updates: [.addViewVersion(version), .setCurrentViewVersion(-1)])
    }

    /// The row is the one that Java's JdbcCatalog (V1) writes.
    @Test func theRowIsJavas() throws {
        let scratch = try ScratchWarehouse()
        let first = try create(scratch)
        let database = try Database(path: scratch.path + "/catalog.db", mode: .readOnly)
        let all = "SELECT * FROM iceberg_tables"
        #expect(
            try database.query(all) == [["firn", "shop", "totals", .text(first.metadataLocation), nil, "VIEW"]])
        let second = try replace("SELECT 2", in: scratch.warehouse)
        #expect(
            try database.query(all) == [
                [
                    "firn", "shop", "totals", .text(second.metadataLocation), .text(first.metadataLocation), "VIEW",
                ]
            ])
        #expect(first.metadataLocation.lastPathComponent.hasPrefix("00000-"))
        #expect(second.metadataLocation.lastPathComponent.hasPrefix("00001-"))
        #expect(try scratch.warehouse.loadView(view).metadata == second.metadata)
    }

    @Test func viewsAndTablesShareTheirNames() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        try create(scratch)
        let table = try scratch.makeTable().identifier
        #expect(fails(.alreadyExists, "view_exists") { try create(scratch) })
        #expect(fails(.alreadyExists, "view_exists") { _ = try scratch.makeTable("shop.totals") })
        #expect(
            fails(.alreadyExists, "view_exists") {
                _ = try warehouse.createTable(view, schema: ScratchWarehouse.schema, ifNotExists: true)
            })
        #expect(fails(.alreadyExists, "table_exists") { try create(scratch, table) })
        #expect(fails(.alreadyExists, "view_exists") { try warehouse.renameTable(table, to: view) })
        #expect(fails(.alreadyExists, "table_exists") { try warehouse.renameView(view, to: table) })
        #expect(fails(.alreadyExists, "view_exists") { try warehouse.createNamespace(["shop", "totals", "more"]) })
        try warehouse.createNamespace(["shop", "eu"])
        let namespace = try TableIdentifier(parsing: "shop.eu")
        #expect(fails(.alreadyExists, "name_taken_by_namespace") { try create(scratch, namespace) })
        #expect(fails(.alreadyExists, "name_taken_by_namespace") { try warehouse.renameView(view, to: namespace) })
        // None of the refusals left a file behind.
        #expect(try warehouse.ledger.entries().isEmpty)
        #expect(try scratch.filesOnDisk().count == 2)
    }

    /// What looks for tables finds no views; what looks for whatever is in a namespace does.
    @Test func tablesAreListedWithoutViews() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        try create(scratch)
        #expect(try warehouse.listTables().isEmpty)
        #expect(try warehouse.listTables(in: ["shop"]).isEmpty)
        #expect(try warehouse.listViews(in: ["shop"]) == [view])
        #expect(try !warehouse.tableExists(view) && warehouse.viewExists(view))
        #expect(fails(.notFound, "table_not_found") { _ = try warehouse.loadTable(view) })
        #expect(fails(.notFound, "table_not_found") { try warehouse.dropTable(view, purge: true) })
        #expect(try warehouse.findTable(try warehouse.loadView(view).metadata.viewUUID) == nil)
        #expect(fails(.conflict, "namespace_not_empty") { try warehouse.dropNamespace(["shop"]) })
        #expect(fails(.notFound, "namespace_not_found") { _ = try warehouse.listViews(in: ["other"]) })
        let table = try scratch.makeTable().identifier
        #expect(try warehouse.listViews(in: ["shop"]) == [view])
        #expect(fails(.notFound, "view_not_found") { _ = try warehouse.loadView(table) })
        #expect(fails(.notFound, "view_not_found") { try warehouse.dropView(table) })
        try warehouse.dropView(view)
        try warehouse.dropTable(table, purge: true)
        try warehouse.dropNamespace(["shop"])
    }

    @Test func filesOfFormerStatesGo() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        try create(scratch)
        var last: [String] = []
        for number in 2...6 { last.append(try replace("SELECT \(number)", in: warehouse).metadataLocation) }
        try warehouse.collectGarbage()
        // The current one, and the one before for readers that are about to open it.
        #expect(try scratch.filesOnDisk() == Set(last.suffix(2)))
        try warehouse.dropView(view)
        #expect(try scratch.filesOnDisk().isEmpty)
        #expect(try warehouse.ledger.entries().isEmpty)
        #expect(fails(.notFound, "view_not_found") { try warehouse.dropView(view) })
        #expect(try PosixFileSystem().list(scratch.path + "/shop").isEmpty)
    }

    @Test func commitsAtTheSameTimeAllHappen() throws {
        let scratch = try ScratchWarehouse()
        try create(scratch, properties: ["version.history.num-entries": "100"])
        let warehouse = scratch.warehouse
        let others = try (0..<4).map { _ in try scratch.another() }
        try concurrently(4) { index in
            for turn in 0..<5 { _ = try replace("SELECT \(index) + \(turn)", in: others[index]) }
        }
        let metadata = try warehouse.loadView(view).metadata
        #expect(metadata.versions.count == 21 && metadata.versionLog.count == 21)
        #expect(Set(metadata.versions.map(\.versionId)).count == 21)
    }

    @Test func requirementsAreChecked() throws {
        let scratch = try ScratchWarehouse()
        let first = try create(scratch)
        let warehouse = scratch.warehouse
        let changed = try warehouse.commitView(
            view, updates: [.setProperties(["comment": "x"])],
            requirements: [.assertViewUUID(first.metadata.viewUUID)])
        #expect(changed.metadata.properties == ["comment": "x"])
        #expect(
            fails(.conflict, "requirement_failed") {
                _ = try warehouse.commitView(
                    view, updates: [.removeProperties(["comment"])],
                    requirements: [.assertViewUUID(UUID(high: 1, low: 1))])
            })
        // Nothing changed, nothing is written.
        let same = try warehouse.commitView(view, updates: [.setProperties(["comment": "x"])])
        #expect(same.metadataLocation == changed.metadataLocation)
        #expect(
            fails(.notFound, "view_not_found") {
                _ = try warehouse.commitView(try TableIdentifier(parsing: "shop.none"), updates: [])
            })
    }

    @Test func nothingIsWrittenOutside() throws {
        let scratch = try ScratchWarehouse()
        try create(scratch)
        let warehouse = scratch.warehouse
        let inside = "file://\(scratch.path)/views/totals"
        for location in [
            "file:///tmp/elsewhere", "/relative", "file://\(scratch.path)/wal/x", "file://\(scratch.path)/../x",
        ] {
            #expect(
                fails(.invalidInput, "bad_location") {
                    try create(scratch, try TableIdentifier(parsing: "shop.other"), location: location)
                })
            #expect(
                fails(.invalidInput, "bad_location") {
                    _ = try warehouse.commitView(view, updates: [.setLocation(location)])
                })
            #expect(
                fails(.invalidInput, "bad_property") {
                    _ = try warehouse.commitView(view, updates: [.setProperties(["write.metadata.path": location])])
                })
        }
        let moved = try warehouse.commitView(view, updates: [.setLocation(inside)])
        #expect(moved.metadataLocation.hasPrefix(inside + "/metadata/00001-"))
    }

    @Test func renamedAndRegistered() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let first = try create(scratch)
        let other = try TableIdentifier(parsing: "sales.sums")
        #expect(fails(.notFound, "namespace_not_found") { try warehouse.renameView(view, to: other) })
        try warehouse.createNamespace(["sales"])
        try warehouse.renameView(view, to: other)
        #expect(try warehouse.loadView(other).metadataLocation == first.metadataLocation)
        #expect(fails(.notFound, "view_not_found") { try warehouse.renameView(view, to: other) })
        #expect(
            fails(.alreadyExists, "view_registered") {
                _ = try warehouse.registerView(view, metadata: first.metadataLocation)
            })
        let copy = "file://\(scratch.path)/copy.metadata.json"
        try warehouse.store.put(copy, try first.metadata.serialize())
        let registered = try warehouse.registerView(view, metadata: copy)
        #expect(registered.metadata == first.metadata)
        let table = try scratch.makeTable()
        #expect(
            fails(.invalidInput, "bad_view_metadata") {
                _ = try warehouse.registerView(
                    try TableIdentifier(parsing: "shop.third"), metadata: table.metadataLocation)
            })
        #expect(
            fails(.notFound) {
                _ = try warehouse.registerView(try TableIdentifier(parsing: "shop.third"), metadata: copy + ".none")
            })
        // A file that somebody registered and keeps elsewhere is not the view's to delete.
        try warehouse.dropView(view)
        #expect(try warehouse.store.size(copy) != nil)
    }

    /// A crash at any write leaves the old view or the new one, and no file of the other.
    @Test func crashesLeaveNoLitter() throws {
        let scratch = try ScratchWarehouse()
        let first = try create(scratch)
        scratch.store.setHook { call, _ in if call == .put { throw simulatedCrash } }
        #expect(throws: FirnError.self) { try replace("SELECT 2", in: scratch.warehouse) }
        try scratch.restart()
        try scratch.warehouse.recover()
        #expect(try scratch.warehouse.loadView(view).metadataLocation == first.metadataLocation)
        #expect(try scratch.filesOnDisk() == [first.metadataLocation])
        #expect(try scratch.warehouse.ledger.entries().isEmpty)
    }

    @Test func reportsAreKeptInANumber() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let other = try scratch.makeTable("shop.others")
        func report(_ number: Int) throws -> MetricsReport {
            try MetricsReport(json: [
                "report-type": "commit-report", "table-name": "t", "snapshot-id": .integer(Int64(number)),
                "sequence-number": 1, "operation": "append", "metrics": [:],
            ])
        }
        try scratch.warehouse.addMetricsReport(try report(-1), to: other.identifier)
        let count = Warehouse.metricsReportsMax + 5
        for number in 0..<count { try scratch.warehouse.addMetricsReport(try report(number), to: table.identifier) }
        let kept = try scratch.warehouse.metricsReports(table.metadata.tableUUID).map(\.report.snapshotId)
        #expect(kept == (5..<count).reversed().map { Int64($0) })
        #expect(try scratch.warehouse.metricsReports(other.metadata.tableUUID).count == 1)
        try scratch.warehouse.dropTable(table.identifier, purge: true)
        #expect(try scratch.warehouse.metricsReports(table.metadata.tableUUID).isEmpty)
        #expect(
            fails(.notFound, "table_not_found") {
                try scratch.warehouse.addMetricsReport(try report(1), to: table.identifier)
            })
    }
}
