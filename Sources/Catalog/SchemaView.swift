import Base
import Columnar
import Iceberg

/// The schemas of a table, described for people and programs: what `firn schema show` and `GET …/schema` give.
public struct SchemaView: Sendable {
    private let metadata: TableMetadata

    public init(_ table: Table) { metadata = table.metadata }

    /// `{"schema-id", "schema", "history": [{"schema-id", "schema", "snapshots"}, …]}`, oldest schema first.
    public var json: JSONValue {
        [
            "schema-id": .integer(Int64(metadata.currentSchemaId)), "schema": metadata.currentSchema.json,
            "history": .array(
                metadata.schemas.sorted { $0.schemaId < $1.schemaId }.map { schema in
                    let snapshots = metadata.snapshots.count { $0.schemaId == schema.schemaId }
                    return [
                        "schema-id": .integer(Int64(schema.schemaId)), "schema": schema.json,
                        "snapshots": .integer(Int64(snapshots)),
                    ]
                }),
        ]
    }

    /// The names of `columns(of:)`.
    public static let columnNames = ["schema-id", "id", "column", "type", "required", "identifier", "doc"]

    /// A schema's fields at every depth, as rows.
    public static func columns(of schema: Schema) -> [JSONValue] {
        schema.allFields.map { path, field in
            [
                "schema-id": .integer(Int64(schema.schemaId)), "id": .integer(Int64(field.id)),
                "column": .string(path), "type": .string(field.type.description), "required": .bool(field.required),
                "identifier": .bool(schema.identifierFieldIds.contains(field.id)),
                "doc": field.doc.map { .string($0) } ?? .null,
            ]
        }
    }

    /// What a change answers: whether there was anything to do, and the schema after it.
    public static func changed(_ before: Table, _ after: Table) -> JSONValue {
        [
            "changed": .bool(before.metadata.currentSchemaId != after.metadata.currentSchemaId),
            "schema-id": .integer(Int64(after.metadata.currentSchemaId)),
            "schema": after.metadata.currentSchema.json,
        ]
    }
}
