import Base
import Columnar

/// Finds the columns that a client names, at any depth: `device.os`, `tags.element`.
public struct ColumnNames: Sendable {
    private var fields: [String: Field?] = [:]
    private let schema: Schema
    private let isCaseSensitive: Bool

    public init(_ schema: Schema, caseSensitive: Bool) {
        self.schema = schema
        isCaseSensitive = caseSensitive
        for (path, field) in schema.allFields {
            let name = caseSensitive ? path : path.lowercased()
            // Two columns that differ by case alone are neither when case does not count.
            fields[name] = fields[name] == nil ? .some(field) : .some(nil)
        }
    }

    /// Nil when the schema has no such column. Throws `.invalidInput` (`ambiguous_column`).
    public func field(_ name: String) throws(FirnError) -> Field? {
        guard let found = fields[isCaseSensitive ? name : name.lowercased()] else { return nil }
        guard let found else {
            throw FirnError(
                .invalidInput, "ambiguous_column",
                "several columns are called \"\(name)\" when case does not count; ask with \"case-sensitive\": true",
                context: ["column": name])
        }
        return found
    }

    /// The dotted path and the field; the field can be compared, since it is in no list or map.
    func comparable(_ field: Field) throws(FirnError) -> (path: String, field: Field) {
        let path = schema.path(id: field.id) ?? field.name
        guard schema.chain(to: field.id) != nil else {
            throw FirnError(
                .invalidInput, "bad_filter", "column \"\(path)\" is inside a list or map and cannot be compared",
                context: ["column": path])
        }
        return (path, field)
    }

    func field(id: Int) -> Field? { schema.field(id: id) }
}

/// Reads the expressions of the REST catalog protocol.
///
/// 1. Negations move down to the predicates as they are read: each has its opposite.
/// 2. A predicate over one column and literals is read strictly; one over anything else (a transform, a function, two
///    columns) is handed back to the client as it came and prunes nothing.
/// 3. Both generations of the protocol are read: `term` and `value`, or `child`, `left` and `right`. What is written
///    is the older one, which every client knows.
///
/// The depth is bounded by that of JSON, the size by the request's.
///
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (Predicate)
struct RowFilterParser {
    /// Predicates that may prune: each is looked at for every file.
    private static let pruningMax = 1000

    private let names: ColumnNames
    private var leafCount = 0
    /// True when the filter has more predicates than may be looked at for every file.
    var isLarge: Bool { leafCount > Self.pruningMax }

    init(_ names: ColumnNames) { self.names = names }

    /// Throws `.invalidInput` (`bad_filter`, `unknown_column`, `ambiguous_column`).
    mutating func parse(_ json: JSONValue, isNegated: Bool = false) throws(FirnError) -> RowFilter {
        if let constant = json.boolValue { return constant != isNegated ? .alwaysTrue : .alwaysFalse }
        guard let type = json["type"]?.stringValue else {
            throw Self.bad("a filter is true, false or an object with a \"type\"")
        }
        let name = type.lowercased().map { $0 == "_" ? "-" : String($0) }.joined()
        switch name {
        case "true": return isNegated ? .alwaysFalse : .alwaysTrue
        case "false": return isNegated ? .alwaysTrue : .alwaysFalse
        case "literal":
            guard let constant = json["value"]?.boolValue else { throw Self.bad("a literal filter is true or false") }
            return constant != isNegated ? .alwaysTrue : .alwaysFalse
        case "not": return try parse(try member(json, "child"), isNegated: !isNegated)
        case "and", "or":
            let left = try parse(try member(json, "left"), isNegated: isNegated)
            let right = try parse(try member(json, "right"), isNegated: isNegated)
            return (name == "and") != isNegated ? .both(left, right) : .either(left, right)
        default:
            guard let operation = Operation(rawValue: name) else {
                throw Self.bad("there is no filter of type \"\(type.prefix(64))\"")
            }
            leafCount += 1
            return try leaf(json, operation, isNegated: isNegated)
        }
    }

