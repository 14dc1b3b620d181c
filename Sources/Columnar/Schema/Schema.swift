import Base

/// A table schema: a numbered struct with identifier fields.
public struct Schema: Hashable, Sendable {
    public var schemaId: Int
    public var fields: [Field]
    public var identifierFieldIds: [Int]

    public init(schemaId: Int = 0, fields: [Field], identifierFieldIds: [Int] = []) {
        self.schemaId = schemaId
        self.fields = fields
        self.identifierFieldIds = identifierFieldIds
    }

    public var structType: StructType { StructType(fields: fields) }

    public func field(named name: String) -> Field? { fields.first { $0.name == name } }

    /// The field with this id at any depth; list elements, map keys and values count as fields named `element`,
    /// `key` and `value`.
    public func field(id: Int) -> Field? { allFields.first { $0.field.id == id }?.field }

    /// Every field at every depth in depth-first order, with its dotted path (`device.os`, `tags.element`).
    public var allFields: [(path: String, field: Field)] {
        var found: [(String, Field)] = []
        Schema.walk(fields, prefix: "", into: &found)
        return found
    }

    /// The dotted path of a field id, for messages.
    public func path(id: Int) -> String? { allFields.first { $0.field.id == id }?.path }

    /// The field at a dotted path.
    public func field(path: String) -> Field? { allFields.first { $0.path == path }?.field }

    /// The fields from the top down to `id`, through structs only; nil for a field inside a list or map.
    public func chain(to id: Int) -> [Field]? { Schema.chain(to: id, in: fields) }

    private static func chain(to id: Int, in fields: [Field]) -> [Field]? {
        for field in fields {
            if field.id == id { return [field] }
            if case .structure(let type) = field.type, let rest = chain(to: id, in: type.fields) {
                return [field] + rest
            }
        }
        return nil
    }

    /// The highest id in use at any depth; 0 for an empty schema.
    public var highestFieldId: Int { allFields.map(\.field.id).max() ?? 0 }

    /// The fields with these ids, whole, and the structs around them with nothing else.
    public func pruned(to ids: Set<Int>) -> Schema {
        func prune(_ fields: [Field]) -> [Field] {
            fields.compactMap { field in
                if ids.contains(field.id) { return field }
                guard case .structure(let type) = field.type else { return nil }
                let inner = prune(type.fields)
                guard !inner.isEmpty else { return nil }
                var field = field
                field.type = .structure(StructType(fields: inner))
                return field
            }
        }
        return Schema(schemaId: schemaId, fields: prune(fields))
    }

    /// True when both have the same fields and identifier fields, whatever their schema ids.
    public func hasSameShape(as other: Schema) -> Bool {
        fields == other.fields && Set(identifierFieldIds) == Set(other.identifierFieldIds)
    }

    private static func walk(_ fields: [Field], prefix: String, into found: inout [(String, Field)]) {
        for field in fields {
            let path = prefix.isEmpty ? field.name : prefix + "." + field.name
            found.append((path, field))
            switch field.type {
            case .structure(let type):
                walk(type.fields, prefix: path, into: &found)
            case .list(let type):
                walk([type.elementField], prefix: path, into: &found)
            case .map(let type):
                walk([type.keyField, type.valueField], prefix: path, into: &found)
            default: break
            }
        }
    }
}

extension ListType {
    public var elementField: Field {
        Field(id: elementId, name: "element", required: elementRequired, type: element)
    }
}

extension MapType {
    public var keyField: Field { Field(id: keyId, name: "key", required: true, type: key) }
    public var valueField: Field { Field(id: valueId, name: "value", required: valueRequired, type: value) }
}
