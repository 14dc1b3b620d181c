import Base
import Catalog
import Columnar

/// Finds the table of a request, or creates it from the first records where its namespace allows that.
struct TableOpener {
    /// Namespace property that lets the first records of an unknown table define it.
    static let autoCreateProperty = "firn.auto-create-tables"

    let warehouse: Warehouse

    func open(_ identifier: TableIdentifier, creatingFrom body: [UInt8]?, format: BodyFormat) throws -> Table {
        do {
            return try warehouse.loadTable(identifier)
        } catch let error as FirnError where error.kind == .notFound {
            let properties = (try? warehouse.namespaceProperties(identifier.namespace)) ?? [:]
            guard let body, properties[Self.autoCreateProperty] == "true" else {
                throw FirnError(
                    .notFound, "table_not_found",
                    "table \(identifier) does not exist; create it with \"firn table create \(identifier) 'id long, …'\"")
            }
            let schema = try SchemaInference.infer(body, format: format)
            return try warehouse.createTable(
                identifier, schema: schema, spec: nil, sortOrder: nil, properties: [:], ifNotExists: true)
        }
    }
}
