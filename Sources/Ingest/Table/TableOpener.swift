import Base
import Catalog
import Columnar

/// Finds the table of a request, or creates it from the first records where its namespace allows that.
struct TableOpener {
    let warehouse: Warehouse

    func open(_ identifier: TableIdentifier, creatingFrom body: [UInt8]?, format: RecordFormat) throws -> Table {
        do {
            return try warehouse.loadTable(identifier)
        } catch let error as FirnError where error.kind == .notFound {
            guard let body, try warehouse.allowsTableInference(in: identifier.namespace) else {
                throw FirnError(
                    .notFound, "table_not_found",
                    "table \(identifier) does not exist; create it with \"firn table create \(identifier) 'id long, …'\""
                )
            }
            let schema = try SchemaInference.infer(body, format: format)
            return try warehouse.createTable(
                identifier, schema: schema, ifNotExists: true)
        }
    }
}

extension Warehouse {
    /// The table with this UUID, whatever it is called now; nil when there is none any more.
    ///
    /// Throws when the catalog or a table's metadata cannot be read: not knowing is not the same as gone.
    func findTable(_ uuid: UUID) throws -> Table? {
        while true {
            var moved = false
            for identifier in try listTables() {
                do {
                    let table = try loadTable(identifier)
                    if table.metadata.tableUUID == uuid { return table }
                } catch let error as FirnError where error.code == "table_not_found" {
                    moved = true
                }
            }
            // A name that went away meanwhile may have been this table's, which then has another one now.
            if !moved { return nil }
        }
    }
}
