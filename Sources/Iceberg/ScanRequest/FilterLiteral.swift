import Base
import Columnar

/// A literal of a filter as the column that it is compared with has it.
///
/// Clients write literals without a type: the Java client sends dates as days and times as microseconds, PyIceberg both
/// as text. Values that the column cannot hold have a place beside those that it can.
enum FilterLiteral: Hashable {
    case value(Value)
    /// Above every value of the column's type.
    case above
    case below
    /// Between two values of the column's type, or too fine for it.
    case between

    /// Throws `.invalidInput` (`bad_filter`) for a literal of another kind than the column.
    init(_ json: JSONValue, as field: Field, path: String) throws(FirnError) {
        guard let literal = Self.read(json, field.type) else {
            let text = json.text
            let excerpt = text.utf8.count <= 64 ? text : String(text.prefix(48)) + "…"
            throw FirnError(
                .invalidInput, "bad_filter",
                "\(excerpt) cannot be compared with column \"\(path)\" of type \(field.type)",
                context: ["column": path])
        }
        self = literal
    }

    private static func read(_ json: JSONValue, _ type: DataType) -> FilterLiteral? {
        switch type {
        case .boolean: return json.boolValue.map { .value(.boolean($0)) }
        case .int: return integer(json) { Int32(exactly: $0).map(Value.int) }
        case .long: return integer(json) { .long($0) }
        case .float:
            guard let number = json.doubleValue else { return nil }
            return Float(number).isFinite ? .value(.float(Float(number))) : .between
        case .double: return json.doubleValue.map { .value(.double($0)) }
        case .decimal(_, let scale): return decimal(json, scale)
        case .string: return json.stringValue.map { .value(.string($0)) }
        case .date:
            if json.stringValue == nil { return integer(json) { Int32(exactly: $0).map(Value.date) } }
            return text(json, type)
        case .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs:
            return json.stringValue == nil ? micros(json, type) : instant(json, type)
        case .uuid, .fixed, .binary: return text(json, type)
        case .structure, .list, .map, .variant, .unknown: return nil
        }
    }

    private static func text(_ json: JSONValue, _ type: DataType) -> FilterLiteral? {
        json.stringValue.flatMap { try? Value(parsing: $0, as: type) }.map { .value($0) }
    }

    private static func integer(_ json: JSONValue, _ make: (Int64) -> Value?) -> FilterLiteral? {
        if let number = json.intValue {
            return make(number).map { .value($0) } ?? (number > 0 ? .above : .below)
        }
        guard let real = json.doubleValue else { return nil }
        if abs(real) >= 0x1p63 { return real > 0 ? .above : .below }
        return .between
    }

    private static func decimal(_ json: JSONValue, _ scale: Int) -> FilterLiteral? {
        let text = json.stringValue ?? (json.doubleValue == nil ? nil : json.text)
        guard let text, Double(text) != nil else { return nil }
        var digits = text[...]
        if digits.contains(".") {
            while digits.last == "0" { digits.removeLast() }
        }
        // One that the type cannot hold, or in another notation.
        guard let value = try? Value(parsing: String(digits), as: .decimal(precision: 38, scale: scale)) else {
            return .between
        }
        return .value(value)
    }

    /// The unit is the microsecond also for columns of nanoseconds.
    private static func micros(_ json: JSONValue, _ type: DataType) -> FilterLiteral? {
        integer(json) { micros in
            let (nanos, overflow) = micros.multipliedReportingOverflow(by: 1000)
            return switch type {
            case .time: .time(micros)
            case .timestamp: .timestamp(micros)
            case .timestamptz: .timestamptz(micros)
            case .timestampNs: overflow ? nil : .timestampNs(nanos)
            default: overflow ? nil : .timestamptzNs(nanos)
            }
        }
    }

    private static func instant(_ json: JSONValue, _ type: DataType) -> FilterLiteral? {
        if let literal = text(json, type) { return literal }
        guard let text = json.stringValue else { return nil }
        switch type {
        // Nanoseconds, or a year that only microseconds reach.
        case .timestamp, .timestampNs:
            return isInstant(text, .timestampNs) || isInstant(text, .timestamp) ? .between : nil
        case .timestamptz, .timestamptzNs:
            if isInstant(text, .timestamptzNs) || isInstant(text, .timestamptz) { return .between }
            return shifted(text, type)
        default: return nil
        }
    }

    private static func isInstant(_ text: String, _ type: DataType) -> Bool {
        (try? Value(parsing: text, as: type)) != nil
    }

    /// A time with an offset such as `-08:00`.
    private static func shifted(_ text: String, _ type: DataType) -> FilterLiteral? {
        let offset = text.utf8.suffix(6)
        let digits = offset.dropFirst().filter { $0 != UInt8(ascii: ":") }.map { Int64($0) - 48 }
        guard text.utf8.count > 6, let sign = offset.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
            digits.count == 4, digits.allSatisfy({ (0...9).contains($0) })
        else { return nil }
        let minutes = (digits[0] * 10 + digits[1]) * 60 + digits[2] * 10 + digits[3]
        let shift = (sign == UInt8(ascii: "+") ? -minutes : minutes) * 60_000_000
        guard let local = try? Value(parsing: String(text.dropLast(6)), as: type) else { return nil }
        switch local {
        case .timestamptz(let v):
            let (sum, overflow) = v.addingReportingOverflow(shift)
            return overflow ? .between : .value(.timestamptz(sum))
        case .timestamptzNs(let v):
            let (sum, overflow) = v.addingReportingOverflow(shift * 1000)
            return overflow ? .between : .value(.timestamptzNs(sum))
        default: return nil
        }
    }
}
