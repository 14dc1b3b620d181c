import Base
import Glibc
import SQLiteKit
import Testing

@testable import Catalog

@Suite struct SchemaTests {
    /// What PyIceberg 0.12's SqlCatalog creates in a new file, as `sqlite_master` shows it.
    private static let pyiceberg = [
        """
        CREATE TABLE iceberg_tables (
        	catalog_name VARCHAR(255) NOT NULL,
        	table_namespace VARCHAR(255) NOT NULL,
        	table_name VARCHAR(255) NOT NULL,
        	metadata_location VARCHAR(1000),
        	previous_metadata_location VARCHAR(1000),
        	iceberg_type VARCHAR(5),
        	PRIMARY KEY (catalog_name, table_namespace, table_name)
        )
        """,
        """
        CREATE TABLE iceberg_namespace_properties (
        	catalog_name VARCHAR(255) NOT NULL,
        	namespace VARCHAR(255) NOT NULL,
        	property_key VARCHAR(255) NOT NULL,
        	property_value VARCHAR(1000) NOT NULL,
        	PRIMARY KEY (catalog_name, namespace, property_key)
        )
        """,
    ]

    /// What Java's JdbcCatalog creates without `jdbc.schema-version=V1`.
    private static let javaV0 = """
        CREATE TABLE iceberg_tables(catalog_name VARCHAR(255) NOT NULL,table_namespace VARCHAR(255) NOT NULL,
        table_name VARCHAR(255) NOT NULL,metadata_location VARCHAR(1000),previous_metadata_location VARCHAR(1000),
        PRIMARY KEY (catalog_name, table_namespace, table_name))
        """

    @Test func tablesHaveTheSharedShape() throws {
        let scratch = try ScratchWarehouse()
        let ours = try Database(path: scratch.path + "/catalog.db", mode: .readOnly)
        let theirs = try Database(path: "", mode: .memory)
        for sql in Self.pyiceberg { try theirs.execute(sql) }
        for table in ["iceberg_tables", "iceberg_namespace_properties"] {
            let columns = "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('\(table)')"
            let expected = try theirs.query(columns)
            #expect(expected.count >= 4)
            #expect(try ours.query(columns) == expected)
        }
    }

    @Test func opensACatalogThatAnotherEngineMade() throws {
        let scratch = try ScratchWarehouse()
        for (number, first) in [Self.pyiceberg[0], Self.javaV0].enumerated() {
            let directory = scratch.path + "/other\(number)"
            try PosixFileSystem().createDirectories(directory)
            let foreign = try Database(path: directory + "/catalog.db", mode: .readWriteCreate)
            try foreign.execute(first)
            try foreign.run(
                """
                INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location)
                VALUES ('firn', 'a.b', 'strange name', 'file:///x')
                """)
            let warehouse = try Warehouse(directory: directory, environment: .live, create: true)
            #expect(try warehouse.listTables().map(\.description) == ["a.b.strange name"])
            #expect(try warehouse.listNamespaces() == [["a"], ["a", "b"]])
        }
    }

    @Test func scriptsAreTheFilesInSchemas() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
        let folder = root + "/Schemas/catalog"
        let files = PosixFileSystem()
        let names = try files.list(folder).map(\.name).filter { $0.hasSuffix(".sql") }
        #expect(names == CatalogSchema.migrations.migrations.map { $0.name + ".sql" })
        for migration in CatalogSchema.migrations.migrations {
            let text = String(decoding: try files.readAll("\(folder)/\(migration.name).sql"), as: UTF8.self)
            #expect(migration.sql == text)
        }
    }

    @Test func rowsAreWhatOtherEnginesWrite() throws {
        let scratch = try ScratchWarehouse()
        let first = try scratch.makeTable()
        let database = try Database(path: scratch.path + "/catalog.db", mode: .readOnly)
        let all = "SELECT * FROM iceberg_tables"
        #expect(
            try database.query(all) == [
                ["firn", "shop", "orders", .text(first.metadataLocation), nil, "TABLE"]
            ])
        let second = try scratch.warehouse.committer(for: first.identifier).setProperties(["owner": "me"]).table
        #expect(
            try database.query(all) == [
                ["firn", "shop", "orders", .text(second.metadataLocation), .text(first.metadataLocation), "TABLE"]
            ])
        #expect(
            try database.query("SELECT * FROM iceberg_namespace_properties") == [["firn", "shop", "exists", "true"]])
        #expect(try database.queryRow("PRAGMA journal_mode") == ["wal"])
    }

    @Test func viewsAreNotTables() throws {
        let scratch = try ScratchWarehouse()
        let database = try Database(path: scratch.path + "/catalog.db", mode: .readWrite)
        try database.run(
            """
            INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, iceberg_type)
            VALUES ('firn', 'shop', 'orders', 'file:///v', 'VIEW'), ('other', 'shop', 'orders2', 'file:///t', 'TABLE')
            """)
        let id = try TableIdentifier(parsing: "shop.orders")
        #expect(try scratch.warehouse.listTables() == [])
        #expect(try !scratch.warehouse.tableExists(id))
        #expect(fails(.notFound, "table_not_found") { _ = try scratch.warehouse.loadTable(id) })
        #expect(fails(.alreadyExists, "view_exists") { _ = try scratch.makeTable() })
        #expect(try scratch.filesOnDisk() == [])
    }

    @Test func anotherProcessHoldingTheLockForAMomentIsWaitedFor() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let holder = try Database(path: scratch.path + "/catalog.db", mode: .readWrite)
        try holder.execute("BEGIN IMMEDIATE")
        Thread.spawn(name: "holder") {
            usleep(400_000)
            try? holder.execute("COMMIT")
        }
        let result = try scratch.warehouse.committer(for: table.identifier).setProperties(["a": "b"])
        #expect(result.attempts == 1)
    }
}
