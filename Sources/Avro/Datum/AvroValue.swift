import Base

/// A value of any Avro type, for tools and small files; manifests are read field by field instead.
public indirect enum AvroValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    case int(Int32)
    case long(Int64)
    case float(Float)
    case double(Double)
    case bytes([UInt8])
    case string(String)
    case fixed([UInt8])
    case enumeration(String)
    case array([AvroValue])
    case map([Member])
    /// One value a field, in the order of the schema.
    case record([Member])

    public struct Member: Hashable, Sendable {
        public let key: String
        public let value: AvroValue

        public init(_ key: String, _ value: AvroValue) {
            self.key = key
            self.value = value
        }
    }

    /// The member of a record or map; nil when there is none.
    public subscript(_ key: String) -> AvroValue? {
        switch self {
        case .record(let members), .map(let members): members.first { $0.key == key }?.value
        default: nil
        }
    }
}

extension ByteReader {
    /// Reads a value; the branch of a union stands for itself.
    public mutating func avroValue(
        _ type: AvroType, in schema: AvroSchema, depth: Int = 0
    ) throws(FirnError) -> AvroValue {
        guard depth <= Limits.nestingDepthMax else { throw corrupted("values are nested too deeply") }
        switch type.kind {
        case .null: return .null
        case .boolean: return .boolean(try avroBoolean())
        case .int: return .int(try avroInt())
        case .long: return .long(try avroLong())
        case .float: return .float(try avroFloat())
        case .double: return .double(try avroDouble())
        case .bytes: return .bytes(try avroBytes())
        case .string: return .string(try avroString())
        case .fixed(_, let size): return .fixed(Array(try take(size)))
        case .enumeration(_, let symbols): return .enumeration(symbols[try avroBranch(of: symbols.count)])
        case .array(let item):
            var items: [AvroValue] = []
            while case let count = try avroBlock(), count > 0 {
                for _ in 0..<count { items.append(try avroValue(item, in: schema, depth: depth + 1)) }
            }
            return .array(items)
        case .map(let item):
            var items: [AvroValue.Member] = []
            while case let count = try avroBlock(), count > 0 {
                for _ in 0..<count {
                    let key = try avroString()
                    items.append(AvroValue.Member(key, try avroValue(item, in: schema, depth: depth + 1)))
                }
            }
            return .map(items)
        case .union(let branches):
            return try avroValue(branches[try avroBranch(of: branches.count)], in: schema, depth: depth + 1)
        case .record(_, let fields):
            var members: [AvroValue.Member] = []
            for field in fields {
                members.append(AvroValue.Member(field.name, try avroValue(field.type, in: schema, depth: depth + 1)))
            }
            return .record(members)
        case .reference: return try avroValue(schema.resolve(type), in: schema, depth: depth + 1)
        }
    }
}

extension ByteWriter {
    /// Writes a value of `type`; in a union the first branch that can hold it is taken.
    ///
    /// Throws `.invalidInput`, code `avro_type_mismatch`, when the value is not of the type.
    public mutating func avroValue(_ value: AvroValue, _ type: AvroType, in schema: AvroSchema) throws(FirnError) {
        switch (type.kind, value) {
        case (.null, .null): break
        case (.boolean, .boolean(let v)): avroBoolean(v)
        case (.int, .int(let v)): avroInt(v)
        case (.long, .long(let v)): avroLong(v)
        case (.float, .float(let v)): avroFloat(v)
        case (.double, .double(let v)): avroDouble(v)
        case (.bytes, .bytes(let v)): avroBytes(v)
        case (.string, .string(let v)): avroString(v)
        case (.fixed(_, let size), .fixed(let v)) where v.count == size: raw(v)
        case (.enumeration(_, let symbols), .enumeration(let v)) where symbols.contains(v):
            zigzag(Int64(symbols.firstIndex(of: v)!))
        case (.array(let item), .array(let values)):
            if !values.isEmpty { zigzag(Int64(values.count)) }
            for value in values { try avroValue(value, item, in: schema) }
            zigzag(0)
        case (.map(let item), .map(let members)):
            if !members.isEmpty { zigzag(Int64(members.count)) }
            for member in members {
                avroString(member.key)
                try avroValue(member.value, item, in: schema)
            }
            zigzag(0)
        case (.union(let branches), _):
            guard let index = branches.firstIndex(where: { value.fits(schema.resolve($0)) }) else {
                throw Self.mismatch(value, type)
            }
            zigzag(Int64(index))
            try avroValue(value, branches[index], in: schema)
        case (.record(_, let fields), .record(let members)) where fields.count == members.count:
            for (field, member) in zip(fields, members) { try avroValue(member.value, field.type, in: schema) }
        case (.reference, _): try avroValue(value, schema.resolve(type), in: schema)
        default: throw Self.mismatch(value, type)
        }
    }

    private static func mismatch(_ value: AvroValue, _ type: AvroType) -> FirnError {
        FirnError(.invalidInput, "avro_type_mismatch", "the value \(value) is not of type \(type.json.text)")
    }
}

extension AvroValue {
    /// True when the outermost kind agrees, which is what tells the branches of a union apart.
    func fits(_ type: AvroType) -> Bool {
        switch (type.kind, self) {
        case (.null, .null), (.boolean, .boolean), (.int, .int), (.long, .long), (.float, .float), (.double, .double),
            (.bytes, .bytes), (.string, .string), (.array, .array), (.map, .map):
            true
        case (.fixed(_, let size), .fixed(let value)): value.count == size
        case (.enumeration(_, let symbols), .enumeration(let value)): symbols.contains(value)
        case (.record(_, let fields), .record(let members)): fields.map(\.name) == members.map(\.key)
        default: false
        }
    }
}
