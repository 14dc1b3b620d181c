import Base
import Columnar

/// Proposes a schema from the first records of a body, or from the schema that the body itself has.
///
/// Every field is optional, in order of first appearance. Avro, Arrow and Parquet state their types, of which only
/// nanoseconds become microseconds. In JSON, and in CSV by its text, a field is:
///
/// | seen | type |
/// |---|---|
/// | true, false | boolean |
/// | integers of 64 bits | long |
/// | other numbers, or both | double |
/// | text that is always a date, `YYYY-MM-DD` | date |
/// | text that is always a timestamp with an offset, or always without | timestamptz, timestamp |
/// | other text | string |
/// | objects | struct of all members seen; an object always empty: map<string, string> |
/// | arrays | list; one always empty: list<string> |
/// | nothing but null | string |
///
/// A field that is now a number, now a string, and any other mixture that no column holds, is refused by name; in CSV
/// it is a string.
public enum SchemaInference {
    /// Infers from at most `DecodeLimits.inferenceRecordsMax` records and `inferenceBytesMax` bytes. A record cut off
    /// by that bound is not looked at.
    /// - Throws: `.invalidInput` with `malformed_json` and its kin, `malformed_csv`, `malformed_body`,
    ///   `conflicting_types` or `nothing_to_infer`; `.limitExceeded` `too_many_columns`; `.unsupported` for a type that
    ///   no column can hold.
    public static func infer(_ body: [UInt8], format: RecordFormat) throws(FirnError) -> Schema {
        let fields: [Field]
        switch format {
        case .ndjson, .json: fields = try texts(body, format)
        case .csv: fields = try CSVInference.fields(body)
        case .avro: fields = try AvroSource(body, bytesMax: DecodeLimits.batchBytesMax).schema.fields
        case .parquet: fields = try ParquetSource(body).schema.fields
        case .arrow:
            let result = body.withUnsafeBytes { bytes in
                Result { () throws(FirnError) in
                    try ArrowSource(bytes, bytesMax: DecodeLimits.batchBytesMax).schema.fields
                }
            }
            fields = try result.get()
        }
        guard !fields.isEmpty else {
            throw FirnError(
                .invalidInput, "nothing_to_infer", "The body has no record with a field to infer a schema from.")
        }
        let schema = Schema(fields: fields.map(optional)).numbered()
        guard schema.allFields.count <= Limits.columnsMax else {
            throw FirnError(
                .limitExceeded, "too_many_columns", "The records have more than \(Limits.columnsMax) fields.")
        }
        return schema
    }

    /// The field, and all within, without demands: the records to come may be poorer than the first.
    private static func optional(_ field: Field) -> Field {
        Field(id: field.id, name: field.name, required: false, type: optional(field.type))
    }

    private static func optional(_ type: DataType) -> DataType {
        switch type {
        case .structure(let type): return .structure(StructType(fields: type.fields.map(optional)))
        case .list(var type):
            type.element = optional(type.element)
            type.elementRequired = false
            return .list(type)
        case .map(var type):
            type.key = optional(type.key)
            type.value = optional(type.value)
            type.valueRequired = false
            return .map(type)
        default: return type.microseconds
        }
    }

    private static func texts(_ body: [UInt8], _ format: RecordFormat) throws(FirnError) -> [Field] {
        let text = body.prefix(DecodeLimits.inferenceBytesMax)
        let isCut = text.count < body.count
        let padded = Array(text) + [UInt8](repeating: 0, count: 64)
        let result = padded.withUnsafeBufferPointer { bytes in
            Result { () throws(FirnError) -> InferredType in
                var walk = InferenceWalk(
                    scan: JSONScan(multiline: format == .json), start: bytes.baseAddress!,
                    end: bytes.baseAddress! + text.count, isCut: isCut)
                return try walk.run(format)
            }
        }
        guard case .structure(let members) = try result.get() else { return [] }
        return members.fields
    }
}

/// What has been seen of one value so far.
indirect enum InferredType {
    case nothing
    case boolean, long, double, date, timestamp, timestamptz, string
    case structure(InferredMembers)
    case list(InferredType)

    var name: String {
        switch self {
        case .nothing: "null"
        case .structure: "object"
        case .list: "array"
        case .boolean: "boolean"
        case .long, .double: "number"
        case .date, .timestamp, .timestamptz, .string: "string"
        }
    }

    var type: DataType {
        switch self {
        case .nothing, .string: .string
        case .boolean: .boolean
        case .long: .long
        case .double: .double
        case .date: .date
        case .timestamp: .timestamp
        case .timestamptz: .timestamptz
        case .structure(let members) where members.order.isEmpty:
            .map(MapType(keyId: 0, key: .string, valueId: 0, value: .string, valueRequired: false))
        case .structure(let members): .structure(StructType(fields: members.fields))
        case .list(let element): .list(ListType(elementId: 0, element: element.type, elementRequired: false))
        }
    }

    /// What holds both; nil when nothing does. Objects are merged member by member elsewhere.
    func merged(_ other: InferredType) -> InferredType? {
        switch (self, other) {
        case (.nothing, let known), (let known, .nothing): known
        case (.boolean, .boolean): .boolean
        case (.long, .long): .long
        case (.long, .double), (.double, .long), (.double, .double): .double
        case (.date, .date): .date
        case (.timestamp, .timestamp): .timestamp
        case (.timestamptz, .timestamptz): .timestamptz
        case (_, _) where name == "string" && other.name == "string": .string
        default: nil
        }
    }
}

/// The members of an object in order of first appearance. Names are compared byte by byte: Swift's own comparison
/// would join names that differ in their Unicode form.
struct InferredMembers {
    private(set) var order: [[UInt8]] = []
    private var types: [[UInt8]: InferredType] = [:]

    subscript(_ name: [UInt8]) -> InferredType {
        get { types[name] ?? .nothing }
        set {
            if types.updateValue(newValue, forKey: name) == nil { order.append(name) }
        }
    }

    var fields: [Field] {
        order.map { Field(id: 0, name: String(decoding: $0, as: UTF8.self), required: false, type: self[$0].type) }
    }
}
