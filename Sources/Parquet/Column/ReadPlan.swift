import Base
import Columnar

/// What a projection takes from a file: the projected fields matched with the file's by id, nested ones too.
indirect enum ReadPlan {
    case leaf(SchemaNode, SchemaLeaf, DataType)
    /// The file has no such field: the value in every row, null without one.
    case missing(DataType, Value?)
    /// `levels` is a leaf beneath the node that tells its nulls.
    case structure(SchemaNode, levels: SchemaLeaf, [ReadPlan], DataType)
    case list(SchemaNode, levels: SchemaLeaf, ReadPlan, DataType)
    case map(SchemaNode, levels: SchemaLeaf, key: ReadPlan, value: ReadPlan, DataType)
    /// The group as it is stored, and what its parts are.
    case variant(ReadPlan, VariantShape)

    /// Matches projected fields with the fields of one struct of the file.
    static func build(_ fields: [Field], in nodes: [SchemaNode], source: String) throws(FirnError) -> [ReadPlan] {
        var plans: [ReadPlan] = []
        for field in fields {
            if field.type != .unknown, let node = nodes.first(where: { $0.fieldId == field.id }) {
                plans.append(try build(field.type, node, source: source))
            } else if field.required, field.initialDefault == nil {
                throw FirnError(
                    .corrupted, "missing_column", "the file lacks the required column \"\(field.name)\"",
                    context: ["file": source, "column": field.name])
            } else {
                plans.append(.missing(field.type, field.initialDefault))
            }
        }
        return plans
    }

    private static func build(_ type: DataType, _ node: SchemaNode, source: String) throws(FirnError) -> ReadPlan {
        switch (type, node.shape) {
        case (.structure(let type), .structure(let children)):
            let plans = try build(type.fields, in: children, source: source)
            let levels = plans.lazy.compactMap(\.levels).first ?? node.anyLeaf
            guard let levels else { throw mismatch(node, .structure(type), source) }
            return .structure(node, levels: levels, plans, .structure(type))
        case (.list(let type), .list(let element)):
            let plan = try build(type.element, element, source: source)
            guard let levels = plan.levels ?? node.anyLeaf else { throw mismatch(node, .list(type), source) }
            return .list(node, levels: levels, plan, .list(type))
        case (.map(let type), .map(let key, let value)):
            let keyPlan = try build(type.key, key, source: source)
            let valuePlan = try build(type.value, value, source: source)
            guard let levels = keyPlan.levels ?? node.anyLeaf else { throw mismatch(node, .map(type), source) }
            return .map(node, levels: levels, key: keyPlan, value: valuePlan, .map(type))
        case (.variant, .structure(let children)):
            guard let shape = try VariantShape(children, source: source) else { throw mismatch(node, type, source) }
            var fields: [Field] = []
            for child in children { fields.append(try child.field(source: source)) }
            return .variant(try build(.structure(StructType(fields: fields)), node, source: source), shape)
        case (_, .leaf(let leaf)) where type.isPrimitive:
            guard ValueConversion.isReadable(leaf, as: type) else { throw mismatch(node, type, source) }
            return .leaf(node, leaf, type)
        default: throw mismatch(node, type, source)
        }
    }

    private static func mismatch(_ node: SchemaNode, _ type: DataType, _ source: String) -> FirnError {
        FirnError(
            .corrupted, "column_type_mismatch", "column \"\(node.name)\" cannot be read as \(type)",
            context: ["file": source, "column": node.name])
    }

    /// A leaf whose levels tell this node's nulls; nil for a missing field.
    var levels: SchemaLeaf? {
        switch self {
        case .leaf(_, let leaf, _): leaf
        case .missing: nil
        case .variant(let stored, _): stored.levels
        case .structure(_, let leaf, _, _), .list(_, let leaf, _, _), .map(_, let leaf, _, _, _): leaf
        }
    }

    /// Every leaf whose chunk must be read.
    func collectLeaves(into found: inout [Int: SchemaLeaf]) {
        if let levels { found[levels.column] = levels }
        switch self {
        case .leaf, .missing: break
        case .variant(let stored, _): stored.collectLeaves(into: &found)
        case .structure(_, _, let children, _): for child in children { child.collectLeaves(into: &found) }
        case .list(_, _, let element, _): element.collectLeaves(into: &found)
        case .map(_, _, let key, let value, _):
            key.collectLeaves(into: &found)
            value.collectLeaves(into: &found)
        }
    }
}
