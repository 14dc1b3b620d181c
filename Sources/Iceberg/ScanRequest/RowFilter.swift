import Base
import Columnar

/// The filter of a client that asks for a scan plan: what prunes files, and what is left to check row by row.
///
/// Clients differ on rows where the compared value is null or NaN (for some, null differs from everything). So a file
/// is pruned only when no row can pass under either reading, and the form of the filter that goes back to the client
/// says what the client said.
///
/// Source: https://iceberg.apache.org/spec/#scan-planning
public indirect enum RowFilter: Hashable, Sendable {
    case alwaysTrue
    case alwaysFalse
    case and(RowFilter, RowFilter)
    case or(RowFilter, RowFilter)
    case leaf(Leaf)

    /// One predicate.
    public struct Leaf: Hashable, Sendable {
        /// In the protocol's form.
        let json: JSONValue
        let test: Test
        /// The column; nil when the test is `unknown`.
        let fieldId: Int?
        /// False for leaves beyond those that may cost time for every file.
        var prunes = true
    }

    /// What a predicate asks of its column.
    enum Test: Hashable, Sendable {
        case isNull, notNull, isNaN, notNaN
        case compare(Expression.Comparison, Value)
        case isIn([Value])
        case notIn([Value])
        case startsWith(String)
        case notStartsWith(String)
        /// Anything that Firn does not evaluate, such as a transform of a column.
        case unknown
    }

    /// Longer lists are pruned by their range: they are compared with the bounds of every file.
    private static let listPrunedMax = 200

    /// A predicate over field ids that passes every row that the filter passes, without `not`.
    public var expression: Expression {
        switch self {
        case .alwaysTrue: return .alwaysTrue
        case .alwaysFalse: return .alwaysFalse
        case .and(let a, let b):
            let (a, b) = (a.expression, b.expression)
            return a == .alwaysTrue ? b : b == .alwaysTrue ? a : .and(a, b)
        case .or(let a, let b):
            let (a, b) = (a.expression, b.expression)
            return a == .alwaysTrue || b == .alwaysTrue ? .alwaysTrue : .or(a, b)
        case .leaf(let leaf): return leaf.prunes ? leaf.expression : .alwaysTrue
        }
    }

    /// What is left of the filter for rows whose values in some columns are known, by field id.
    public func residual(of known: [Int: Value]) -> RowFilter {
        switch self {
        case .alwaysTrue, .alwaysFalse: return self
        case .and(let a, let b): return .both(a.residual(of: known), b.residual(of: known))
        case .or(let a, let b): return .either(a.residual(of: known), b.residual(of: known))
        case .leaf(let leaf):
            guard let id = leaf.fieldId, let value = known[id], let passes = leaf.test.decide(value) else {
                return self
            }
            return passes ? .alwaysTrue : .alwaysFalse
        }
    }

    /// False when no row of a file can pass, for what `expression` cannot say.
    func mayMatch(_ file: DataFile) -> Bool {
        switch self {
        case .alwaysTrue: true
        case .alwaysFalse: false
        case .and(let a, let b): a.mayMatch(file) && b.mayMatch(file)
        case .or(let a, let b): a.mayMatch(file) || b.mayMatch(file)
        case .leaf(let leaf): leaf.test != .isNaN || leaf.fieldId.flatMap { file.nanValueCounts[$0] } != 0
        }
    }

    /// The protocol's form.
    public var json: JSONValue {
        switch self {
        case .alwaysTrue: true
        case .alwaysFalse: false
        case .and(let a, let b): ["type": "and", "left": a.json, "right": b.json]
        case .or(let a, let b): ["type": "or", "left": a.json, "right": b.json]
        case .leaf(let leaf): leaf.json
        }
    }

    static func both(_ a: RowFilter, _ b: RowFilter) -> RowFilter {
        if a == .alwaysFalse || b == .alwaysFalse { return .alwaysFalse }
        return a == .alwaysTrue ? b : b == .alwaysTrue ? a : .and(a, b)
    }

    static func either(_ a: RowFilter, _ b: RowFilter) -> RowFilter {
        if a == .alwaysTrue || b == .alwaysTrue { return .alwaysTrue }
        return a == .alwaysFalse ? b : b == .alwaysFalse ? a : .or(a, b)
    }
}

