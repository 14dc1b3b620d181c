import Base
import Columnar
import SQLiteKit

extension ColumnBuilder {
    /// Appends a value as SQL has it, exactly. False, with nothing appended, for one that the type cannot hold.
    func append(_ value: SQLValue) -> Bool {
        switch (storage, value) {
        case (_, .null):
            appendNull()
            return true
        case (.bytes(_, let bytes), .text(var text)) where type == .string:
            text.withUTF8 { bytes.append($0) }
            endValue()
            return true
        case (.bytes(_, let bytes), .blob(let blob)) where type == .binary:
            blob.withUnsafeBufferPointer { bytes.append($0) }
            endValue()
            return true
        default:
            guard let converted = SQLToValue.convert(value, type) else { return false }
            append(converted)
            return true
        }
    }
}

/// From the forms that `SQLType` gives values back to the values themselves.
private enum SQLToValue {
    static func convert(_ value: SQLValue, _ type: DataType) -> Value? {
        switch (type, value) {
        case (.boolean, .integer(let number)): return number == 0 || number == 1 ? .boolean(number == 1) : nil
        case (.int, _): return integer(value).flatMap { Int32(exactly: $0) }.map(Value.int)
        case (.long, _): return integer(value).map(Value.long)
        case (.float, _):
            guard let number = real(value) else { return nil }
            let float = Float(number)
            return Double(float) == number ? .float(float) : nil
        case (.double, _): return real(value).map(Value.double)
        case (.decimal(let precision, let scale), _): return decimal(value, precision, scale)
        case (.uuid, .text(let text)): return UUID(text).map(Value.uuid)
        case (.fixed(let width), .blob(let bytes)): return bytes.count == width ? .binary(bytes) : nil
        case (_, .text(let text)):
            if type.isPrimitive { return instant(text, type) }
            return (try? JSONValue(parsing: text, source: "value")).flatMap { nested($0, type) }
        default: return nil
        }
    }

    private static func integer(_ value: SQLValue) -> Int64? {
        switch value {
        case .integer(let number): number
        case .real(let number): Int64(exactly: number)
        default: nil
        }
    }

    private static func real(_ value: SQLValue) -> Double? {
        switch value {
        case .integer(let number): Double(exactly: number)
        case .real(let number): number
        default: nil
        }
    }

    private static func decimal(_ value: SQLValue, _ precision: Int, _ scale: Int) -> Value? {
        let text: String
        switch value {
        case .text(let written): text = written
        case .integer(let number): text = String(number)
        case .real(let number): text = "\(number)"
        default: return nil
        }
        guard let (unscaled, isExact) = DecimalNumber(text)?.unscaled(scale: scale), isExact,
            String(unscaled.magnitude).utf8.count <= precision
        else { return nil }
        return .decimal(unscaled, scale: scale)
    }

    /// Dates and times.
    private static func instant(_ text: String, _ type: DataType) -> Value? {
        let isTimeOfDay = text.utf8.dropFirst(2).first == UInt8(ascii: ":")
        guard isTimeOfDay == (type == .time), let nanos = TemporalText.instant(text) else { return nil }
        func exactly(_ unit: Int128) -> Int64? { nanos % unit == 0 ? Int64(exactly: nanos / unit) : nil }
        switch type {
        case .date: return exactly(86_400_000_000_000).flatMap { Int32(exactly: $0) }.map(Value.date)
        case .time: return exactly(1000).map(Value.time)
        case .timestamp: return exactly(1000).map(Value.timestamp)
        case .timestamptz: return exactly(1000).map(Value.timestamptz)
        case .timestampNs: return exactly(1).map(Value.timestampNs)
        case .timestamptzNs: return exactly(1).map(Value.timestamptzNs)
        default: return nil
        }
    }

    // MARK: Nested values, from the JSON of `Column.appendJSON`

    private static func nested(_ json: JSONValue, _ type: DataType) -> Value? {
        if json.isNull { return .null }
        switch type {
        case .structure(let type):
            guard let members = json.objectValue else { return nil }
            // Members come in the order of the fields.
            let isInOrder =
                members.count == type.fields.count && zip(members, type.fields).allSatisfy { $0.key == $1.name }
            return all(type.fields.indices) { index in
                let field = type.fields[index]
                return nested(isInOrder ? members[index].value : json[field.name] ?? .null, field.type)
            }.map(Value.structure)
        case .list(let type):
            return json.arrayValue.flatMap { all($0) { nested($0, type.element) } }.map(Value.list)
        case .map(let type):
            return map(json, type).map(Value.map)
        case .boolean: return json.boolValue.map(Value.boolean)
        case .int: return json.intValue.flatMap { Int32(exactly: $0) }.map(Value.int)
        case .long: return json.intValue.map(Value.long)
        case .float: return (json.doubleValue ?? json.stringValue.flatMap { Double($0) }).map { .float(Float($0)) }
        case .double: return (json.doubleValue ?? json.stringValue.flatMap { Double($0) }).map(Value.double)
        case .decimal(let precision, let scale):
            return json.stringValue.flatMap { decimal(.text($0), precision, scale) }
        // A variant, which may be anything, becomes its text.
        case .string: return .string(json.stringValue ?? json.text)
        case .uuid: return json.stringValue.flatMap { UUID($0) }.map(Value.uuid)
        case .fixed, .binary: return json.stringValue.flatMap { Hex.decode($0) }.map(Value.binary)
        case .date, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs:
            return json.stringValue.flatMap { instant($0, type) }
        case .variant, .unknown: return nil
        }
    }

    private static func map(_ json: JSONValue, _ type: MapType) -> [Value.MapEntry]? {
        func entry(_ key: JSONValue, _ value: JSONValue) -> Value.MapEntry? {
            guard let key = nested(key, type.key), !key.isNull, let value = nested(value, type.value) else {
                return nil
            }
            return Value.MapEntry(key: key, value: value)
        }
        if let members = json.objectValue { return all(members) { entry(.string($0.key), $0.value) } }
        return json.arrayValue.flatMap { all($0) { entry($0["key"] ?? .null, $0["value"] ?? .null) } }
    }

    /// What `make` gives for every item; nil when it gives none for one.
    private static func all<Items: Sequence, Made>(_ items: Items, _ make: (Items.Element) -> Made?) -> [Made]? {
        var made: [Made] = []
        for item in items {
            guard let one = make(item) else { return nil }
            made.append(one)
        }
        return made
    }
}
