import Base

/// The binary encoding of single values, on top of `ByteReader` and `ByteWriter`.
///
/// Ints and longs are zigzag variable-length; bytes and text carry their length; arrays and maps come in blocks.
/// Format: https://avro.apache.org/docs/1.11.1/specification/#binary-encoding
extension ByteReader {
    public mutating func avroBoolean() throws(FirnError) -> Bool {
        switch try byte() {
        case 0: return false
        case 1: return true
        default: throw corrupted("a boolean is neither 0 nor 1")
        }
    }

    public mutating func avroInt() throws(FirnError) -> Int32 {
        guard let value = Int32(exactly: try zigzag()) else { throw corrupted("an int passes 32 bits") }
        return value
    }

    public mutating func avroLong() throws(FirnError) -> Int64 { try zigzag() }

    public mutating func avroFloat() throws(FirnError) -> Float {
        Float(bitPattern: try littleEndian(UInt32.self))
    }

    public mutating func avroDouble() throws(FirnError) -> Double {
        Double(bitPattern: try littleEndian(UInt64.self))
    }

    public mutating func avroLength() throws(FirnError) -> Int {
        let length = try zigzag()
        guard length >= 0, length <= Int64(remaining) else { throw corrupted("a length of \(length) passes the end") }
        return Int(length)
    }

    public mutating func avroBytes() throws(FirnError) -> [UInt8] { Array(try take(try avroLength())) }
    public mutating func avroString() throws(FirnError) -> String { try utf8(try avroLength()) }

    /// Number of items in the next block of an array or map; 0 ends it.
    ///
    /// Every block must fit the bytes that are left, at one byte an item; items without bytes (null) are bounded by
    /// that as well.
    public mutating func avroBlock() throws(FirnError) -> Int {
        var count = try zigzag()
        if count < 0 {
            guard count != .min else { throw corrupted("a block of \(count) items") }
            count = -count
            let bytes = try zigzag()
            guard bytes >= 0, bytes <= Int64(remaining) else { throw corrupted("a block of \(bytes) bytes") }
        }
        guard count <= Int64(remaining) else { throw corrupted("a block of \(count) items passes the end") }
        return Int(count)
    }

    /// The index of a union's branch, below `count`.
    public mutating func avroBranch(of count: Int) throws(FirnError) -> Int {
        let index = try zigzag()
        guard index >= 0, index < Int64(count) else { throw corrupted("a union has no branch \(index)") }
        return Int(index)
    }

    /// Skips a value of any type.
    public mutating func avroSkip(_ type: AvroType, in schema: AvroSchema, depth: Int = 0) throws(FirnError) {
        guard depth <= Limits.nestingDepthMax else { throw corrupted("values are nested too deeply") }
        switch type.kind {
        case .null: break
        case .boolean: try skip(1)
        case .int, .long: _ = try zigzag()
        case .enumeration: _ = try zigzag()
        case .float: try skip(4)
        case .double: try skip(8)
        case .bytes, .string: try skip(try avroLength())
        case .fixed(_, let size): try skip(size)
        case .array(let item):
            while case let count = try avroBlock(), count > 0 {
                for _ in 0..<count { try avroSkip(item, in: schema, depth: depth + 1) }
            }
        case .map(let item):
            while case let count = try avroBlock(), count > 0 {
                for _ in 0..<count {
                    try skip(try avroLength())
                    try avroSkip(item, in: schema, depth: depth + 1)
                }
            }
        case .union(let branches):
            try avroSkip(branches[try avroBranch(of: branches.count)], in: schema, depth: depth + 1)
        case .record(_, let fields):
            for field in fields { try avroSkip(field.type, in: schema, depth: depth + 1) }
        case .reference: try avroSkip(schema.resolve(type), in: schema, depth: depth + 1)
        }
    }
}

extension ByteWriter {
    public mutating func avroBoolean(_ value: Bool) { byte(value ? 1 : 0) }
    public mutating func avroInt(_ value: Int32) { zigzag(Int64(value)) }
    public mutating func avroLong(_ value: Int64) { zigzag(value) }
    public mutating func avroFloat(_ value: Float) { littleEndian(value.bitPattern) }
    public mutating func avroDouble(_ value: Double) { littleEndian(value.bitPattern) }

    public mutating func avroBytes(_ value: some Collection<UInt8>) {
        zigzag(Int64(value.count))
        raw(value)
    }

    public mutating func avroString(_ value: String) { avroBytes(value.utf8) }
}