extension RowFilter.Leaf {
    fileprivate var expression: Expression {
        guard let id = fieldId else { return .alwaysTrue }
        switch test {
        case .isNull: return .isNull(fieldId: id)
        // NaN is a value.
        case .notNull, .isNaN: return .notNull(fieldId: id)
        case .compare(.notEqual, let value): return .or(.isNull(fieldId: id), Self.differs(id, value))
        case .compare(let comparison, let value): return .compare(fieldId: id, comparison, value)
        case .isIn(let values): return Self.isIn(id, values)
        case .notIn(let values):
            guard values.count <= RowFilter.listPrunedMax else { return .alwaysTrue }
            return .or(.isNull(fieldId: id), .all(values.map { Self.differs(id, $0) }))
        case .startsWith(let prefix):
            return prefix.isEmpty ? .notNull(fieldId: id) : .startsWith(fieldId: id, prefix)
        case .notNaN, .notStartsWith, .unknown: return .alwaysTrue
        }
    }

    /// Whether -0.0 differs from 0.0 is a matter on which readers differ.
    private static func differs(_ id: Int, _ value: Value) -> Expression {
        switch value {
        case .float(let v) where v.isZero: .alwaysTrue
        case .double(let v) where v.isZero: .alwaysTrue
        default: .compare(fieldId: id, .notEqual, value)
        }
    }

    private static func isIn(_ id: Int, _ values: [Value]) -> Expression {
        guard let first = values.first else { return .alwaysFalse }
        guard values.count > RowFilter.listPrunedMax else { return .isIn(fieldId: id, values) }
        var (least, greatest) = (first, first)
        for value in values.dropFirst() {
            if ValueOrder.compare(value, least) == .less { least = value }
            if ValueOrder.compare(value, greatest) == .greater { greatest = value }
        }
        return .and(
            .compare(fieldId: id, .greaterOrEqual, least), .compare(fieldId: id, .lessOrEqual, greatest))
    }
}

extension RowFilter.Test {
    /// Whether a value passes; nil where readers differ or only they can tell.
    fileprivate func decide(_ value: Value) -> Bool? {
        if value == .null {
            switch self {
            case .isNull: return true
            case .notNull, .isNaN, .isIn, .startsWith: return false
            case .compare(let comparison, _): return comparison == .notEqual ? nil : false
            case .notNaN, .notIn, .notStartsWith, .unknown: return nil
            }
        }
        let isNaN = ValueOrder.isNaN(value)
        switch self {
        case .isNull: return false
        case .notNull: return true
        case .isNaN: return isNaN
        case .notNaN: return !isNaN
        case .compare(let comparison, let literal):
            return ValueOrder.compare(value, literal).map { comparison.holds($0) }
        case .isIn(let literals): return Self.contains(value, literals)
        case .notIn(let literals): return Self.contains(value, literals).map { !$0 }
        case .startsWith(let prefix): return Self.starts(value, with: prefix)
        case .notStartsWith(let prefix): return Self.starts(value, with: prefix).map { !$0 }
        case .unknown: return nil
        }
    }

    private static func contains(_ value: Value, _ literals: [Value]) -> Bool? {
        // A long list would be walked for every partition.
        guard literals.count <= RowFilter.listPrunedMax, !ValueOrder.isNaN(value) else { return nil }
        return literals.contains { ValueOrder.compare(value, $0) == .equal }
    }

    private static func starts(_ value: Value, with prefix: String) -> Bool? {
        guard case .string(let text) = value else { return nil }
        return text.utf8.starts(with: prefix.utf8)
    }
}

extension Expression.Comparison {
    fileprivate func holds(_ order: ValueOrder.Result) -> Bool {
        switch self {
        case .equal: order == .equal
        case .notEqual: order != .equal
        case .less: order == .less
        case .lessOrEqual: order != .greater
        case .greater: order == .greater
        case .greaterOrEqual: order != .less
        }
    }
}
