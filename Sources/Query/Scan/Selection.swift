import Base
import Columnar

/// The rows of a batch that pass a conjunction of predicates, so that SQLite is not asked about the others.
///
/// Only simple predicates are looked at; everything else passes.
enum Selection {
    /// Row numbers in ascending order; nil for all rows.
    ///
    /// - Parameter filter: over the columns of the batch, by field id.
    static func rows(of batch: RecordBatch, filter: Expression) -> [Int32]? {
        var selected: [Int32]?
        apply(filter, to: batch, &selected)
        return selected
    }

    private static func apply(_ filter: Expression, to batch: RecordBatch, _ selected: inout [Int32]?) {
        func column(_ id: Int) -> Column? {
            batch.schema.fields.firstIndex { $0.id == id }.map { batch.columns[$0] }
        }
        switch filter {
        case .and(let a, let b):
            apply(a, to: batch, &selected)
            apply(b, to: batch, &selected)
        case .alwaysFalse: selected = []
        case .compare(let id, let comparison, let value):
            if let column = column(id) { compare(column, comparison, value, &selected) }
        case .isNull(let id):
            if let column = column(id) { keep(column, &selected, nulls: true) { _ in false } }
        case .notNull(let id):
            if let column = column(id) { keep(column, &selected) { _ in true } }
        case .isIn(let id, let values):
            guard let column = column(id) else { return }
            let members = Set(values)
            keep(column, &selected) { members.contains(column.value(at: $0)) }
        case .startsWith(let id, let prefix):
            guard let column = column(id), case .bytes(let offsets, let bytes) = column.storage else { return }
            let wanted = Array(prefix.utf8)
            keep(column, &selected) { row in
                let start = Int(offsets[row])
                let end = min(Int(offsets[row + 1]), start + wanted.count)
                return bytes.values[start..<end].elementsEqual(wanted)
            }
        case .alwaysTrue, .or, .not: break
        }
    }

    private static func keep(
        _ column: Column, _ selected: inout [Int32]?, nulls: Bool = false, _ passes: (Int) -> Bool
    ) {
        var kept: [Int32] = []
        if let selected {
            for row in selected where column.isNull(Int(row)) ? nulls : passes(Int(row)) { kept.append(row) }
        } else {
            for row in 0..<column.rowCount where column.isNull(row) ? nulls : passes(row) {
                kept.append(Int32(row))
            }
        }
        selected = kept
    }

    private static func compare(
        _ column: Column, _ comparison: Expression.Comparison, _ value: Value, _ selected: inout [Int32]?
    ) {
        switch (column.storage, value) {
        case (.int32(let values), .int(let bound)), (.int32(let values), .date(let bound)):
            compare(values, bound, comparison, column, &selected)
        case (.int64(let values), .long(let bound)), (.int64(let values), .time(let bound)),
            (.int64(let values), .timestamp(let bound)), (.int64(let values), .timestamptz(let bound)):
            compare(values, bound, comparison, column, &selected)
        case (.float(let values), .float(let bound)): compare(values, bound, comparison, column, &selected)
        case (.double(let values), .double(let bound)): compare(values, bound, comparison, column, &selected)
        case (.decimal(let values), .decimal(let bound, _)): compare(values, bound, comparison, column, &selected)
        case (.boolean(let values), .boolean(let bound)):
            compare(values, bound ? 1 : 0, comparison, column, &selected)
        case (.bytes(let offsets, let bytes), .string(let bound)):
            let bound = Array(bound.utf8)
            keep(column, &selected) { row in
                let slice = UnsafeRawBufferPointer(
                    rebasing: UnsafeRawBufferPointer(bytes.values)[Int(offsets[row])..<Int(offsets[row + 1])])
                let order = bound.withUnsafeBytes { TemporalText.compareBytes(slice, $0) }
                return passes(order, comparison)
            }
        default:
            guard comparison == .equal else { return }
            keep(column, &selected) { column.value(at: $0) == value }
        }
    }

    private static func passes(_ order: Int, _ comparison: Expression.Comparison) -> Bool {
        switch comparison {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }

    private static func compare<Element: Comparable & BitwiseCopyable>(
        _ values: Buffer<Element>, _ bound: Element, _ comparison: Expression.Comparison, _ column: Column,
        _ selected: inout [Int32]?
    ) {
        let values = values.values
        switch comparison {
        case .equal: keep(column, &selected) { values[$0] == bound }
        case .notEqual: keep(column, &selected) { values[$0] != bound }
        case .less: keep(column, &selected) { values[$0] < bound }
        case .lessOrEqual: keep(column, &selected) { values[$0] <= bound }
        case .greater: keep(column, &selected) { values[$0] > bound }
        case .greaterOrEqual: keep(column, &selected) { values[$0] >= bound }
        }
    }
}