    private mutating func leaf(
        _ json: JSONValue, _ operation: Operation, isNegated: Bool
    ) throws(FirnError) -> RowFilter {
        let predicate = try read(json, operation)
        guard case .column(let field) = predicate.operand else { return unknown(json, isNegated: isNegated) }
        let (path, column) = try names.comparable(field)
        let isFloating = column.type == .float || column.type == .double
        // To some clients NaN is above every number, to others it compares with nothing.
        let keepsNegation = isNegated && isFloating && predicate.operation.isOrdering
        let effective = isNegated && !keepsNegation ? predicate.operation.negation : predicate.operation
        guard let test = try test(effective, predicate.literals, column, path) else {
            return effective.isNegative ? .alwaysTrue : .alwaysFalse
        }
        var form: [JSONValue.Member] = [.init("type", .string(effective.rawValue)), .init("term", .string(path))]
        if effective.takesList {
            form.append(.init("values", .array(predicate.literals)))
        } else if let literal = predicate.literals.first {
            form.append(.init("value", literal))
        }
        let shown = JSONValue.object(form)
        return .leaf(
            RowFilter.Leaf(
                json: keepsNegation ? ["type": "not", "child": shown] : shown, test: keepsNegation ? .notNull : test,
                fieldId: column.id, prunes: leafCount <= Self.pruningMax))
    }

    private func unknown(_ json: JSONValue, isNegated: Bool) -> RowFilter {
        .leaf(
            RowFilter.Leaf(
                json: isNegated ? ["type": "not", "child": json] : json, test: .unknown, fieldId: nil, prunes: false))
    }

    // MARK: Operands

    private enum Operand {
        case column(Field)
        case literal(JSONValue)
        /// A transform or a function.
        case other
    }

    private struct Predicate {
        let operation: Operation
        let operand: Operand
        let literals: [JSONValue]
    }

    private func read(_ json: JSONValue, _ operation: Operation) throws(FirnError) -> Predicate {
        if operation.takesList {
            let operand = try unary(json)
            let values = try member(json, "values")
            guard let items = values.arrayValue ?? values["values"]?.arrayValue else {
                throw Self.bad("\"values\" is not a list")
            }
            return Predicate(
                operation: operation, operand: operand,
                literals: try items.map { item throws(FirnError) in try Self.literal(item) })
        }
        guard operation.takesLiteral else {
            return Predicate(operation: operation, operand: try unary(json), literals: [])
        }
        guard let left = json["left"], let right = json["right"] else {
            return Predicate(
                operation: operation, operand: try term(try member(json, "term")),
                literals: [try Self.literal(try member(json, "value"))])
        }
        switch (try expression(left), try expression(right)) {
        case (.column(let field), .literal(let literal)):
            return Predicate(operation: operation, operand: .column(field), literals: [literal])
        case (.literal(let literal), .column(let field)):
            guard let mirrored = operation.mirrored else { break }
            return Predicate(operation: mirrored, operand: .column(field), literals: [literal])
        default: break
        }
        return Predicate(operation: operation, operand: .other, literals: [])
    }

    private func unary(_ json: JSONValue) throws(FirnError) -> Operand {
        if let child = json["child"] { return try expression(child) }
        return try term(try member(json, "term"))
    }

    /// The older form: a name, or an object.
    private func term(_ json: JSONValue) throws(FirnError) -> Operand {
        if let name = json.stringValue { return .column(try column(name)) }
        return try expression(json)
    }

    private func expression(_ json: JSONValue) throws(FirnError) -> Operand {
        guard json.objectValue != nil else { return .literal(try Self.literal(json)) }
        switch json["type"]?.stringValue?.lowercased() {
        case "literal": return .literal(try Self.literal(json))
        case "reference":
            if let id = json["id"] {
                guard let field = id.intValue.flatMap({ Int(exactly: $0) }).flatMap({ names.field(id: $0) }) else {
                    throw FirnError(.invalidInput, "unknown_column", "the table has no column with id \(id.text)")
                }
                return .column(field)
            }
            guard let name = (json["name"] ?? json["term"])?.stringValue else {
                throw Self.bad("a reference needs a \"name\" or an \"id\"")
            }
            return .column(try column(name))
        case "transform":
            // The column must exist even where what is made of it is the client's matter.
            _ = try term(try member(json, "term"))
            return .other
        case "apply": return .other
        default: throw Self.bad("a term is a column's name, a reference, a literal, a transform or a function")
        }
    }

    private func column(_ name: String) throws(FirnError) -> Field {
        if let field = try names.field(name) { return field }
        throw FirnError(
            .invalidInput, "unknown_column", "the table has no column \"\(name)\"", context: ["column": name])
    }

    private static func literal(_ json: JSONValue) throws(FirnError) -> JSONValue {
        let value = json["type"]?.stringValue?.lowercased() == "literal" ? json["value"] ?? .null : json
        switch value {
        case .bool, .integer, .double, .string: return value
        default: throw bad("a literal is a boolean, a number or a string")
        }
    }

