import Base
import Columnar
import SQLiteKit

/// Turns SQLite's comparisons into predicates over Iceberg values.
///
/// The rule that keeps results right: a predicate passes every row that SQLite's own comparison would pass, with its
/// affinities and collations; passing more is allowed, since SQLite checks each row again. What cannot be translated
/// that safely is not pushed down.
enum PushDown {
    /// Whether a comparison is worth wanting, before its value is known.
    static func accepts(_ constraint: IndexRequest.Constraint, type: DataType) -> Bool {
        switch constraint.comparison {
        case .isNull:
            // NaN is NULL in SQL but not in the file.
            return type != .float && type != .double
        case .isNotNull: return true
        case .like, .glob: return type == .string
        case .equal: return type.isPrimitive && hasOwnCollation(constraint, type)
        // NaN differs from everything in the file, and is NULL in SQL.
        case .notEqual:
            return type.isPrimitive && type != .float && type != .double && hasOwnCollation(constraint, type)
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            switch type {
            case .boolean, .uuid, .fixed, .binary: return false
            default: return type.isPrimitive && hasOwnCollation(constraint, type)
            }
        default: return false
        }
    }

    /// `COLLATE NOCASE` and the like compare otherwise than files are ordered.
    private static func hasOwnCollation(_ constraint: IndexRequest.Constraint, _ type: DataType) -> Bool {
        switch SQLType.affinity(type) {
        case "TEXT":
            constraint.collation.lowercased() == (SQLType.collation(type) ?? "binary")
        default: true
        }
    }

    /// The predicate of one wanted constraint; nil when its value rules that out.
    static func predicate(
        field: Field, _ comparison: IndexRequest.Operator, _ operand: ScanRequest.Operand
    ) -> Expression? {
        switch (comparison, operand) {
        case (.isNull, _): return .isNull(fieldId: field.id)
        case (.isNotNull, _): return .notNull(fieldId: field.id)
        case (.like, .value(.text(let pattern))): return prefix(field, pattern, stops: ["%", "_"])
        case (.glob, .value(.text(let pattern))): return prefix(field, pattern, stops: ["*", "?", "["])
        case (.like, _), (.glob, _): return nil
        case (.equal, .list(let values)): return list(field, values)
        case (_, .list): return nil
        case (_, .value(.null)): return .alwaysFalse
        case (_, .value(let value)):
            guard let comparison = Comparison(comparison), let bound = bound(field.type, value) else { return nil }
            return compare(field, comparison, bound)
        }
    }

    /// Whether the predicate of a constraint passes no other rows than SQLite's own comparison.
    ///
    /// Precondition: `accepts` the constraint.
    ///
    /// - Parameter mayCollate: COLLATE stands somewhere in the statement. Of `<>`, SQLite does not tell the collation.
    static func isExact(
        _ field: Field, _ comparison: IndexRequest.Operator, _ operand: ScanRequest.Operand, mayCollate: Bool
    ) -> Bool {
        switch (comparison, operand) {
        case (.notEqual, _) where mayCollate && SQLType.affinity(field.type) == "TEXT": return false
        case (.isNotNull, _): return field.type != .float && field.type != .double
        case (.like, .value(.text(let pattern))): return isPrefix(pattern, mark: "%", others: ["_"])
        case (.glob, .value(.text(let pattern))): return isPrefix(pattern, mark: "*", others: ["?", "["])
        default: return predicate(field: field, comparison, operand) != nil
        }
    }

    /// Whether a pattern is a plain prefix with one wildcard for the rest.
    private static func isPrefix(_ pattern: String, mark: Character, others: Set<Character>) -> Bool {
        let literal = pattern.prefix { $0 != mark && !others.contains($0) }
        return pattern.dropFirst(literal.count) == String(mark)
            && literal.utf8.allSatisfy { $0 < 0x80 && $0 != 0 } && !literal.isEmpty
    }

    private typealias Comparison = Expression.Comparison

    /// A literal as the column's own type has it.
    private struct Bound {
        /// The greatest value of the type that is not above the literal.
        let floor: Value
        let isExact: Bool
    }

    private static func compare(_ field: Field, _ comparison: Comparison, _ bound: Bound) -> Expression {
        if bound.isExact { return .compare(fieldId: field.id, comparison, bound.floor) }
        switch comparison {
        case .equal: return .alwaysFalse
        case .notEqual: return .notNull(fieldId: field.id)
        case .less, .lessOrEqual: return .compare(fieldId: field.id, .lessOrEqual, bound.floor)
        case .greater, .greaterOrEqual: return .compare(fieldId: field.id, .greater, bound.floor)
        }
    }

    private static func list(_ field: Field, _ values: [SQLValue]) -> Expression? {
        var members: [Value] = []
        for value in values where !value.isNull {
            guard let bound = bound(field.type, value) else { return nil }
            if bound.isExact { members.append(bound.floor) }
        }
        return members.isEmpty ? .alwaysFalse : .isIn(fieldId: field.id, members)
    }

    /// What a pattern starts with before its first wildcard.
    private static func prefix(_ field: Field, _ pattern: String, stops: Set<Character>) -> Expression? {
        let literal = String(pattern.prefix { !stops.contains($0) })
        // A wildcard that forms one character with the mark after it would be missed.
        guard !literal.isEmpty, literal.utf8.allSatisfy({ $0 < 0x80 && $0 != 0 }) else { return nil }
        return .startsWith(fieldId: field.id, literal)
    }

