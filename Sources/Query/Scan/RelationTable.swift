import Base
import Columnar
import SQLiteKit

/// A relation as SQLite sees it.
final class RelationTable: VirtualTable {
    let relation: any Relation
    let columns: [VirtualColumn]
    /// What the columns are.
    let fields: [Field]
    /// A predicate that all rows that matter pass, found when the first scan begins.
    var bound: (() throws -> Expression)?
    private let guardian: QueryGuard
    /// Bytes that one cursor may keep in memory for a join.
    private let joinBytesMax: Int
    private let pushesDown: Bool
    private let mayCollate: Bool

    /// - Parameter mayCollate: as `PushDown.isExact` has it.
    init(
        _ relation: any Relation, members: [Field] = [], types: TypeRegistry, guardian: QueryGuard, joinBytesMax: Int,
        pushesDown: Bool, mayCollate: Bool
    ) {
        let all = relation.columns(members: members)
        fields = all.map(\.field)
        self.pushesDown = pushesDown
        self.mayCollate = mayCollate
        self.relation = relation
        self.guardian = guardian
        self.joinBytesMax = joinBytesMax
        var taken: Set<String> = []
        columns = all.map { field, isHidden in
            // SQL's names do not tell case apart; files of other writers may.
            var name = field.name
            var copy = 1
            while !taken.insert(name.lowercased()).inserted {
                name = "\(field.name):\(copy)"
                copy += 1
            }
            if let shown = relation.expressionTypes[field.id] {
                // Where texts are not in the order of bytes, results compare as their column does.
                let collation = shown.flatMap(SQLType.collation)
                let affinity = collation == nil ? "BLOB" : nil
                return VirtualColumn(
                    name: name, declaredType: shown.map { types.declare($0, affinity: affinity) } ?? "BLOB",
                    collation: collation)
            }
            // See https://www.sqlite.org/vtab.html#hidden_columns_in_virtual_tables
            return VirtualColumn(
                name: name, declaredType: (isHidden ? "HIDDEN " : "") + types.declare(field.type),
                collation: SQLType.collation(field.type))
        }
    }

    func plan(_ request: IndexRequest) -> IndexPlan {
        var wanted: [Int] = []
        var share = 1.0
        var settled: Set<Int> = []
        var isLookup = false
        for (index, constraint) in request.constraints.enumerated() where pushesDown {
            guard PushDown.accepts(constraint, type: fields[constraint.column].type) else { continue }
            wanted.append(index)
            // Rows of an outer join's missing side are null without being asked.
            if let constant = constraint.constant, constraint.comparison != .isNull,
                PushDown.isExact(
                    fields[constraint.column], constraint.comparison, .value(constant), mayCollate: mayCollate)
            {
                settled.insert(index)
            }
            switch constraint.comparison {
            case .equal where constraint.constant == nil && !constraint.isList:
                isLookup = true
                share *= 0.001
            case .equal: share *= 0.05
            case .isNotNull: share *= 0.95
            default: share *= 0.3
            }
        }
        let rows = Double(max(1, relation.estimatedRows))
        let expected = max(1, rows * share)
        // A join's lookups find their rows by a hash once the table has been read. Constants save work by skipping
        // files, at best: never so much that two scans for an OR would pay.
        let cost = isLookup ? 20 + expected : 100 + rows * max(share, 0.6)
        return IndexPlan(wanted: wanted, settled: settled, estimatedCost: cost, estimatedRows: Int64(expected))
    }

    func open() -> any VirtualCursor {
        RelationCursor(self, guardian: guardian, joinBytesMax: joinBytesMax)
    }
}
