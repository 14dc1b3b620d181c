import Base
import SQLiteKit

/// The rows of `iceberg_tables` that are views, as Java's `JdbcCatalog` (schema V1) keeps them: tables and views share
/// one space of names.
enum ViewPointers {
    struct Pointer: Sendable {
        let location: String
        /// The file before the current one.
        let previous: String?
    }

    private static let key = "catalog_name = ? AND table_namespace = ? AND table_name = ? AND iceberg_type = 'VIEW'"

    /// Nil when there is no such view.
    static func pointer(of id: TableIdentifier, in database: Database) throws -> Pointer? {
        let row = try database.queryRow(
            "SELECT metadata_location, previous_metadata_location FROM iceberg_tables WHERE \(key)",
            TablePointers.arguments(id))
        guard let row else { return nil }
        guard let location = row[0].textValue else { throw MarkStore.malformed("iceberg_tables") }
        return Pointer(location: location, previous: row[1].textValue)
    }

    /// Swaps the pointer when it still is `old`; false when it is not, or the view is gone.
    static func swap(_ id: TableIdentifier, from old: String, to new: String, in database: Database) throws -> Bool {
        try database.run(
            """
            UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
            WHERE \(key) AND metadata_location = ?
            """, [.text(new), .text(old)] + TablePointers.arguments(id) + [.text(old)]) == 1
    }

    /// Throws `.alreadyExists` (`table_exists`) when a table or view has the name.
    static func insert(_ id: TableIdentifier, location: String, in database: Database) throws {
        do {
            try database.run(
                """
                INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location,
                    previous_metadata_location, iceberg_type)
                VALUES (?, ?, ?, ?, NULL, 'VIEW')
                """, TablePointers.arguments(id) + [.text(location)])
        } catch  where error.kind == .alreadyExists {
            throw TablePointers.exists(id)
        }
    }

    /// Removes the row when it still points to `location`.
    static func delete(_ id: TableIdentifier, at location: String, in database: Database) throws -> Bool {
        try database.run(
            "DELETE FROM iceberg_tables WHERE \(key) AND metadata_location = ?",
            TablePointers.arguments(id) + [.text(location)]) == 1
    }

    /// Throws `.notFound` (`view_not_found`) or `.alreadyExists` (`table_exists`).
    static func rename(_ from: TableIdentifier, to: TableIdentifier, in database: Database) throws {
        do {
            let changed = try database.run(
                "UPDATE iceberg_tables SET table_namespace = ?, table_name = ? WHERE \(key)",
                [.text(to.namespaceText), .text(to.name)] + TablePointers.arguments(from))
            guard changed == 1 else { throw missing(from) }
        } catch let error as FirnError where error.kind == .alreadyExists {
            throw TablePointers.exists(to)
        }
    }

    /// The views directly in a namespace.
    static func list(namespace: [String], in database: Database) throws -> [TableIdentifier] {
        try database.query(
            """
            SELECT table_name FROM iceberg_tables
            WHERE catalog_name = ? AND table_namespace = ? AND iceberg_type = 'VIEW' ORDER BY table_name
            """, [.text(TablePointers.catalogName), .text(namespace.joined(separator: "."))]
        ).map { row in
            guard let name = row[0].textValue else { throw MarkStore.malformed("iceberg_tables") }
            return TableIdentifier(unchecked: namespace, name: name)
        }
    }

    /// The metadata files of all views, the current one of each and the one before.
    static func files(in database: Database) throws -> [String] {
        try database.query(
            """
            SELECT metadata_location, previous_metadata_location FROM iceberg_tables
            WHERE catalog_name = ? AND iceberg_type = 'VIEW'
            """, [.text(TablePointers.catalogName)]
        ).flatMap { $0.compactMap(\.textValue) }
    }

    /// True when the file is, or lately was, the metadata of some table or view.
    static func isInUse(_ location: String, in database: Database) throws -> Bool {
        try database.queryRow(
            "SELECT 1 FROM iceberg_tables WHERE metadata_location = ?1 OR previous_metadata_location = ?1",
            [.text(location)]) != nil
    }

    static func missing(_ id: TableIdentifier) -> FirnError {
        FirnError(.notFound, "view_not_found", "there is no view \(id)", context: ["view": id.description])
    }

    static func exists(_ id: TableIdentifier) -> FirnError {
        FirnError(.alreadyExists, "view_exists", "there is a view \(id) already", context: ["view": id.description])
    }
}
