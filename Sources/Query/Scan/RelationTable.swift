import Base
import Columnar
import SQLiteKit

/// A relation as SQLite sees it.
final class RelationTable: VirtualTable {
    let relation: any Relation
    let columns: [VirtualColumn]
    private let guardian: QueryGuard
    /// Bytes that one cursor may keep in memory for a join.
    private let joinBytesMax: Int
    private let pushesDown: Bool

    init(
        _ relation: any Relation, types: TypeRegistry, guardian: QueryGuard, joinBytesMax: Int, pushesDown: Bool
    ) {
        self.pushesDown = pushesDown
        self.relation = relation
        self.guardian = guardian
        self.joinBytesMax = joinBytesMax
        var taken: Set<String> = []
        columns = relation.columns.map { field, isHidden in
            // SQL's names do not tell case apart; files of other writers may.
            var name = field.name
            var copy = 1
            while !taken.insert(name.lowercased()).inserted {
                name = "\(field.name):\(copy)"
                copy += 1
            }
            // See https://www.sqlite.org/vtab.html#hidden_columns_in_virtual_tables
            return VirtualColumn(
                name: name, declaredType: (isHidden ? "HIDDEN " : "") + types.declare(field.type),
                collation: SQLType.collation(field.type))
        }
    }

    func plan(_ request: IndexRequest) -> IndexPlan {
        let fields = relation.columns.map(\.field)
        var wanted: [Int] = []
        var share = 1.0
        var isLookup = false
        for (index, constraint) in request.constraints.enumerated() where pushesDown {
            guard PushDown.accepts(constraint, type: fields[constraint.column].type) else { continue }
            wanted.append(index)
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
        return IndexPlan(wanted: wanted, estimatedCost: cost, estimatedRows: Int64(expected))
    }

    func open() -> any VirtualCursor {
        RelationCursor(relation, guardian: guardian, joinBytesMax: joinBytesMax)
    }
}
