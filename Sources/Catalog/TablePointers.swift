import Base
import SQLiteKit

/// The rows of `iceberg_tables`: which metadata file is each table's current one.
///
/// The statements are those of Java's `JdbcUtil` (schema V1) and PyIceberg's `SqlCatalog`, so that all three may
/// commit to one file at a time.
enum TablePointers {
    static let catalogName = "firn"
    private static let key = "catalog_name = ? AND table_namespace = ? AND table_name = ?"
    private static let isTable = "(iceberg_type = 'TABLE' OR iceberg_type IS NULL)"
    /// The type of attached tables: other programs that use this catalog do not take them for tables, and so do not
    /// commit to them here.
    private static let attachedType = "REST"
    private static let isKnown = "(iceberg_type IN ('TABLE', '\(attachedType)') OR iceberg_type IS NULL)"

    static func arguments(_ id: TableIdentifier) -> [SQLValue] {
        [.text(catalogName), .text(id.namespaceText), .text(id.name)]
    }

    /// The metadata location, of an attached table the last one that was seen; nil when there is no such table.
    static func location(of id: TableIdentifier, in database: Database) throws -> String? {
        try pointer(of: id, in: database)?.location
    }

    static func pointer(of id: TableIdentifier, in database: Database) throws -> (location: String, isAttached: Bool)? {
        let row = try database.queryRow(
            "SELECT metadata_location, iceberg_type FROM iceberg_tables WHERE \(key) AND \(isKnown)", arguments(id))
        return row.flatMap { row in row[0].textValue.map { ($0, row[1].textValue == attachedType) } }
    }

    /// Notes which metadata file of an attached table was seen last.
    static func note(_ id: TableIdentifier, location: String, in database: Database) throws {
        try database.run(
            "UPDATE iceberg_tables SET metadata_location = ? WHERE \(key) AND iceberg_type = '\(attachedType)'",
            [.text(location)] + arguments(id))
    }

    static func deleteAttached(_ id: TableIdentifier, in database: Database) throws {
        try database.run(
            "DELETE FROM iceberg_tables WHERE \(key) AND iceberg_type = '\(attachedType)'", arguments(id))
    }

    /// Swaps the pointer when it still is `old`; false when it is not, or the table is gone.
    static func swap(_ id: TableIdentifier, from old: String, to new: String, in database: Database) throws -> Bool {
        try database.run(
            """
            UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
            WHERE \(key) AND metadata_location = ? AND \(isTable)
            """, [.text(new), .text(old)] + arguments(id) + [.text(old)]) == 1
    }

    /// Throws `.alreadyExists` (`table_exists`) when a table or view has the name.
    static func insert(
        _ id: TableIdentifier, location: String, isAttached: Bool = false, in database: Database
    ) throws {
        do {
            try database.run(
                """
                INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location,
                    previous_metadata_location, iceberg_type)
                VALUES (?, ?, ?, ?, NULL, ?)
                """, arguments(id) + [.text(location), .text(isAttached ? attachedType : "TABLE")])
        } catch  where error.kind == .alreadyExists {
            throw exists(id)
        }
    }

    /// Removes the row when it still points to `location`.
    static func delete(_ id: TableIdentifier, at location: String, in database: Database) throws -> Bool {
        try database.run(
            "DELETE FROM iceberg_tables WHERE \(key) AND metadata_location = ? AND \(isTable)",
            arguments(id) + [.text(location)]) == 1
    }

    /// Throws `.notFound` (`table_not_found`) or `.alreadyExists` (`table_exists`).
    static func rename(_ from: TableIdentifier, to: TableIdentifier, in database: Database) throws {
        do {
            let changed = try database.run(
                "UPDATE iceberg_tables SET table_namespace = ?, table_name = ? WHERE \(key) AND \(isTable)",
                [.text(to.namespaceText), .text(to.name)] + arguments(from))
            guard changed == 1 else { throw missing(from) }
        } catch let error as FirnError where error.kind == .alreadyExists {
            throw exists(to)
        }
    }

    /// All tables, or those directly in one namespace.
    static func list(namespace: [String]?, in database: Database) throws -> [TableIdentifier] {
        try database.query(
            """
            SELECT table_namespace, table_name FROM iceberg_tables
            WHERE catalog_name = ?1 AND (?2 IS NULL OR table_namespace = ?2) AND \(isKnown)
            ORDER BY table_namespace, table_name
            """, [.text(catalogName), SQLValue(namespace?.joined(separator: "."))]
        ).map { row in
            guard let space = row[0].textValue, let name = row[1].textValue else {
                throw MarkStore.malformed("iceberg_tables")
            }
            return TableIdentifier(unchecked: space.split(separator: ".").map(String.init), name: name)
        }
    }

    /// All tables with their metadata locations, as of one moment; of attached ones, if wanted, those seen last.
    static func locations(
        in database: Database, attached: Bool = true
    ) throws -> [(id: TableIdentifier, location: String)] {
        try database.query(
            """
            SELECT table_namespace, table_name, metadata_location FROM iceberg_tables
            WHERE catalog_name = ?1 AND \(attached ? isKnown : isTable)
            """, [.text(catalogName)]
        ).map { row in
            guard let space = row[0].textValue, let name = row[1].textValue, let location = row[2].textValue else {
                throw MarkStore.malformed("iceberg_tables")
            }
            return (TableIdentifier(unchecked: space.split(separator: ".").map(String.init), name: name), location)
        }
    }

    static func missing(_ id: TableIdentifier) -> FirnError {
        FirnError(.notFound, "table_not_found", "there is no table \(id)", context: ["table": id.description])
    }

    static func exists(_ id: TableIdentifier) -> FirnError {
        FirnError(
            .alreadyExists, "table_exists", "a table or view \(id) exists already", context: ["table": id.description])
    }
}
