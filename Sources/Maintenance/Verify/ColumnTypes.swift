import Columnar
import Iceberg

/// The types of all columns that any schema of the table knows; the current schema decides.
struct ColumnTypes: Sendable {
    private var types: [Int: DataType] = [
        // The columns of position delete files. Spec: https://iceberg.apache.org/spec/#reserved-field-ids
        2_147_483_546: .string, 2_147_483_545: .long,
    ]
    private var paths: [Int: String] = [2_147_483_546: "file_path", 2_147_483_545: "pos"]

    init(_ metadata: TableMetadata) {
        let older = metadata.schemas.filter { $0.schemaId != metadata.currentSchemaId }
        for schema in older + [metadata.currentSchema] {
            for (path, field) in schema.allFields {
                types[field.id] = field.type
                paths[field.id] = path
            }
        }
    }

    subscript(_ id: Int) -> DataType? { types[id] }

    func name(_ id: Int) -> String { paths[id].map { "\"\($0)\"" } ?? "of id \(id)" }
}
