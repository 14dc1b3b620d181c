import Base
import Columnar
import SQLiteKit

/// One scan of a relation, batch by batch.
///
/// 1. The first filter reads lazily: a batch is fetched when the one before is used up, so LIMIT stops the reading.
/// 2. A second filter shows that this is the inner side of a join. The rows that pass the constraints that never change
///    are then read once and kept, with a hash of each column that is looked up (`JoinRows`).
/// 3. When they do not fit the memory allowed, every filter reads anew.
final class RelationCursor: VirtualCursor {
    private let table: RelationTable
    private let guardian: QueryGuard
    private let joinBytesMax: Int
    private var filterCount = 0

    /// Where the next batch comes from.
    private var scan: (any RowScan)?
    private var filter = Expression.alwaysTrue
    private var kept: JoinRows?
    private var keptTooLarge = false
    /// Rows of `kept` that this filter visits, when they were looked up; by `row`.
    private var found: [JoinRows.Position]?
    private var keptBatch = 0

    private var selected: [Int32]?
    private var row = 0
    private var rowCount = 0
    private var current = 0
    private var writers: [CellWriter?] = []
    private var numbered: NumberedBatch?
    private(set) var isAtEnd = true

    init(_ table: RelationTable, guardian: QueryGuard, joinBytesMax: Int) {
        self.table = table
        self.guardian = guardian
        self.joinBytesMax = joinBytesMax
    }

    var rowId: Int64 { numbered?.number(of: current) ?? 0 }

    // MARK: Starting

    func filter(_ request: ScanRequest) throws {
        filterCount += 1
        (scan, found, selected) = (nil, nil, nil)
        (row, rowCount, keptBatch) = (-1, 0, 0)
        isAtEnd = false
        let used = table.fields.enumerated().filter { request.uses(column: $0.offset) }.map(\.element.id)
        let projection = table.relation.rowSchema.pruned(to: Set(used))
        if filterCount == 2, !keptTooLarge { try keepRows(request, projection) }
        filter = .all(request.constraints.compactMap(predicate))
        if let bound = try table.bound?(), bound != .alwaysTrue { filter = .all([filter, bound]) }
        if filter.hasAlwaysFalse {
            isAtEnd = true
            return
        }
        if let kept {
            found = lookup(request, in: kept)
            if let found { rowCount = found.count }
        } else {
            scan = try table.relation.scan(projection: projection, filter: filter)
        }
        try next()
    }

    private func predicate(_ constraint: ScanRequest.Constraint) -> Expression? {
        PushDown.predicate(
            field: table.fields[constraint.column], constraint.comparison, constraint.operand)
    }

    private func keepRows(_ request: ScanRequest, _ projection: Schema) throws {
        let lasting = Expression.all(request.constraints.filter(\.isConstant).compactMap(predicate))
        let rows = JoinRows()
        guard !lasting.hasAlwaysFalse else { return kept = rows }
        let scan = try table.relation.scan(projection: projection, filter: lasting)
        while let numbered = try scan.next() {
            try guardian.check()
            rows.add(numbered, rows: try numbered.selected(by: lasting))
            if rows.byteCount > joinBytesMax {
                keptTooLarge = true
                return
            }
        }
        kept = rows
    }

    /// The kept rows that can equal a looked-up value; nil to visit all.
    private func lookup(_ request: ScanRequest, in kept: JoinRows) -> [JoinRows.Position]? {
        for constraint in request.constraints where !constraint.isConstant && constraint.comparison == .equal {
            if case .compare(let id, .equal, let value)? = predicate(constraint) {
                return kept.positions(fieldId: id, value: value)
            }
        }
        return nil
    }

    // MARK: Stepping

    func next() throws {
        row += 1
        if let found {
            guard row < rowCount else { return isAtEnd = true }
            let position = found[row]
            if Int(position.batch) != keptBatch || writers.isEmpty || row == 0 {
                keptBatch = Int(position.batch)
                point(to: kept!.batches[keptBatch].numbered)
            }
            current = Int(position.row)
            return
        }
        while row >= rowCount {
            guard try nextBatch() else { return isAtEnd = true }
        }
        current = selected.map { Int($0[row]) } ?? row
    }

    private func nextBatch() throws -> Bool {
        try guardian.check()
        row = 0
        let numbered: NumberedBatch
        if let kept {
            guard keptBatch < kept.batches.count else { return false }
            (numbered, selected) = kept.batches[keptBatch]
            keptBatch += 1
        } else {
            guard let read = try scan?.next() else { return false }
            numbered = read
            selected = try read.selected(by: filter)
        }
        rowCount = selected?.count ?? numbered.batch.rowCount
        point(to: numbered)
        return true
    }

    private func point(to numbered: NumberedBatch) {
        let batch = numbered.batch
        self.numbered = numbered
        writers = table.fields.map { batch.leaf($0.id).map(CellWriter.init) }
    }

    func column(_ index: Int, _ result: ResultSink) {
        // SQLite asks for no column that it did not say it uses.
        writers[index]?.write(row: current, result)
    }
}
