import Columnar

extension Expression {
    /// True when the conjunction cannot pass any row.
    var hasAlwaysFalse: Bool {
        switch self {
        case .alwaysFalse: true
        case .and(let a, let b): a.hasAlwaysFalse || b.hasAlwaysFalse
        default: false
        }
    }

    /// The rows of a batch worth showing to SQLite, which checks them again; nil for all.
    func selectedRows(of batch: RecordBatch) throws -> [Int32]? {
        let filter = withoutLongLists
        return filter == .alwaysTrue ? nil : try ExpressionEvaluator(filter).select(batch)
    }

    /// A long IN list is dear to evaluate column by column, and SQLite has a tree for it.
    private var withoutLongLists: Expression {
        switch self {
        case .and(let a, let b): .all([a.withoutLongLists, b.withoutLongLists].filter { $0 != .alwaysTrue })
        case .isIn(_, let values) where values.count > 16: .alwaysTrue
        default: self
        }
    }
}
