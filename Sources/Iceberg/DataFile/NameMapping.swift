import Base
import Columnar
import Parquet

/// Field ids for files that were written without them, by column name.
///
/// Spec: https://iceberg.apache.org/spec/#name-mapping-serialization
public struct NameMapping: Sendable, Hashable {
    /// The table property that holds it.
    public static let property = "schema.name-mapping.default"

    fileprivate struct Node: Sendable, Hashable {
        var id: Int?
        var names: [String]
        var children: [Node]
    }

    private var roots: [Node]

    /// Reads the property `schema.name-mapping.default`. Throws `.corrupted`, code `bad_name_mapping`.
    public init(parsing text: String) throws(FirnError) {
        do {
            roots = try Self.nodes(JSONValue(parsing: text, source: Self.property))
        } catch {
            throw FirnError(.corrupted, "bad_name_mapping", "\(Self.property) cannot be read", cause: error)
        }
    }

    /// Every column of a schema by its present name.
    public init(_ schema: Schema) { roots = schema.fields.map(Node.init) }

    private static func nodes(_ json: JSONValue) throws(FirnError) -> [Node] {
        guard let items = json.arrayValue else {
            throw FirnError(.corrupted, "bad_name_mapping", "a name mapping is a list")
        }
        var nodes: [Node] = []
        for item in items {
            nodes.append(
                Node(
                    id: item["field-id"]?.intValue.flatMap { Int(exactly: $0) },
                    names: (item["names"]?.arrayValue ?? []).compactMap(\.stringValue),
                    children: try item["fields"].map(Self.nodes) ?? []))
        }
        return nodes
    }

    /// The form in which the property holds it.
    public var json: JSONValue { .array(roots.map(\.json)) }

    /// The mapping once the table's schema has changed, as other engines keep it: a new name joins the old ones of its
    /// column, and a new column gets an entry. A name that another column had in the past goes to the one that has it
    /// now; what was dropped stays, for the files that still hold it.
    public func updated(from old: Schema, to new: Schema) -> NameMapping {
        var mapping = self
        let before = Dictionary(
            old.allFields.map { ($0.field.id, $0.field.name) }, uniquingKeysWith: { first, _ in first })
        Node.update(&mapping.roots, new.fields, before)
        return mapping
    }

    /// The footer with ids filled in. The repeated groups inside lists and maps have none and are passed over.
    func applied(to footer: ParquetFooter) -> ParquetFooter {
        var footer = footer
        var position = 1
        assign(&footer.schema, &position, count: footer.schema.first?.childCount ?? 0, roots)
        return footer
    }

    private func assign(
        _ elements: inout [ParquetFooter.SchemaElement], _ position: inout Int, count: Int, _ nodes: [Node]
    ) {
        for _ in 0..<count where position < elements.count {
            let element = elements[position]
            let isMiddle = element.repetition == .repeated && element.childCount != nil
            let node = isMiddle ? nil : nodes.first { $0.names.contains(element.name) } ?? alias(element.name, nodes)
            elements[position].fieldId = node?.id
            position += 1
            if let children = element.childCount {
                assign(&elements, &position, count: children, isMiddle ? nodes : node?.children ?? [])
            }
        }
    }

    /// Writers name the element of a list in their own ways.
    private func alias(_ name: String, _ nodes: [Node]) -> Node? {
        guard name == "item" || name == "array" || name == "array_element" else { return nil }
        return nodes.first { $0.names == ["element"] }
    }
}

extension TableMetadata {
    /// The table's `schema.name-mapping.default`; nil when there is none or it cannot be read.
    public var nameMapping: NameMapping? {
        properties[NameMapping.property].flatMap { try? NameMapping(parsing: $0) }
    }
}

extension NameMapping.Node {
    fileprivate init(_ field: Field) {
        self.init(id: field.id, names: [field.name], children: Self.members(of: field.type).map(Self.init))
    }

    /// The fields beneath one of this type, elements, keys and values included.
    private static func members(of type: DataType) -> [Field] {
        switch type {
        case .structure(let type): type.fields
        case .list(let type): [type.elementField]
        case .map(let type): [type.keyField, type.valueField]
        default: []
        }
    }

    fileprivate var json: JSONValue {
        var members: [JSONValue.Member] = []
        if let id { members.append(.init("field-id", .integer(Int64(id)))) }
        members.append(.init("names", .array(names.map { .string($0) })))
        if !children.isEmpty { members.append(.init("fields", .array(children.map(\.json)))) }
        return .object(members)
    }

    /// Brings the entries of one struct's members up to date.
    fileprivate static func update(_ nodes: inout [Self], _ fields: [Field], _ before: [Int: String]) {
        for field in fields {
            let known = nodes.firstIndex { $0.id == field.id }
            if before[field.id] == nil || known != nil && before[field.id] != field.name {
                for index in nodes.indices where index != known { nodes[index].names.removeAll { $0 == field.name } }
            }
            if let known {
                if before[field.id] != field.name, !nodes[known].names.contains(field.name) {
                    nodes[known].names.append(field.name)
                }
                update(&nodes[known].children, members(of: field.type), before)
            } else if before[field.id] == nil {
                nodes.append(Self(field))
            }
        }
    }
}
