import Base
import Columnar

/// A predicate as one file can evaluate it.
struct RowFilter {
    /// For the evaluator. Fields that neither projection nor file has are null and folded away.
    let expression: Expression
    /// For pruning: without negations, passed by every row that passes `expression`.
    let inclusive: Expression
    /// From the top to the field, through structs, by id.
    private let chains: [Int: [Field]]

    init(_ filter: Expression, projection: Schema, nodes: [SchemaNode], source: String) throws(FirnError) {
        var chains: [Int: [Field]] = [:]
        var unknown: Set<Int> = []
        for id in filter.fieldIds {
            if let chain = projection.chain(to: id) {
                chains[id] = chain
            } else if let path = Self.path(to: id, nodes) {
                chains[id] = try Self.fields(path, source: source)
            } else if projection.field(id: id) != nil || nodes.contains(where: { $0.holds(fieldId: id) }) {
                throw FirnError(
                    .unsupported, "repeated_column", "a field inside a list or map cannot be compared",
                    context: ["file": source, "column": projection.path(id: id) ?? "id \(id)"])
            } else {
                unknown.insert(id)
            }
        }
        self.chains = chains
        expression = try filter.folding { unknown.contains($0) ? (.null, .int) : nil }
        inclusive = expression.withoutNegation { id in
            chains[id].map { $0.last!.type == .float || $0.last!.type == .double } ?? true
        }
    }

    func field(_ id: Int) -> Field? { chains[id]?.last }
    func isTopLevel(_ id: Int) -> Bool { chains[id]?.count == 1 }
    func type(of id: Int) -> DataType? { chains[id]?.last?.type }

    /// The fields that the expression looks at, without what stands beside them in structs.
    func schema() -> Schema {
        var fields: [Field] = []
        for id in expression.fieldIds.sorted() { Self.merge(Self.nested(chains[id]![...]), into: &fields) }
        return Schema(fields: fields)
    }

    private static func nested(_ chain: ArraySlice<Field>) -> Field {
        var field = chain.first!
        if chain.count > 1 { field.type = .structure(StructType(fields: [nested(chain.dropFirst())])) }
        return field
    }

    private static func merge(_ field: Field, into fields: inout [Field]) {
        guard let place = fields.firstIndex(where: { $0.id == field.id }) else { return fields.append(field) }
        guard case .structure(var type) = fields[place].type, case .structure(let more) = field.type else { return }
        for child in more.fields { merge(child, into: &type.fields) }
        fields[place].type = .structure(type)
    }

    private static func path(to id: Int, _ nodes: [SchemaNode]) -> [SchemaNode]? {
        for node in nodes {
            if node.fieldId == id { return [node] }
            if case .structure(let children) = node.shape, let rest = path(to: id, children) { return [node] + rest }
        }
        return nil
    }

    private static func fields(_ path: [SchemaNode], source: String) throws(FirnError) -> [Field] {
        var fields = [try path.last!.field(source: source)]
        for node in path.dropLast().reversed() {
            fields.insert(
                Field(
                    id: node.fieldId, name: node.name, required: !node.isOptional,
                    type: .structure(StructType(fields: [fields[0]]))), at: 0)
        }
        return fields
    }
}

extension SchemaNode {
    fileprivate func holds(fieldId: Int) -> Bool {
        if self.fieldId == fieldId { return true }
        return switch shape {
        case .leaf: false
        case .structure(let children): children.contains { $0.holds(fieldId: fieldId) }
        case .list(let element): element.holds(fieldId: fieldId)
        case .map(let key, let value): key.holds(fieldId: fieldId) || value.holds(fieldId: fieldId)
        }
    }
}
