import Base

/// Schemas in Iceberg's JSON form.
///
/// Spec: https://iceberg.apache.org/spec/#appendix-c-json-serialization
extension Schema {
    /// Reads a schema object; `schema-id` defaults to 0. Throws `.invalidInput`, code `bad_schema`.
    public init(json: JSONValue, source: String) throws(FirnError) {
        let reader = SchemaReader(source: source)
        let fields = try reader.fields(json["fields"], depth: 0)
        let identifiers = (json["identifier-field-ids"]?.arrayValue ?? []).compactMap { $0.intValue }
        self.init(
            schemaId: Int(json["schema-id"]?.intValue ?? 0), fields: fields,
            identifierFieldIds: identifiers.map { Int($0) })
        guard allFields.count <= Limits.columnsMax else {
            throw reader.bad("the schema has more than \(Limits.columnsMax) columns")
        }
    }

    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("type", "struct"), .init("schema-id", .integer(Int64(schemaId))),
        ]
        if !identifierFieldIds.isEmpty {
            members.append(.init("identifier-field-ids", .array(identifierFieldIds.map { .integer(Int64($0)) })))
        }
        members.append(.init("fields", .array(fields.map(\.json))))
        return .object(members)
    }
}

extension Field {
    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("id", .integer(Int64(id))), .init("name", .string(name)), .init("required", .bool(required)),
            .init("type", type.json),
        ]
        if let doc { members.append(.init("doc", .string(doc))) }
        if let initialDefault { members.append(.init("initial-default", initialDefault.singleValueJSON(as: type))) }
        if let writeDefault { members.append(.init("write-default", writeDefault.singleValueJSON(as: type))) }
        return .object(members)
    }
}

extension DataType: CustomStringConvertible {
    /// A primitive's name as a JSON string, a nested type as an object.
    public var json: JSONValue {
        switch self {
        case .structure(let type):
            return ["type": "struct", "fields": .array(type.fields.map(\.json))]
        case .list(let type):
            return [
                "type": "list", "element-id": .integer(Int64(type.elementId)), "element": type.element.json,
                "element-required": .bool(type.elementRequired),
            ]
        case .map(let type):
            return [
                "type": "map", "key-id": .integer(Int64(type.keyId)), "key": type.key.json,
                "value-id": .integer(Int64(type.valueId)), "value": type.value.json,
                "value-required": .bool(type.valueRequired),
            ]
        default: return .string(description)
        }
    }

    /// Iceberg's name for a primitive (`decimal(9, 2)`, `fixed[16]`), a readable form for nested types.
    public var description: String {
        switch self {
        case .boolean: "boolean"
        case .int: "int"
        case .long: "long"
        case .float: "float"
        case .double: "double"
        case .decimal(let precision, let scale): "decimal(\(precision), \(scale))"
        case .date: "date"
        case .time: "time"
        case .timestamp: "timestamp"
        case .timestamptz: "timestamptz"
        case .timestampNs: "timestamp_ns"
        case .timestamptzNs: "timestamptz_ns"
        case .string: "string"
        case .uuid: "uuid"
        case .fixed(let width): "fixed[\(width)]"
        case .binary: "binary"
        case .structure(let type):
            "struct<"
                + type.fields.map { "\($0.name) \($0.type)\($0.required ? " required" : "")" }
                .joined(separator: ", ") + ">"
        case .list(let type): "list<\(type.element)>"
        case .map(let type): "map<\(type.key), \(type.value)>"
        case .variant: "variant"
        case .unknown: "unknown"
        }
    }

    /// Reads a type in Iceberg's JSON form. Throws `.invalidInput` (`bad_schema`) or `.unsupported` (`bad_type`).
    public init(json: JSONValue, source: String) throws(FirnError) {
        self = try SchemaReader(source: source).type(json, depth: 0)
    }

