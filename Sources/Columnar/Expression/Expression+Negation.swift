extension Expression {
    /// The same predicate without `not`, as far as three-valued logic and NaN allow; what remains negated is replaced
    /// by `alwaysTrue`, so the result passes every row that the original passes.
    ///
    /// A negated comparison of a float column passes NaN, which no comparison does.
    public func withoutNegation(isFloating: (Int) -> Bool) -> Expression {
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
