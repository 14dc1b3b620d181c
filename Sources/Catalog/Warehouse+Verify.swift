import Base
import Iceberg
import SQLiteKit
import Storage

/// What an examination of a damaged table needs of the catalog: `loadTable` refuses metadata that breaks the rules.
extension Warehouse {
    /// The table's current metadata file, unread. Throws `.notFound` (`table_not_found`).
    public func metadataLocation(of id: TableIdentifier) throws -> String {
        guard let location = try core.database.read({ try TablePointers.location(of: id, in: $0) }) else {
            throw TablePointers.missing(id)
        }
        return location
    }

    /// The table whose current metadata file this is; nil when there is none.
    public func table(at location: String) throws -> TableIdentifier? {
        let wanted = try ObjectLocation.normalized(location)
        return try core.database.read { try TablePointers.locations(in: $0) }.first {
            (try? ObjectLocation.normalized($0.location)) == wanted
        }?.id
    }

    /// Points a table, whose current metadata file cannot be loaded, to a corrected one. The old file stays.
    ///
    /// Throws `.conflict` (`pointer_moved`) when the table is no longer at `old`; then nothing has changed.
    public func replaceMetadata(of id: TableIdentifier, at old: String, by commit: PreparedCommit) throws {
        try requireOwn(id, "repair it there")
        try publish(commit, of: id) { database in
            guard try TablePointers.swap(id, from: old, to: commit.metadataLocation, in: database) else {
                throw FirnError(
                    .conflict, "pointer_moved", "another writer committed first",
                    context: ["table": id.description])
            }
        }
    }
}
