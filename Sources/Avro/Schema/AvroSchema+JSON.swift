import Base

extension AvroSchema {
    /// Reads the JSON form. Throws `.corrupted`, code `bad_avro_schema`.
    public init(json: JSONValue, source: String) throws(FirnError) {
        var reader = AvroSchemaReader(source: source)
        let root = try reader.type(json, namespace: "", depth: 0)
        self.init(root: root, names: reader.names)
    }

    public init(parsing text: [UInt8], source: String) throws(FirnError) {
        let json: JSONValue
        do {
            json = try JSONValue(parsing: text, source: source)
        } catch {
            // The older form of a primitive schema: its bare name.
            guard let name = String(validating: text, as: UTF8.self), AvroSchemaReader.primitives[name] != nil else {
                throw FirnError(
                    .corrupted, "bad_avro_schema", "the Avro schema is not JSON", context: ["file": source],
                    cause: error)
            }
            json = .string(name)
        }
        try self.init(json: json, source: source)
    }

    public var json: JSONValue { root.json }
}

extension AvroType {
    /// The JSON form; named types carry their full names.
    public var json: JSONValue {
        var members: [JSONValue.Member] = []
        func add(_ key: String, _ value: JSONValue) { members.append(JSONValue.Member(key, value)) }
        switch kind {
        case .reference(let name): return .string(name)
        case .union(let branches): return .array(branches.map(\.json))
        case .fixed(let name, let size):
            add("type", "fixed")
            add("name", .string(name))
            add("size", .integer(Int64(size)))
        case .enumeration(let name, let symbols):
            add("type", "enum")
            add("name", .string(name))
            add("symbols", .array(symbols.map { .string($0) }))
        case .array(let item):
            add("type", "array")
            add("items", item.json)
        case .map(let item):
            add("type", "map")
            add("values", item.json)
        case .record(let name, let fields):
            add("type", "record")
            add("name", .string(name))
            add("fields", .array(fields.map(\.json)))
        default:
            let name = JSONValue.string(kind.primitiveName!)
            if attributes.isEmpty { return name }
            add("type", name)
        }
        return .object(members + attributes)
    }
}

extension AvroField {
    var json: JSONValue {
        .object([JSONValue.Member("name", .string(name)), JSONValue.Member("type", type.json)] + attributes)
    }
}

extension AvroType.Kind {
    var primitiveName: String? {
        switch self {
        case .null: "null"
        case .boolean: "boolean"
        case .int: "int"
        case .long: "long"
        case .float: "float"
        case .double: "double"
        case .bytes: "bytes"
        case .string: "string"
        default: nil
        }
    }
}

private struct AvroSchemaReader {
    static let primitives: [String: AvroType.Kind] = [
        "null": .null, "boolean": .boolean, "int": .int, "long": .long, "float": .float, "double": .double,
        "bytes": .bytes, "string": .string,
    ]

    let source: String
    var names: [String: AvroType] = [:]
    /// Records whose fields are being read: a reference to one is a recursive type.
    var open: Set<String> = []

    init(source: String) { self.source = source }

    func bad(_ message: String) -> FirnError {
        FirnError(.corrupted, "bad_avro_schema", "bad Avro schema: \(message)", context: ["file": source])
    }

    mutating func type(_ json: JSONValue, namespace: String, depth: Int) throws(FirnError) -> AvroType {
        guard depth <= Limits.nestingDepthMax else { throw bad("nested too deeply") }
        switch json {
        case .string(let name):
            if let kind = Self.primitives[name] { return AvroType(kind) }
            for candidate in [qualify(name, namespace), name] where names[candidate] != nil || open.contains(candidate)
            {
                return AvroType(.reference(candidate))
            }
            throw bad("unknown type \"\(name)\"")
        case .array(let items):
            var branches: [AvroType] = []
            for item in items { branches.append(try type(item, namespace: namespace, depth: depth + 1)) }
            guard !branches.isEmpty else { throw bad("an empty union") }
            return AvroType(.union(branches))
        case .object(let members):
            return try complex(json, members, namespace: namespace, depth: depth)
        default: throw bad("a type must be a name, an array or an object")
        }
    }

    private mutating func complex(
        _ json: JSONValue, _ members: [JSONValue.Member], namespace: String, depth: Int
    ) throws(FirnError) -> AvroType {
        guard let typeJSON = json["type"] else { throw bad("an object without \"type\"") }
        guard let name = typeJSON.stringValue else { return try type(typeJSON, namespace: namespace, depth: depth + 1) }
        func rest(_ keys: Set<String>) -> [JSONValue.Member] {
            members.filter { $0.key != "type" && $0.key != "namespace" && !keys.contains($0.key) }
        }
        switch name {
        case "record", "error": return try record(json, attributes: rest(["name", "fields"]), namespace, depth)
        case "fixed":
            guard let size = json["size"]?.intValue, (0...Int64(1 << 30)).contains(size) else {
                throw bad("a fixed type's size")
            }
            let full = try fullName(json, namespace)
            return define(full, AvroType(.fixed(name: full, size: Int(size)), attributes: rest(["name", "size"])))
        case "enum":
            let symbols = (json["symbols"]?.arrayValue ?? []).compactMap(\.stringValue)
            guard !symbols.isEmpty else { throw bad("an enumeration without symbols") }
            let full = try fullName(json, namespace)
            let kind = AvroType.Kind.enumeration(name: full, symbols: symbols)
            return define(full, AvroType(kind, attributes: rest(["name", "symbols"])))
        case "array":
            guard let items = json["items"] else { throw bad("an array without items") }
            let item = try type(items, namespace: namespace, depth: depth + 1)
            return AvroType(.array(item), attributes: rest(["items"]))
        case "map":
            guard let values = json["values"] else { throw bad("a map without values") }
            let item = try type(values, namespace: namespace, depth: depth + 1)
            return AvroType(.map(item), attributes: rest(["values"]))
        default:
            if let kind = Self.primitives[name] { return AvroType(kind, attributes: rest([])) }
            return try type(typeJSON, namespace: namespace, depth: depth + 1)
        }
    }

    private mutating func record(
        _ json: JSONValue, attributes: [JSONValue.Member], _ namespace: String, _ depth: Int
    ) throws(FirnError) -> AvroType {
        let full = try fullName(json, namespace)
        guard names[full] == nil, open.insert(full).inserted else { throw bad("\"\(full)\" is defined twice") }
        let inner = full.split(separator: ".").dropLast().joined(separator: ".")
        guard let list = json["fields"]?.arrayValue else { throw bad("record \"\(full)\" without fields") }
        var fields: [AvroField] = []
        for item in list {
            guard let name = item["name"]?.stringValue, let typeJSON = item["type"], let members = item.objectValue
            else {
                throw bad("a field of \"\(full)\" lacks name or type")
            }
            fields.append(
                AvroField(
                    name: name, type: try type(typeJSON, namespace: inner, depth: depth + 1),
                    attributes: members.filter { $0.key != "name" && $0.key != "type" }))
        }
        return define(full, AvroType(.record(name: full, fields: fields), attributes: attributes))
    }

    private mutating func define(_ name: String, _ type: AvroType) -> AvroType {
        names[name] = type
        return type
    }

    private func fullName(_ json: JSONValue, _ namespace: String) throws(FirnError) -> String {
        guard let name = json["name"]?.stringValue, !name.isEmpty else { throw bad("a named type without name") }
        return qualify(name, json["namespace"]?.stringValue ?? namespace)
    }

    private func qualify(_ name: String, _ namespace: String) -> String {
        name.contains(".") || namespace.isEmpty ? name : namespace + "." + name
    }
}