    private func member(_ json: JSONValue, _ key: String) throws(FirnError) -> JSONValue {
        guard let value = json[key] else { throw Self.bad("\"\(key)\" is missing in a filter") }
        return value
    }

    static func bad(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_filter", message) }
}

// MARK: Tests

extension RowFilterParser {
    /// The names are the protocol's.
    fileprivate enum Operation: String {
        case isNull = "is-null"
        case notNull = "not-null"
        case isNaN = "is-nan"
        case notNaN = "not-nan"
        case less = "lt"
        case lessOrEqual = "lt-eq"
        case greater = "gt"
        case greaterOrEqual = "gt-eq"
        case equal = "eq"
        case notEqual = "not-eq"
        case isIn = "in"
        case notIn = "not-in"
        case startsWith = "starts-with"
        case notStartsWith = "not-starts-with"

        var takesList: Bool { self == .isIn || self == .notIn }
        var takesLiteral: Bool { !takesList && ![.isNull, .notNull, .isNaN, .notNaN].contains(self) }
        var isOrdering: Bool { [.less, .lessOrEqual, .greater, .greaterOrEqual].contains(self) }
        var isNegative: Bool { self == .notEqual || self == .notIn }

        var comparison: Expression.Comparison? {
            switch self {
            case .less: .less
            case .lessOrEqual: .lessOrEqual
            case .greater: .greater
            case .greaterOrEqual: .greaterOrEqual
            case .equal: .equal
            case .notEqual: .notEqual
            default: nil
            }
        }

        var negation: Operation {
            switch self {
            case .isNull: .notNull
            case .notNull: .isNull
            case .isNaN: .notNaN
            case .notNaN: .isNaN
            case .less: .greaterOrEqual
            case .lessOrEqual: .greater
            case .greater: .lessOrEqual
            case .greaterOrEqual: .less
            case .equal: .notEqual
            case .notEqual: .equal
            case .isIn: .notIn
            case .notIn: .isIn
            case .startsWith: .notStartsWith
            case .notStartsWith: .startsWith
            }
        }

        /// The same with its sides exchanged; nil where they cannot be.
        var mirrored: Operation? {
            switch self {
            case .less: .greater
            case .lessOrEqual: .greaterOrEqual
            case .greater: .less
            case .greaterOrEqual: .lessOrEqual
            case .equal, .notEqual: self
            default: nil
            }
        }
    }

    /// Nil when no literal is a value of the column, so that none can be equal to it.
    fileprivate func test(
        _ operation: Operation, _ literals: [JSONValue], _ column: Field, _ path: String
    ) throws(FirnError) -> RowFilter.Test? {
        switch operation {
        case .isNull: return .isNull
        case .notNull: return .notNull
        case .isNaN, .notNaN:
            guard column.type == .float || column.type == .double else {
                throw Self.bad("column \"\(path)\" of type \(column.type) has no NaN")
            }
            return operation == .isNaN ? .isNaN : .notNaN
        case .startsWith, .notStartsWith:
            guard column.type == .string, let prefix = literals.first?.stringValue else {
                throw Self.bad("\"\(operation.rawValue)\" needs a column of strings and a string")
            }
            return operation == .startsWith ? .startsWith(prefix) : .notStartsWith(prefix)
        case .isIn, .notIn:
            var values: [Value] = []
            for json in literals {
                switch try FilterLiteral(json, as: column, path: path) {
                case .value(let value): values.append(value)
                case .between: return .unknown
                case .above, .below: break
                }
            }
            if values.isEmpty { return nil }
            return operation == .isIn ? .isIn(values) : .notIn(values)
        case .less, .lessOrEqual, .greater, .greaterOrEqual, .equal, .notEqual:
            return try compare(operation.comparison!, literals[0], column, path)
        }
    }

    private func compare(
        _ comparison: Expression.Comparison, _ json: JSONValue, _ column: Field, _ path: String
    ) throws(FirnError) -> RowFilter.Test? {
        let literal = try FilterLiteral(json, as: column, path: path)
        switch (literal, comparison) {
        case (.value(let value), _): return .compare(comparison, value)
        case (.between, _): return .unknown
        // Every value is below what is above all, and what is left is that there is one.
        case (.above, .less), (.above, .lessOrEqual), (.below, .greater), (.below, .greaterOrEqual): return .notNull
        default: return nil
        }
    }
}
