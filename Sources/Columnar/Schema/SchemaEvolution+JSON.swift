import Base

/// The JSON form of a change, as the HTTP API takes it and the catalog keeps it:
///
/// ```
/// {"operations": [{"op": "add", "column": "device.os", "type": "string", "doc": "…", "after": "model"},
///                 {"op": "add", "column": "region", "type": "string", "default": "eu", "required": true},
///                 {"op": "drop", "column": "old"}, {"op": "rename", "column": "device.os", "to": "system"},
///                 {"op": "move", "column": "id", "first": true}, {"op": "move", "column": "n", "before": "name"},
///                 {"op": "widen", "column": "n", "type": "long"}, {"op": "optional", "column": "id"},
///                 {"op": "required", "column": "n", "allow-incompatible": true},
///                 {"op": "doc", "column": "n", "doc": "…"}, {"op": "default", "column": "n", "default": 0},
///                 {"op": "identifier", "columns": ["id", "key.a"]}]}
/// ```
///
/// A column is a dotted path, or an array of names where a name has a dot in it. A type is Iceberg's JSON form, its ids
/// left out or ignored, or the short form as text (`list<string>`). A default has the single-value form of its type; in
/// `add` it is both the initial and the write default. A position names a sibling, by its name or its path.
extension SchemaChange {
    public var json: JSONValue { ["operations": .array(operations.map(\.json))] }

    /// Throws `.invalidInput` (`bad_schema_change`, `bad_schema`), `.unsupported` (`bad_type`).
    public init(json: JSONValue) throws(FirnError) {
        guard let items = json["operations"]?.arrayValue, !items.isEmpty else {
            throw Operation.bad("\"operations\" must be an array with at least one operation")
        }
        guard items.count <= Limits.columnsMax else {
            throw Operation.bad("more than \(Limits.columnsMax) operations at once")
        }
        var operations: [Operation] = []
        for item in items { operations.append(try Operation(json: item)) }
        self.init(operations)
    }
}

extension ColumnPath {
    /// A dotted string, or an array of names where that would be ambiguous.
    public var json: JSONValue {
        names.contains { $0.contains(".") || $0.isEmpty }
            ? .array(names.map { .string($0) }) : .string(description)
    }

    /// Nil for anything but a non-empty string or array of strings.
    public init?(json: JSONValue?) {
        if let text = json?.stringValue, !text.isEmpty {
            self.init(dotted: text)
        } else if let names = json?.arrayValue?.map(\.stringValue), !names.isEmpty, !names.contains(nil) {
            self.init(names.compactMap { $0 })
        } else {
            return nil
        }
        guard names.count <= Limits.nestingDepthMax else { return nil }
    }
}

extension SchemaChange.Operation {
    public var json: JSONValue {
        switch self {
        case .addColumn(let parent, let field, let position):
            var members: [JSONValue.Member] = [
                .init("op", "add"), .init("column", parent.appending(field.name).json),
                .init("type", field.type.json),
            ]
            if let doc = field.doc { members.append(.init("doc", .string(doc))) }
            if let value = field.initialDefault {
                members.append(.init("default", value.singleValueJSON(as: field.type)))
                if field.required { members.append(.init("required", true)) }
            }
            return .object(members + (position?.members ?? []))
        case .drop(let path): return ["op": "drop", "column": path.json]
        case .rename(let path, let name): return ["op": "rename", "column": path.json, "to": .string(name)]
        case .move(let path, let position):
            return .object([.init("op", "move"), .init("column", path.json)] + position.members)
        case .widen(let path, let type): return ["op": "widen", "column": path.json, "type": type.json]
        case .makeOptional(let path): return ["op": "optional", "column": path.json]
        case .makeRequired(let path, let isAllowed):
            return ["op": "required", "column": path.json, "allow-incompatible": .bool(isAllowed)]
        case .document(let path, let text):
            return ["op": "doc", "column": path.json, "doc": text.map { .string($0) } ?? .null]
        case .setDefault(let path, let value): return ["op": "default", "column": path.json, "default": value]
        case .identify(let paths): return ["op": "identifier", "columns": .array(paths.map(\.json))]
        }
    }

