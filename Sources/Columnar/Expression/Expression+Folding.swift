import Base

extension Expression {
    /// The predicate with the fields of known values replaced by what they make of it, for the same rows.
    ///
    /// Negations are moved down to the leaves, which three-valued logic allows. A leaf that a null decides is then
    /// neither true nor false, which among conjunctions and disjunctions selects what false selects.
    ///
    /// `value` gives nil for a field whose value is not known. Throws the errors of `ExpressionEvaluator` for a literal
    /// that does not fit its value.
    public func folding(_ value: (Int) -> (Value, DataType)?) throws(FirnError) -> Expression {
        try folding(value, isNegated: false)
    }

    private func folding(
        _ value: (Int) -> (Value, DataType)?, isNegated: Bool
    ) throws(FirnError) -> Expression {
        switch self {
        case .alwaysTrue: return isNegated ? .alwaysFalse : .alwaysTrue
        case .alwaysFalse: return isNegated ? .alwaysTrue : .alwaysFalse
        case .not(let inner): return try inner.folding(value, isNegated: !isNegated)
        case .and(let a, let b):
            let (a, b) = (
                try a.folding(value, isNegated: isNegated), try b.folding(value, isNegated: isNegated)
            )
            return isNegated ? .either(a, b) : .both(a, b)
        case .or(let a, let b):
            let (a, b) = (
                try a.folding(value, isNegated: isNegated), try b.folding(value, isNegated: isNegated)
            )
            return isNegated ? .both(a, b) : .either(a, b)
        case .compare(let id, _, _), .isNull(let id), .notNull(let id), .isIn(let id, _), .startsWith(let id, _):
            let leaf = isNegated ? Expression.not(self) : self
            guard let (value, type) = value(id) else { return leaf }
            return try leaf.holds(id, value, type) ? .alwaysTrue : .alwaysFalse
        }
    }

    private func holds(_ id: Int, _ value: Value, _ type: DataType) throws(FirnError) -> Bool {
        if value == .null {
            switch self {
            case .isNull, .not(.notNull): return true
            default: return false
            }
        }
        let schema = Schema(fields: [Field(id: id, name: "constant", required: false, type: type)])
        let builder = BatchBuilder(schema)
        builder.columns[0].append(value)
        return try !ExpressionEvaluator(self).select(builder.finish()).isEmpty
    }

    private static func both(_ a: Expression, _ b: Expression) -> Expression {
        if a == .alwaysFalse || b == .alwaysFalse { return .alwaysFalse }
        return a == .alwaysTrue ? b : b == .alwaysTrue ? a : .and(a, b)
    }

    private static func either(_ a: Expression, _ b: Expression) -> Expression {
        if a == .alwaysTrue || b == .alwaysTrue { return .alwaysTrue }
        return a == .alwaysFalse ? b : b == .alwaysFalse ? a : .or(a, b)
    }
}
