import Base
import SQLiteKit

/// The rows of `iceberg_namespace_properties`.
///
/// A namespace exists when it has a property or when a table or a child namespace is in it; `exists` = `true` is the
/// marker that Java and PyIceberg write for one without properties, and is not shown.
enum Namespaces {
    static let marker = "exists"
    /// `property_value` is VARCHAR(1000), `property_key` VARCHAR(255).
    private static let valueBytesMax = 1000
    private static let keyBytesMax = 255

    static func exists(_ namespace: [String], in database: Database) throws -> Bool {
        let name = namespace.joined(separator: ".")
        return try database.queryRow(
            """
            SELECT 1 FROM (
                SELECT table_namespace AS name FROM iceberg_tables WHERE catalog_name = ?1
                UNION ALL SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ?1)
            WHERE name = ?2 OR substr(name, 1, length(?2) + 1) = ?2 || '.' LIMIT 1
            """, [.text(TablePointers.catalogName), .text(name)]) != nil
    }

    /// All namespaces with all their ancestors, sorted.
    static func all(in database: Database) throws -> [[String]] {
        let names = try database.query(
            """
            SELECT table_namespace FROM iceberg_tables WHERE catalog_name = ?1
            UNION SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name = ?1
            """, [.text(TablePointers.catalogName)]
        ).compactMap { $0[0].textValue }
        var found: Set<[String]> = []
        for name in names {
            let levels = name.split(separator: ".").map(String.init)
            for depth in stride(from: 1, through: levels.count, by: 1) { found.insert(Array(levels.prefix(depth))) }
        }
        return found.sorted { $0.lexicographicallyPrecedes($1) }
    }

    static func properties(_ namespace: [String], in database: Database) throws -> [String: String] {
        try require(namespace, in: database)
        var found: [String: String] = [:]
        for row in try database.query(
            """
            SELECT property_key, property_value FROM iceberg_namespace_properties
            WHERE catalog_name = ? AND namespace = ?
            """,
            arguments(namespace))
        {
            guard let key = row[0].textValue, key != marker else { continue }
            found[key] = row[1].textValue ?? ""
        }
        return found
    }

    static func create(_ namespace: [String], properties: [String: String], in database: Database) throws {
        guard try !exists(namespace, in: database) else {
            throw FirnError(
                .alreadyExists, "namespace_exists", "the namespace \(namespace.joined(separator: ".")) exists already")
        }
        for depth in stride(from: 2, through: namespace.count, by: 1) {
            // A namespace's folder inside a table's folder would make each look like litter of the other.
            let table = TableIdentifier(unchecked: Array(namespace.prefix(depth - 1)), name: namespace[depth - 1])
            guard try TablePointers.location(of: table, in: database) == nil else {
                throw FirnError(.alreadyExists, "name_taken_by_table", "\(table) is a table")
            }
            guard try ViewPointers.pointer(of: table, in: database) == nil else { throw ViewPointers.exists(table) }
        }
        try set(properties.merging([marker: "true"]) { _, new in new }, of: namespace, in: database)
    }

    static func update(
        _ namespace: [String], set: [String: String], remove: Set<String>, in database: Database
    ) throws {
        try require(namespace, in: database)
        // The marker stays whatever goes, or an empty namespace would vanish with its last property.
        try self.set(set.merging([marker: "true"]) { _, new in new }, of: namespace, in: database)
        for key in remove where key != marker && set[key] == nil {
            try database.run(
                """
                DELETE FROM iceberg_namespace_properties
                WHERE catalog_name = ? AND namespace = ? AND property_key = ?
                """, arguments(namespace) + [.text(key)])
        }
    }

    static func drop(_ namespace: [String], in database: Database) throws {
        try require(namespace, in: database)
        let name = namespace.joined(separator: ".")
        let inside = try database.queryRow(
            """
            SELECT 1 FROM iceberg_tables WHERE catalog_name = ?1
                AND (table_namespace = ?2 OR substr(table_namespace, 1, length(?2) + 1) = ?2 || '.')
            UNION ALL SELECT 1 FROM iceberg_namespace_properties WHERE catalog_name = ?1
                AND substr(namespace, 1, length(?2) + 1) = ?2 || '.'
            LIMIT 1
            """, arguments(namespace))
        guard inside == nil else {
            throw FirnError(
                .conflict, "namespace_not_empty", "the namespace \(name) still holds tables, views or namespaces")
        }
        try database.run(
            "DELETE FROM iceberg_namespace_properties WHERE catalog_name = ? AND namespace = ?", arguments(namespace))
    }

    static func require(_ namespace: [String], in database: Database) throws {
        guard try exists(namespace, in: database) else {
            let name = namespace.joined(separator: ".")
            throw FirnError(
                .notFound, "namespace_not_found", "there is no namespace \(name)", context: ["namespace": name])
        }
    }

    /// Throws unless a table or view may get this name: `.notFound` (`namespace_not_found`), `.alreadyExists`
    /// (`name_taken_by_namespace`, `view_exists`). Of a table that has it the insert tells.
    static func requireRoom(for id: TableIdentifier, in database: Database) throws {
        try require(id.namespace, in: database)
        guard try !exists(id.namespace + [id.name], in: database) else {
            throw FirnError(
                .alreadyExists, "name_taken_by_namespace", "\(id) is a namespace", context: ["table": id.description])
        }
        guard try ViewPointers.pointer(of: id, in: database) == nil else { throw ViewPointers.exists(id) }
    }

    private static func set(
        _ properties: [String: String], of namespace: [String], in database: Database
    ) throws {
        for (key, value) in properties.sorted(by: { $0.key < $1.key }) {
            guard !key.isEmpty, key.utf8.count <= keyBytesMax, value.utf8.count <= valueBytesMax,
                !key.utf8.contains(0), !value.utf8.contains(0)
            else {
                throw FirnError(
                    .invalidInput, "bad_property",
                    "a namespace property has a key of 1 to \(keyBytesMax), a value of up to \(valueBytesMax) bytes",
                    context: ["property": String(key.prefix(64))])
            }
            try database.run(
                """
                INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
                VALUES (?, ?, ?, ?)
                ON CONFLICT (catalog_name, namespace, property_key) DO UPDATE
                SET property_value = excluded.property_value
                """, arguments(namespace) + [.text(key), .text(value)])
        }
    }

    private static func arguments(_ namespace: [String]) -> [SQLValue] {
        [.text(TablePointers.catalogName), .text(namespace.joined(separator: "."))]
    }
}