    /// Throws as `SchemaChange.init(json:)`.
    public init(json: JSONValue) throws(FirnError) {
        let op = json["op"]?.stringValue
        if op == "identifier" {
            self = .identify(try Self.columns(json["columns"], json))
            return
        }
        guard let path = ColumnPath(json: json["column"]), let name = path.names.last else {
            throw Self.bad("\"column\" must be a dotted path or an array of names, in \(json.text.prefix(200))")
        }
        switch op {
        case "add": self = try Self.add(json, path, name)
        case "drop": self = .drop(path)
        case "rename":
            guard let name = json["to"]?.stringValue else { throw Self.bad("rename of \"\(path)\" lacks its \"to\"") }
            self = .rename(path, to: name)
        case "move":
            guard let position = try ColumnPosition(json: json, of: path) else {
                throw Self.bad("move of \"\(path)\" needs \"first\": true, \"after\" or \"before\"")
            }
            self = .move(path, position)
        case "widen": self = .widen(path, to: try Self.type(json["type"], path))
        case "optional": self = .makeOptional(path)
        case "required":
            self = .makeRequired(path, allowIncompatible: json["allow-incompatible"]?.boolValue ?? false)
        case "doc":
            guard let doc = json["doc"], doc.isNull || doc.stringValue != nil else {
                throw Self.bad("the description of \"\(path)\" must be text, or null")
            }
            self = .document(path, doc.stringValue)
        case "default":
            guard let value = json["default"] else {
                throw Self.bad("the operation on \"\(path)\" lacks its \"default\"")
            }
            self = .setDefault(path, value)
        default:
            throw Self.bad(
                "\"op\" must be add, drop, rename, move, widen, optional, required, doc, default or identifier, in "
                    + "\(json.text.prefix(200))")
        }
    }

    private static func columns(_ json: JSONValue?, _ whole: JSONValue) throws(FirnError) -> [ColumnPath] {
        guard let items = json?.arrayValue, items.count <= Limits.columnsMax else {
            throw bad("\"columns\" must be an array of columns, in \(whole.text.prefix(200))")
        }
        var paths: [ColumnPath] = []
        for item in items {
            guard let path = ColumnPath(json: item) else { throw bad("\(item.text.prefix(200)) is no column") }
            paths.append(path)
        }
        return paths
    }

    private static func add(_ json: JSONValue, _ path: ColumnPath, _ name: String) throws(FirnError) -> Self {
        let type = try type(json["type"], path)
        var value: Value?
        if let json = json["default"], !json.isNull {
            do {
                value = try Value(defaultJSON: json, as: type, what: "default of \"\(path)\"")
            } catch { throw FirnError(error.kind, "bad_default", error.message, cause: error) }
        }
        let isRequired = json["required"]?.boolValue ?? false
        guard !isRequired || value != nil else {
            throw bad("column \"\(path)\" can only be added as required with a default for older rows")
        }
        return .addColumn(
            parent: ColumnPath(path.names.dropLast()),
            field: Field(
                id: 0, name: name, required: isRequired, type: type, doc: json["doc"]?.stringValue,
                initialDefault: value, writeDefault: value),
            position: try ColumnPosition(json: json, of: path))
    }

    private static func type(_ json: JSONValue?, _ path: ColumnPath) throws(FirnError) -> DataType {
        guard let json else { throw bad("the operation on column \"\(path)\" lacks its \"type\"") }
        guard let text = json.stringValue else { return try DataType(json: json, source: "schema change").withoutIds }
        if let type = DataType(primitiveName: text) { return type }
        let parsed = try ShortSchema.parse("c \(text)")
        guard parsed.fields.count == 1, !parsed.fields[0].required, parsed.fields[0].doc == nil else {
            throw bad("\"\(text)\" is not one type")
        }
        return parsed.fields[0].type.withoutIds
    }

    static func bad(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_schema_change", message) }
}

extension ColumnPosition {
    fileprivate var members: [JSONValue.Member] {
        switch self {
        case .first: [.init("first", true)]
        case .after(let name): [.init("after", ColumnPath([name]).json)]
        case .before(let name): [.init("before", ColumnPath([name]).json)]
        }
    }

    /// Nil when the operation names none.
    fileprivate init?(json: JSONValue, of column: ColumnPath) throws(FirnError) {
        let given = ["first", "after", "before"].filter { json[$0] != nil && json[$0] != .bool(false) }
        guard let key = given.first else { return nil }
        guard given.count == 1 else {
            throw SchemaChange.Operation.bad("column \"\(column)\" cannot have more than one position")
        }
        if key == "first" {
            guard json["first"]?.boolValue == true else {
                throw SchemaChange.Operation.bad("\"first\" must be true or false")
            }
            self = .first
            return
        }
        guard let path = ColumnPath(json: json[key]), let name = path.names.last,
            path.names.count == 1 || path.names.dropLast() == column.names.dropLast()
        else {
            throw SchemaChange.Operation.bad("\"\(key)\" must name a column beside \"\(column)\"")
        }
        self = key == "after" ? .after(name) : .before(name)
    }
}
