import Base
import Columnar

/// The property `schema.name-mapping.default` for a schema as it stands.
///
/// Spec: https://iceberg.apache.org/spec/#name-mapping-serialization
enum NameMappingText {
    static let property = "schema.name-mapping.default"

    static func make(_ schema: Schema) -> String { json(schema.fields).text }

    private static func json(_ fields: [Field]) -> JSONValue {
        .array(
            fields.map { field in
                var members: [JSONValue.Member] = [
                    .init("field-id", .integer(Int64(field.id))), .init("names", [.string(field.name)]),
                ]
                switch field.type {
                case .structure(let type): members.append(.init("fields", json(type.fields)))
                case .list(let type): members.append(.init("fields", json([type.elementField])))
                case .map(let type): members.append(.init("fields", json([type.keyField, type.valueField])))
                default: break
                }
                return .object(members)
            })
    }
}
