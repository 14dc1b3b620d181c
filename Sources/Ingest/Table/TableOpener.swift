import Base
import Catalog
import Columnar

/// Finds the table of a request, or creates it from the first records where its namespace allows that.
struct TableOpener {
    let warehouse: Warehouse

    func open(_ identifier: TableIdentifier, creatingFrom body: [UInt8]?, format: RecordFormat) throws -> Table {
        do {
            // Records of an attached table do not wait for its catalog but in the log.
            return try warehouse.lastKnownTable(identifier)
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
