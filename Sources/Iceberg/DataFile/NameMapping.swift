import Base
import Parquet

/// Field ids for files that were written without them, by column name.
///
/// Spec: https://iceberg.apache.org/spec/#name-mapping-serialization
public struct NameMapping: Sendable {
    private struct Node: Sendable {
        let id: Int?
        let names: [String]
        let children: [Node]
    }

    private let roots: [Node]

    /// Reads the property `schema.name-mapping.default`. Throws `.corrupted`, code `bad_name_mapping`.
    public init(parsing text: String) throws(FirnError) {
        do {
            roots = try Self.nodes(JSONValue(parsing: text, source: "schema.name-mapping.default"))
        } catch {
            throw FirnError(.corrupted, "bad_name_mapping", "schema.name-mapping.default cannot be read", cause: error)
        }
    }

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
        properties["schema.name-mapping.default"].flatMap { try? NameMapping(parsing: $0) }
    }
}