    /// Reads the name of a type that is not nested, tolerant of spaces in `decimal(9,2)`; nil when it is none.
    public init?(primitiveName text: String) {
        let name = text.filter { $0 != " " }
        switch name {
        case "boolean": self = .boolean
        case "int": self = .int
        case "long": self = .long
        case "float": self = .float
        case "double": self = .double
        case "date": self = .date
        case "time": self = .time
        case "timestamp": self = .timestamp
        case "timestamptz": self = .timestamptz
        case "timestamp_ns": self = .timestampNs
        case "timestamptz_ns": self = .timestamptzNs
        case "string": self = .string
        case "uuid": self = .uuid
        case "binary": self = .binary
        case "variant": self = .variant
        case "unknown": self = .unknown
        default:
            if name.hasPrefix("decimal("), name.hasSuffix(")") {
                let parts = name.dropFirst(8).dropLast().split(separator: ",", omittingEmptySubsequences: false)
                guard parts.count == 2, let precision = Int(parts[0]), let scale = Int(parts[1]),
                    (1...38).contains(precision), (0...precision).contains(scale)
                else { return nil }
                self = .decimal(precision: precision, scale: scale)
            } else if name.hasPrefix("fixed["), name.hasSuffix("]"), let width = Int(name.dropFirst(6).dropLast()),
                (1...(1 << 20)).contains(width)
            {
                self = .fixed(width)
            } else {
                return nil
            }
        }
    }
}

private struct SchemaReader {
    let source: String

    func bad(_ message: String) -> FirnError {
        FirnError(.invalidInput, "bad_schema", message, context: ["source": source])
    }

    func fields(_ json: JSONValue?, depth: Int) throws(FirnError) -> [Field] {
        guard let list = json?.arrayValue else { throw bad("a schema needs an array \"fields\"") }
        var fields: [Field] = []
        for item in list {
            guard let name = item["name"]?.stringValue else { throw bad("a field lacks its \"name\"") }
            guard let typeJSON = item["type"] else { throw bad("field \"\(name)\" lacks its \"type\"") }
            // Ids are assigned at table creation, so a client's new schema may leave them out.
            let id = Int(item["id"]?.intValue ?? 0)
            let type = try type(typeJSON, depth: depth + 1)
            fields.append(
                Field(
                    id: id, name: name, required: item["required"]?.boolValue ?? false, type: type,
                    doc: item["doc"]?.stringValue,
                    initialDefault: try defaultValue(item["initial-default"], type, "initial-default of \"\(name)\""),
                    writeDefault: try defaultValue(item["write-default"], type, "write-default of \"\(name)\"")))
        }
        return fields
    }

    private func defaultValue(_ json: JSONValue?, _ type: DataType, _ what: String) throws(FirnError) -> Value? {
        guard let json, !json.isNull else { return nil }
        return try Value(defaultJSON: json, as: type, what: what)
    }

    func type(_ json: JSONValue, depth: Int) throws(FirnError) -> DataType {
        guard depth <= Limits.nestingDepthMax else { throw bad("types are nested too deeply") }
        if let name = json.stringValue {
            guard let type = DataType(primitiveName: name) else {
                throw FirnError(
                    .unsupported, "bad_type", "\"\(name)\" is not a supported type", context: ["source": source])
            }
            return type
        }
        switch json["type"]?.stringValue {
        case "struct": return .structure(StructType(fields: try fields(json["fields"], depth: depth)))
        case "list":
            guard let element = json["element"] else { throw bad("a list lacks its \"element\"") }
            return .list(
                ListType(
                    elementId: Int(json["element-id"]?.intValue ?? 0), element: try type(element, depth: depth + 1),
                    elementRequired: json["element-required"]?.boolValue ?? false))
        case "map":
            guard let key = json["key"], let value = json["value"] else { throw bad("a map lacks its key or value") }
            return .map(
                MapType(
                    keyId: Int(json["key-id"]?.intValue ?? 0), key: try type(key, depth: depth + 1),
                    valueId: Int(json["value-id"]?.intValue ?? 0), value: try type(value, depth: depth + 1),
                    valueRequired: json["value-required"]?.boolValue ?? false))
        case .some(let name) where DataType(primitiveName: name) != nil: return DataType(primitiveName: name)!
        default: throw bad("unknown type \(json.text)")
        }
    }
}
