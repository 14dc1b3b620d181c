/// Decides whether any row can pass a predicate, from statistics.
///
/// True means maybe; false is a proof. Comparisons with NaN are false, as IEEE 754 has it, so that values which no
/// bound covers pass none of them.
public enum Pruning {
    /// `statistics` gives nil for a field of which nothing is known.
    public static func mayMatch(_ predicate: Expression, _ statistics: (Int) -> FieldStatistics?) -> Bool {
        switch predicate {
        case .alwaysTrue: return true
        case .alwaysFalse: return false
        case .and(let a, let b): return mayMatch(a, statistics) && mayMatch(b, statistics)
        case .or(let a, let b): return mayMatch(a, statistics) || mayMatch(b, statistics)
        case .not: return true
        case .isNull(let id): return statistics(id)?.mayHaveNull ?? true
        case .notNull(let id): return !(statistics(id)?.allNull ?? false)
        case .compare(let id, let comparison, let literal):
            return statistics(id).map { mayMatch($0, comparison, literal) } ?? true
        case .isIn(let id, let literals):
            return statistics(id).map { field in literals.contains { mayMatch(field, .equal, $0) } } ?? true
        case .startsWith(let id, let prefix):
            return statistics(id).map { mayStart($0, with: prefix) } ?? true
        }
    }

    private static func mayMatch(
        _ field: FieldStatistics, _ comparison: Expression.Comparison, _ literal: Value
    ) -> Bool {
        if field.allNull || literal == .null { return false }
        if comparison == .notEqual {
            guard field.isExact, !field.mayHaveNaN, let value = field.lower else { return true }
            return ValueOrder.compare(value, literal) != .equal
        }
        if field.noneComparable || ValueOrder.isNaN(literal) { return false }
        let lower = field.lower.flatMap { ValueOrder.compare($0, literal) }
        let upper = field.upper.flatMap { ValueOrder.compare($0, literal) }
        switch comparison {
        case .less: return lower == nil || lower == .less
        case .lessOrEqual: return lower != .greater
        case .greater: return upper == nil || upper == .greater
        case .greaterOrEqual: return upper != .less
        case .equal: return lower != .greater && upper != .less
        case .notEqual: return true
        }
    }

    private static func mayStart(_ field: FieldStatistics, with prefix: String) -> Bool {
        if field.allNull || field.noneComparable { return false }
        let bytes = Array(prefix.utf8)
        if case .string(let lower)? = field.lower {
            // Nothing at or above `lower` starts with the prefix when `lower` is beyond all that does.
            let head = Array(lower.utf8.prefix(bytes.count))
            if bytes.lexicographicallyPrecedes(head) { return false }
        }
        if case .string(let upper)? = field.upper {
            let head = Array(upper.utf8.prefix(bytes.count))
            if head.lexicographicallyPrecedes(bytes) { return false }
        }
        return true
    }
}
