import Base
import Catalog
import Columnar

/// Finds the table of a request, or creates it from the first records where its namespace allows that.
struct TableOpener {
    let warehouse: Warehouse

    func open(_ identifier: TableIdentifier, creatingFrom body: [UInt8]?, format: RecordFormat) throws -> Table {
        do {
            return try warehouse.loadTable(identifier)
        } catch let error as FirnError where error.kind == .io {
            // Records wait in the log until the catalog of an attached table answers again.
            guard let known = try warehouse.lastKnownTable(identifier), known.isAttached else { throw error }
            return known
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
