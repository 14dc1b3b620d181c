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
}
