import Base

/// The JSON form of a change, as the HTTP API takes it and the catalog keeps it:
///
/// ```
/// {"operations": [{"op": "add", "column": "device.os", "type": "string", "doc": "…"},
///                 {"op": "widen", "column": "n", "type": "long"},
///                 {"op": "optional", "column": "id"}]}
/// ```
///
/// A column is a dotted path, or an array of names where a name has a dot in it. A type is Iceberg's JSON form, its ids
/// left out or ignored, or the short form as text (`list<string>`).
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
        case .addColumn(let parent, let field):
            var members: [JSONValue.Member] = [
                .init("op", "add"), .init("column", parent.appending(field.name).json),
                .init("type", field.type.json),
            ]
            if let doc = field.doc { members.append(.init("doc", .string(doc))) }
            return .object(members)
        case .widen(let path, let type): return ["op": "widen", "column": path.json, "type": type.json]
        case .makeOptional(let path): return ["op": "optional", "column": path.json]
        }
    }

    /// Throws as `SchemaChange.init(json:)`.
    public init(json: JSONValue) throws(FirnError) {
        guard let path = ColumnPath(json: json["column"]), let name = path.names.last else {
            throw Self.bad("\"column\" must be a dotted path or an array of names, in \(json.text.prefix(200))")
        }
        switch json["op"]?.stringValue {
        case "add":
            self = .addColumn(
                parent: ColumnPath(path.names.dropLast()),
                field: Field(
                    id: 0, name: name, required: false, type: try Self.type(json["type"], path),
                    doc: json["doc"]?.stringValue))
        case "widen": self = .widen(path, to: try Self.type(json["type"], path))
        case "optional": self = .makeOptional(path)
        default: throw Self.bad("\"op\" must be add, widen or optional, in \(json.text.prefix(200))")
        }
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
