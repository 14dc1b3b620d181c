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
    public static let columnNames = ["schema-id", "id", "column", "type", "required", "identifier", "doc", "default"]

    /// A schema's fields at every depth, as rows.
    public static func columns(of schema: Schema) -> [JSONValue] {
        schema.allFields.map { path, field in
            [
                "schema-id": .integer(Int64(schema.schemaId)), "id": .integer(Int64(field.id)),
                "column": .string(path), "type": .string(field.type.description), "required": .bool(field.required),
                "identifier": .bool(schema.identifierFieldIds.contains(field.id)),
                "doc": field.doc.map { .string($0) } ?? .null,
                "default": field.writeDefault.map { .string($0.singleValueJSON(as: field.type).text) } ?? .null,
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

    /// How the table's rows are divided, one row a field of every spec, the one of new rows marked.
    public static func partitionFields(_ table: Table) -> [JSONValue] {
        let metadata = table.metadata
        return metadata.partitionSpecs.flatMap { spec in
            spec.fields.map { field in
                let column = metadata.columnPath(id: field.sourceId)
                return [
                    "spec-id": .integer(Int64(spec.specId)), "default": .bool(spec.specId == metadata.defaultSpecId),
                    "field-id": .integer(Int64(field.fieldId)), "name": .string(field.name),
                    "term": .string(field.transform.term(column)),
                ]
            }
        }
    }

    /// The names of `partitionFields(_:)`.
    public static let partitionColumnNames = ["spec-id", "default", "field-id", "name", "term"]

    /// The partition fields of new rows and their order, in the short forms: `ts_day = day(ts)`.
    public static func partitioning(_ table: Table) -> String {
        let fields = table.metadata.defaultSpec.fields.map { field in
            "\(field.name) = \(field.transform.term(table.metadata.columnPath(id: field.sourceId)))"
        }
        return fields.isEmpty ? "not partitioned" : "partitioned by " + fields.joined(separator: ", ")
    }
}

extension TableMetadata {
    /// The path of a column in the current schema, else in the newest one that knows it.
    func columnPath(id: Int) -> String {
        ([currentSchema] + schemas.reversed()).lazy.compactMap { $0.path(id: id) }.first ?? "id \(id)"
    }
}
