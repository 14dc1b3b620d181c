/// A predicate over the fields of a schema, with SQL's three-valued logic: a row passes when the result is true.
public indirect enum Expression: Hashable, Sendable {
    case alwaysTrue
    case alwaysFalse
    case and(Expression, Expression)
    case or(Expression, Expression)
    case not(Expression)
    /// `field op literal`; the literal has the field's type and is not null.
    case compare(fieldId: Int, Comparison, Value)
    case isNull(fieldId: Int)
    case notNull(fieldId: Int)
    case isIn(fieldId: Int, [Value])
    case startsWith(fieldId: Int, String)

    public enum Comparison: String, Sendable {
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    }

    /// Conjunction of all; `alwaysTrue` for none.
    public static func all(_ parts: [Expression]) -> Expression {
        parts.reduce(.alwaysTrue) { $0 == .alwaysTrue ? $1 : .and($0, $1) }
    }
}
