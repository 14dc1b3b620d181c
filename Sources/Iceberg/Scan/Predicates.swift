import Base
import Columnar

/// What is known of one field over many rows, without reading them.
struct FieldStatistics {
    /// Not above any value that is neither null nor NaN; nil when unknown.
    var lower: Value?
    /// Not below any such value; nil when unknown.
    var upper: Value?
    var mayHaveNull = true
    var mayHaveNaN = true
    /// Every value is null.
    var allNull = false
    /// Every value is NaN or null.
    var noneComparable = false
    /// There is one distinct value: `lower`, null or NaN.
    var isExact = false
}

/// Decides whether any row can pass a predicate, from statistics.
///
/// True means maybe; false is a proof. Comparisons with NaN are false, as IEEE 754 has it, so that values which no
/// bound covers pass none of them.
enum Pruning {
    /// `statistics` gives nil for a field of which nothing is known.
    static func mayMatch(_ predicate: Expression, _ statistics: (Int) -> FieldStatistics?) -> Bool {
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

extension Expression {
    /// The same predicate without `not`, as far as three-valued logic and NaN allow; what remains negated is replaced
    /// by `alwaysTrue`, so the result passes every row that the original passes.
    ///
    /// A negated comparison of a float column passes NaN, which no comparison does.
    func withoutNegation(isFloating: (Int) -> Bool) -> Expression {
        switch self {
        case .and(let a, let b):
            .and(a.withoutNegation(isFloating: isFloating), b.withoutNegation(isFloating: isFloating))
        case .or(let a, let b):
            .or(a.withoutNegation(isFloating: isFloating), b.withoutNegation(isFloating: isFloating))
        case .not(let inner): inner.negated(isFloating: isFloating)
        default: self
        }
    }

    private func negated(isFloating: (Int) -> Bool) -> Expression {
        switch self {
        case .alwaysTrue: .alwaysFalse
        case .alwaysFalse: .alwaysTrue
        case .not(let inner): inner.withoutNegation(isFloating: isFloating)
        case .and(let a, let b): .or(a.negated(isFloating: isFloating), b.negated(isFloating: isFloating))
        case .or(let a, let b): .and(a.negated(isFloating: isFloating), b.negated(isFloating: isFloating))
        case .isNull(let id): .notNull(fieldId: id)
        case .notNull(let id): .isNull(fieldId: id)
        case .compare(let id, let comparison, let literal):
            isFloating(id) && comparison != .notEqual && comparison != .equal
                ? .notNull(fieldId: id) : .compare(fieldId: id, comparison.negation, literal)
        case .isIn(let id, _), .startsWith(let id, _): .notNull(fieldId: id)
        }
    }

    /// The ids of all fields that the predicate looks at.
    public var fieldIds: Set<Int> {
        switch self {
        case .alwaysTrue, .alwaysFalse: []
        case .and(let a, let b), .or(let a, let b): a.fieldIds.union(b.fieldIds)
        case .not(let inner): inner.fieldIds
        case .compare(let id, _, _), .isNull(let id), .notNull(let id), .isIn(let id, _), .startsWith(let id, _): [id]
        }
    }
}

extension Expression.Comparison {
    var negation: Expression.Comparison {
        switch self {
        case .equal: .notEqual
        case .notEqual: .equal
        case .less: .greaterOrEqual
        case .lessOrEqual: .greater
        case .greater: .lessOrEqual
        case .greaterOrEqual: .less
        }
    }
}
