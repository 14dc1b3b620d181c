import Base
import Columnar
import Iceberg

/// What a user says about a new table, in the CLI's short form or as the body of `POST /v1/tables`.
public struct TableDefinition: Sendable {
    public var identifier: TableIdentifier
    public var schema: Schema
    public var spec: PartitionSpec
    public var sortOrder: SortOrder
    public var properties: [String: String]

    /// `schema` is the short form or Iceberg's schema JSON; `partition` and `sort` are the short forms.
    ///
    /// Throws `.invalidInput` with a position or a name in its message.
    public init(
        identifier: TableIdentifier, schema: String, partition: String?, sort: String?,
        identifierColumns: [String] = [], properties: [String: String] = [:]
    ) throws(FirnError) {
        var parsed: Schema
        if schema.drop(while: { $0.isWhitespace }).first == "{" {
            parsed = try Schema(json: JSONValue(parsing: schema, source: "schema"), source: "schema")
        } else {
            parsed = try ShortSchema.parse(schema)
        }
        guard !parsed.fields.isEmpty else {
            throw FirnError(.invalidInput, "bad_schema", "a table needs at least one column")
        }
        // Partition, sort and identifier columns are found by id, so that the ids must be right already.
        parsed = parsed.numbered()
        parsed.identifierFieldIds = try Self.identifiers(identifierColumns, in: parsed) ?? parsed.identifierFieldIds
        self.identifier = identifier
        self.schema = parsed
        spec = try Self.spec(partition, schema: parsed)
        sortOrder = try Self.sortOrder(sort, schema: parsed)
        self.properties = properties
    }

    /// Reads `{"namespace", "name", "schema", "partition", "sort", "identifier", "properties"}`.
    public init(json: JSONValue) throws(FirnError) {
        guard let name = json["name"]?.stringValue else {
            throw FirnError(.invalidInput, "bad_table", "a table needs \"namespace\", \"name\" and \"schema\"")
        }
        let schema: String
        switch json["schema"] {
        case .string(let text): schema = text
        case .some(let tree) where tree.objectValue != nil: schema = tree.text
        default:
            throw FirnError(
                .invalidInput, "bad_table", "\"schema\" must be the short form as text, or Iceberg's schema object")
        }
        try self.init(
            identifier: TableIdentifier(namespace: Self.namespace(json["namespace"]), name: name), schema: schema,
            partition: json["partition"]?.stringValue, sort: json["sort"]?.stringValue,
            identifierColumns: Self.columns(json["identifier"]),
            properties: Self.strings(json["properties"], "properties"))
    }

    // MARK: Parts of requests

    /// A namespace as `"a.b"` or `["a", "b"]`.
    public static func namespace(_ json: JSONValue?) throws(FirnError) -> [String] {
        let levels =
            switch json {
            case .string(let text): text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            case .array(let parts): parts.compactMap(\.stringValue)
            default: [String]()
            }
        guard !levels.isEmpty else {
            throw FirnError(.invalidInput, "bad_identifier", "\"namespace\" must be text such as \"sales\"")
        }
        try NameRules.check(namespace: levels)
        return levels
    }

    /// An object of strings; numbers and booleans are taken as their text.
    public static func strings(_ json: JSONValue?, _ name: String) throws(FirnError) -> [String: String] {
        guard let json, !json.isNull else { return [:] }
        guard let members = json.objectValue else {
            throw FirnError(.invalidInput, "bad_properties", "\"\(name)\" must be an object of strings")
        }
        var strings: [String: String] = [:]
        for member in members { strings[member.key] = member.value.stringValue ?? member.value.text }
        return strings
    }

    private static func columns(_ json: JSONValue?) -> [String] {
        switch json {
        case .string(let text): text.split(separator: ",").map { String($0.filter { $0 != " " }) }
        case .array(let names): names.compactMap(\.stringValue)
        default: []
        }
    }

    private static func identifiers(_ paths: [String], in schema: Schema) throws(FirnError) -> [Int]? {
        guard !paths.isEmpty else { return nil }
        var ids: [Int] = []
        for path in paths { ids.append(try column(path, in: schema).id) }
        return ids
    }

    private static func column(_ path: String, in schema: Schema) throws(FirnError) -> Field {
        guard let field = schema.field(path: path) else {
            let known = schema.fields.map(\.name).joined(separator: ", ")
            throw FirnError(.invalidInput, "unknown_column", "there is no column \"\(path)\"; the columns are \(known)")
        }
        return field
    }

    private static func transform(_ name: String, _ argument: Int?) -> Transform {
        Transform(parsing: argument.map { "\(name)[\($0)]" } ?? name)
    }

    private static func spec(_ text: String?, schema: Schema) throws(FirnError) -> PartitionSpec {
        guard let text else { return .unpartitioned }
        var fields: [PartitionField] = []
        for term in try ShortSchema.parsePartition(text) {
            let source = try column(term.column, in: schema)
            let transform = transform(term.transform, term.argument)
            guard transform.accepts(source.type) else {
                throw FirnError(
                    .invalidInput, "bad_partition",
                    "\(transform) cannot be applied to column \"\(term.column)\" of type \(source.type)")
            }
            let base = term.column.split(separator: ".").joined(separator: "_")
            let name =
                switch transform {
                case _ where term.name != nil: term.name!
                case .identity: base
                case .bucket: base + "_bucket"
                case .truncate: base + "_trunc"
                default: base + "_" + transform.description
                }
            fields.append(
                PartitionField(sourceId: source.id, fieldId: 1000 + fields.count, name: name, transform: transform))
        }
        return PartitionSpec(specId: 0, fields: fields)
    }

    private static func sortOrder(_ text: String?, schema: Schema) throws(FirnError) -> SortOrder {
        var order = try SortOrder(parsing: text ?? "", schema: schema)
        order.orderId = order.isUnsorted ? 0 : 1
        return order
    }
}

extension Warehouse {
    /// Creates the table that `definition` describes, and its namespace where that is missing.
    public func createTable(_ definition: TableDefinition, ifNotExists: Bool) throws -> Table {
        try createNamespace(definition.identifier.namespace, properties: [:], ifNotExists: true)
        return try createTable(
            definition.identifier, schema: definition.schema, spec: definition.spec,
            sortOrder: definition.sortOrder, properties: definition.properties, ifNotExists: ifNotExists)
    }
}
