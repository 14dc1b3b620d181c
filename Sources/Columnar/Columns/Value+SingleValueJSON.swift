import Base

// Single values in Iceberg's JSON form, as default values of columns and the REST catalog's bounds carry them:
//
// | type                 | JSON                                                                 |
// |----------------------|----------------------------------------------------------------------|
// | boolean, int, long   | boolean, number                                                      |
// | float, double        | number                                                               |
// | decimal              | string with exactly its scale's digits, "14.20"                      |
// | date, time           | "2017-11-16", "22:31:08.123456"                                      |
// | timestamps           | "2017-11-16T22:31:08.123456", with "+00:00" behind those with a zone |
// | string, uuid         | string                                                               |
// | fixed, binary        | string of hexadecimal digits                                         |
// | struct               | object by field id; as a default only {}                             |
// | list                 | array                                                                |
// | map                  | {"keys": […], "values": […]}                                         |
//
// Spec: https://iceberg.apache.org/spec/#json-single-value-serialization

extension Value {
    /// The value in its single-value JSON form; null for null.
    ///
    /// Precondition: the value's case is the one that `type` asks for.
    public func singleValueJSON(as type: DataType) -> JSONValue {
        switch (self, type) {
        case (.null, _): return .null
        case (.boolean(let v), _): return .bool(v)
        case (.int(let v), _): return .integer(Int64(v))
        case (.long(let v), _): return .integer(v)
        case (.float(let v), _): return .double(Double("\(v)") ?? Double(v))
        case (.double(let v), _): return .double(v)
        case (.decimal(let unscaled, let scale), _): return .string(DecimalText.format(unscaled, scale: scale))
        case (.timestamptz(let v), _): return .string(CivilTime.formatTimestamp(micros: v, utc: false) + "+00:00")
        case (.timestamptzNs(let v), _): return .string(CivilTime.formatTimestamp(nanos: v, utc: false) + "+00:00")
        case (.structure(let values), .structure(let type)):
            return .object(
                zip(type.fields, values).map { .init(String($0.id), $1.singleValueJSON(as: $0.type)) })
        case (.list(let values), .list(let type)):
            return .array(values.map { $0.singleValueJSON(as: type.element) })
        case (.map(let entries), .map(let type)):
            return [
                "keys": .array(entries.map { $0.key.singleValueJSON(as: type.key) }),
                "values": .array(entries.map { $0.value.singleValueJSON(as: type.value) }),
            ]
        default: return .string(text(as: type))
        }
    }

    /// Reads a single value of a type; JSON null is null at any depth. Throws `.invalidInput` (`bad_value`).
    public init(singleValueJSON json: JSONValue, as type: DataType) throws(FirnError) {
        guard let value = SingleValueReader.read(json, type) else {
            throw FirnError(.invalidInput, "bad_value", "\(excerpt(json)) is not a value of type \(type)")
        }
        self = value
    }

    /// Reads a column's default, whose nested parts follow rules of their own: a struct's is `{}`, and unknown and
    /// variant columns have none. Throws `.invalidInput` (`bad_schema`).
    init(defaultJSON json: JSONValue, as type: DataType, what: String) throws(FirnError) {
        func bad(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_schema", "the \(what) \(message)") }
        guard json.serialize().count <= Limits.defaultBytesMax else {
            throw bad("is longer than \(Limits.defaultBytesMax) bytes")
        }
        guard type != .unknown, type != .variant else { throw bad("must be null, as for every \(type) column") }
        if case .structure = type {
            guard json.objectValue?.isEmpty == true else { throw bad("must be {} or null: its fields have their own") }
            self = .structure([])
            return
        }
        guard let value = SingleValueReader.read(json, type) else {
            throw bad("is not of type \(type): \(excerpt(json))")
        }
        self = value
    }
}

private func excerpt(_ json: JSONValue) -> String {
    let text = json.text
    return text.utf8.count <= 64 ? text : String(text.prefix(48)) + "…"
}

private enum SingleValueReader {
    /// Nil when the JSON is not of the type.
    static func read(_ json: JSONValue, _ type: DataType) -> Value? {
        if json.isNull { return .null }
        switch type {
        case .boolean: return json.boolValue.map(Value.boolean)
        case .int: return json.intValue.flatMap { Int32(exactly: $0) }.map(Value.int)
        case .long: return json.intValue.map(Value.long)
        case .float:
            guard let number = json.doubleValue, Float(number).isFinite else { return nil }
            return .float(Float(number))
        case .double: return json.doubleValue.map(Value.double)
        case .decimal(_, let scale): return decimal(json, type, scale)
        case .fixed, .binary, .date, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs, .string, .uuid:
            return json.stringValue.flatMap { try? Value(parsing: $0, as: type) }
        case .structure(let type): return structure(json, type)
        case .list(let type):
            return json.arrayValue.flatMap { all($0, type.element, required: type.elementRequired) }.map(Value.list)
        case .map(let type): return map(json, type)
        case .variant, .unknown: return nil
        }
    }

    /// The scale is part of the text.
    private static func decimal(_ json: JSONValue, _ type: DataType, _ scale: Int) -> Value? {
        guard let text = json.stringValue, let value = try? Value(parsing: text, as: type) else { return nil }
        let point = text.utf8.firstIndex(of: UInt8(ascii: "."))
        let digits = point.map { text.utf8.distance(from: $0, to: text.utf8.endIndex) - 1 } ?? 0
        return digits == scale ? value : nil
    }

    private static func structure(_ json: JSONValue, _ type: StructType) -> Value? {
        guard json.objectValue != nil else { return nil }
        var values: [Value] = []
        for field in type.fields {
            guard let value = read(json[String(field.id)] ?? .null, field.type), !(value.isNull && field.required)
            else { return nil }
            values.append(value)
        }
        return .structure(values)
    }

    private static func map(_ json: JSONValue, _ type: MapType) -> Value? {
        guard let keys = json["keys"]?.arrayValue, let values = json["values"]?.arrayValue, keys.count == values.count,
            let keys = all(keys, type.key, required: true),
            let values = all(values, type.value, required: type.valueRequired), Set(keys).count == keys.count
        else { return nil }
        return .map(zip(keys, values).map { Value.MapEntry(key: $0, value: $1) })
    }

    private static func all(_ items: [JSONValue], _ type: DataType, required: Bool) -> [Value]? {
        var values: [Value] = []
        for item in items {
            guard let value = read(item, type), !(value.isNull && required) else { return nil }
            values.append(value)
        }
        return values
    }
}