    // MARK: Literals

    private static func bound(_ type: DataType, _ value: SQLValue) -> Bound? {
        switch type {
        case .boolean:
            guard case .integer(let value) = value, value == 0 || value == 1 else { return nil }
            return Bound(floor: .boolean(value == 1), isExact: true)
        case .int:
            return integer(value) { Int32(exactly: $0).map(Value.int) }
        case .long:
            return integer(value) { .long($0) }
        case .float:
            guard let real = real(value), let exact = Float(exactly: real), !exact.isZero else { return nil }
            return Bound(floor: .float(exact), isExact: true)
        case .double:
            // Whether -0.0 is below 0.0 is a matter on which readers of bounds differ.
            guard let real = real(value), !real.isZero else { return nil }
            return Bound(floor: .double(real), isExact: true)
        case .decimal(let precision, let scale): return decimal(value, precision: precision, scale: scale)
        case .date:
            return instant(value, unitNanos: 86_400_000_000_000) { Int32(exactly: $0).map(Value.date) }
        case .time:
            return instant(value, unitNanos: 1000) { (0..<CivilTime.microsPerDay).contains($0) ? .time($0) : nil }
        case .timestamp: return instant(value, unitNanos: 1000) { .timestamp($0) }
        case .timestamptz: return instant(value, unitNanos: 1000) { .timestamptz($0) }
        case .timestampNs: return instant(value, unitNanos: 1) { .timestampNs($0) }
        case .timestamptzNs: return instant(value, unitNanos: 1) { .timestamptzNs($0) }
        case .string:
            guard case .text(let text) = value else { return nil }
            return Bound(floor: .string(text), isExact: true)
        case .uuid:
            // Any other spelling of a UUID is another text.
            guard case .text(let text) = value, let uuid = UUID(text), uuid.description == text else { return nil }
            return Bound(floor: .uuid(uuid), isExact: true)
        case .fixed(let width):
            guard case .blob(let bytes) = value, bytes.count == width else { return nil }
            return Bound(floor: .binary(bytes), isExact: true)
        case .binary:
            guard case .blob(let bytes) = value else { return nil }
            return Bound(floor: .binary(bytes), isExact: true)
        case .structure, .list, .map, .variant, .unknown: return nil
        }
    }

    private static func integer(_ value: SQLValue, _ make: (Int64) -> Value?) -> Bound? {
        switch value {
        case .integer(let value): return make(value).map { Bound(floor: $0, isExact: true) }
        case .real(let real):
            // Within 2^53 both sides of SQLite's comparison are exact.
            guard abs(real) < 9_007_199_254_740_992 else { return nil }
            let floor = real.rounded(.down)
            return make(Int64(floor)).map { Bound(floor: $0, isExact: floor == real) }
        default: return nil
        }
    }

    private static func real(_ value: SQLValue) -> Double? {
        switch value {
        case .real(let real): real
        case .integer(let value): Double(exactly: value)
        default: nil
        }
    }

    private static func instant(_ value: SQLValue, unitNanos: Int128, _ make: (Int64) -> Value?) -> Bound? {
        guard case .text(let text) = value, let nanos = TemporalText.instant(text),
            let floor = nanos.floorDivided(by: unitNanos)
        else { return nil }
        return make(floor).map { Bound(floor: $0, isExact: Int128(floor) * unitNanos == nanos) }
    }

    private static func decimal(_ value: SQLValue, precision: Int, scale: Int) -> Bound? {
        func fits(_ unscaled: Int128) -> Bool { String(unscaled.magnitude).utf8.count <= precision }
        if precision > DecimalNumber.realPrecisionMax {
            let number: DecimalNumber?
            switch value {
            case .text(let text): number = DecimalNumber(text)
            case .integer(let value): number = DecimalNumber(String(value))
            default: number = nil
            }
            guard let (floor, isExact) = number?.unscaled(scale: scale), fits(floor) else { return nil }
            return Bound(floor: .decimal(floor, scale: scale), isExact: isExact)
        }
        guard let literal = real(value), abs(literal) < 1e15 else { return nil }
        // The column's reals ascend with the decimals they stand for, so the neighbours decide.
        let scaled = (literal * DecimalNumber.powerOfTen(scale)).rounded()
        guard abs(scaled) < 1e15 else { return nil }
        for candidate in stride(from: Int64(scaled) + 1, through: Int64(scaled) - 2, by: -1) {
            let real = DecimalNumber.real(unscaled: candidate, scale: scale)
            guard real <= literal else { continue }
            guard fits(Int128(candidate)) else { return nil }
            return Bound(floor: .decimal(Int128(candidate), scale: scale), isExact: real == literal)
        }
        return nil
    }
}

extension Expression.Comparison {
    init?(_ comparison: IndexRequest.Operator) {
        switch comparison {
        case .equal: self = .equal
        case .less: self = .less
        case .lessOrEqual: self = .lessOrEqual
        case .greater: self = .greater
        case .greaterOrEqual: self = .greaterOrEqual
        case .notEqual: self = .notEqual
        default: return nil
        }
    }
}
