import Avro
import Base
import Columnar

/// Reads the partition tuple of a manifest entry into values of the spec's types, in the spec's order.
///
/// Fields are matched by id, else by place; a field that the manifest lacks is null. A day stored as a plain int, an
/// int under a promoted long, and a float under a double become values of the present type.
struct PartitionReader {
    private struct Slot {
        let column: AvroColumn
        /// Index in the spec; nil for a field that the spec does not have.
        let target: Int?
    }

    private let slots: [Slot]
    private let fields: [Field]
    private let schema: AvroSchema

    init(_ type: AvroType, in schema: AvroSchema, fields: [Field], source: String) throws(FirnError) {
        self.fields = fields
        self.schema = schema
        let byId = Dictionary(fields.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        var slots: [Slot] = []
        for (index, column) in try AvroColumn.columns(of: type, in: schema, source: source).enumerated() {
            let place = index < fields.count ? index : nil
            slots.append(Slot(column: column, target: column.fieldId.map { byId[$0] } ?? place))
        }
        self.slots = slots
    }

    func read(_ reader: inout ByteReader) throws(FirnError) -> [Value] {
        if slots.isEmpty && fields.isEmpty { return [] }
        var values = [Value](repeating: .null, count: fields.count)
        for slot in slots {
            if try slot.column.readNull(&reader) { continue }
            guard let target = slot.target else {
                try reader.avroSkip(slot.column.type, in: schema)
                continue
            }
            values[target] = try Self.value(slot.column.type, as: fields[target].type, &reader)
        }
        return values
    }

    private static func value(
        _ stored: AvroType, as type: DataType, _ reader: inout ByteReader
    ) throws(FirnError) -> Value {
        switch stored.kind {
        case .null: return .null
        case .boolean: return .boolean(try reader.avroBoolean())
        case .int:
            let value = try reader.avroInt()
            switch type {
            case .date: return .date(value)
            case .long: return .long(Int64(value))
            default: return stored.logicalType == "date" ? .date(value) : .int(value)
            }
        case .long:
            let value = try reader.avroLong()
            switch type {
            case .time: return .time(value)
            case .timestamp: return .timestamp(value)
            case .timestamptz: return .timestamptz(value)
            case .timestampNs: return .timestampNs(value)
            case .timestamptzNs: return .timestamptzNs(value)
            default: return .long(value)
            }
        case .float:
            let value = try reader.avroFloat()
            return type == .double ? .double(Double(value)) : .float(value)
        case .double: return .double(try reader.avroDouble())
        case .string:
            let text = try reader.avroString()
            if type == .uuid, let uuid = UUID(text) { return .uuid(uuid) }
            return .string(text)
        case .bytes: return try binary(try reader.avroBytes(), type, reader)
        case .fixed(_, let size): return try binary(Array(try reader.take(size)), type, reader)
        default: throw reader.corrupted("a partition value of type \(stored.json.text)")
        }
    }

    private static func binary(
        _ bytes: [UInt8], _ type: DataType, _ reader: ByteReader
    ) throws(FirnError) -> Value {
        switch type {
        case .decimal(_, let scale):
            guard let unscaled = SingleValue.decimal(bytes) else { throw reader.corrupted("a decimal's length") }
            return .decimal(unscaled, scale: scale)
        case .uuid:
            guard bytes.count == 16 else { throw reader.corrupted("a UUID's length") }
            return .uuid(UUID(bytes: bytes))
        default: return .binary(bytes)
        }
    }
}
