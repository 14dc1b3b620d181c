import Base
import Columnar

/// What the pages of one leaf state about their rows, in the sense of `RowHash`: its values, and which structs and
/// lists around it are there. Of several leaves beneath a struct or list, one speaks for it.
struct LeafStatements {
    struct Struct {
        /// An entry states it when its definition level reaches this, ...
        let definition: Int
        /// ... and it starts anew inside so many lists.
        let depth: Int
        let factor: UInt64
    }

    struct List {
        let definition: Int
        /// Nil when another leaf speaks for the list.
        var factor: UInt64?
    }

    let leaf: SchemaLeaf
    fileprivate(set) var type: DataType?
    fileprivate(set) var factor: UInt64 = 0
    fileprivate(set) var structs: [Struct] = []
    /// From the outermost.
    fileprivate(set) var lists: [List] = []

    /// By leaf, for one field of a projection; nil where the pages alone do not tell: variants, columns with a default.
    static func collect(_ plan: ReadPlan, fieldId: Int) -> [LeafStatements]? {
        var walk = StatementWalk()
        guard walk.visit(plan, fieldId, []) else { return nil }
        for (column, _) in walk.found { walk.settleLists(column) }
        let found = walk.found.values.sorted { $0.leaf.column < $1.leaf.column }
        return found.allSatisfy { $0.lists.count == $0.leaf.repetitionMax } ? found : nil
    }
}

private struct StatementWalk {
    var found: [Int: LeafStatements] = [:]
    /// By leaf and depth.
    private var spoken: [Int: [Int: UInt64]] = [:]

    /// - Parameter lists: the definition levels of those around, from the outermost.
    mutating func visit(_ plan: ReadPlan, _ id: Int, _ lists: [Int]) -> Bool {
        switch plan {
        case .missing(_, nil): return true
        case .missing, .variant: return false
        case .leaf(_, let leaf, let type):
            var known = found[leaf.column] ?? LeafStatements(leaf: leaf)
            known.type = type
            known.factor = ValueHash.factor(id)
            known.lists = lists.map { .init(definition: $0) }
            found[leaf.column] = known
            return true
        case .structure(let node, let levels, let children, .structure(let type)):
            var known = found[levels.column] ?? LeafStatements(leaf: levels)
            known.structs.append(
                .init(definition: node.definition, depth: lists.count, factor: ValueHash.factor(id)))
            found[levels.column] = known
            for (child, field) in zip(children, type.fields) {
                guard visit(child, field.id, lists) else { return false }
            }
            return true
        case .list(let node, let levels, let element, .list(let type)):
            spoken[levels.column, default: [:]][lists.count] = ValueHash.factor(id)
            return visit(element, type.elementId, lists + [node.definition])
        case .map(let node, let levels, let key, let value, .map(let type)):
            spoken[levels.column, default: [:]][lists.count] = ValueHash.factor(id)
            let inner = lists + [node.definition]
            return visit(key, type.keyId, inner) && visit(value, type.valueId, inner)
        default: return false
        }
    }

    mutating func settleLists(_ column: Int) {
        for (depth, factor) in spoken[column] ?? [:] where depth < found[column]!.lists.count {
            found[column]!.lists[depth].factor = factor
        }
    }
}
