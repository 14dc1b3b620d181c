import Base

/// Wire types of Thrift's compact protocol.
///
/// Spec: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
enum CompactType: UInt8 {
    case stop = 0
    case booleanTrue = 1
    case booleanFalse = 2
    case int8 = 3
    case int16 = 4
    case int32 = 5
    case int64 = 6
    case double = 7
    case binary = 8
    case list = 9
    case set = 10
    case map = 11
    case structure = 12
    case uuid = 13
}

/// Reads Thrift's compact protocol from bytes that nobody vouches for.
///
/// Every length is compared with the bytes left before it is used, so that no allocation passes the input's size by
/// more than a constant factor; nesting is bounded. Throws `.corrupted` (`malformed_parquet`) with `file` and `offset`.
struct CompactReader {
    let bytes: [UInt8]
    private(set) var offset: Int
    let end: Int
    let source: String
    /// Position of `bytes[0]` in the file, for messages.
    let base: Int

    init(_ bytes: [UInt8], range: Range<Int>, source: String, base: Int) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
        self.source = source
        self.base = base
    }

    struct FieldHeader {
        let id: Int
        let type: CompactType
    }

    var remaining: Int { end - offset }

    func corrupted(_ message: String) -> FirnError {
        FirnError(
            .corrupted, "malformed_parquet", message, context: ["file": source, "offset": String(base + offset)])
    }

    mutating func byte() throws(FirnError) -> UInt8 {
        guard offset < end else { throw corrupted("metadata ends early") }
        let value = bytes[offset]
        offset += 1
        return value
    }

    private mutating func varint() throws(FirnError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || next <= 1 else { throw corrupted("a metadata integer passes 64 bits") }
            value |= UInt64(next & 0x7f) << shift
            if next & 0x80 == 0 { return value }
            shift += 7
        }
    }

    mutating func zigzag() throws(FirnError) -> Int64 {
        let raw = try varint()
        return Int64(bitPattern: (raw >> 1) ^ (0 &- (raw & 1)))
    }

    private mutating func type(_ raw: UInt8) throws(FirnError) -> CompactType {
        guard let type = CompactType(rawValue: raw) else { throw corrupted("unknown metadata type \(raw)") }
        return type
    }

    /// The next field of the struct being read, nil at its end. `last` is the caller's, 0 at the struct's start.
    mutating func nextField(_ last: inout Int) throws(FirnError) -> FieldHeader? {
        let header = try byte()
        let type = try type(header & 0x0f)
        if type == .stop { return nil }
        let delta = Int(header >> 4)
        let id: Int
        if delta == 0 {
            let wide = try zigzag()
            guard let narrow = Int16(exactly: wide) else { throw corrupted("field id \(wide) passes 16 bits") }
            id = Int(narrow)
        } else {
            id = last + delta
            guard id <= Int(Int16.max) else { throw corrupted("field id \(id) passes 16 bits") }
        }
        last = id
        return FieldHeader(id: id, type: type)
    }

    func expect(_ field: FieldHeader, _ type: CompactType) throws(FirnError) {
        guard field.type == type else { throw corrupted("metadata field \(field.id) has the wrong type") }
    }

    func boolean(_ field: FieldHeader) throws(FirnError) -> Bool {
        switch field.type {
        case .booleanTrue: return true
        case .booleanFalse: return false
        default: throw corrupted("metadata field \(field.id) has the wrong type")
        }
    }

    mutating func int8(_ field: FieldHeader) throws(FirnError) -> Int {
        try expect(field, .int8)
        return Int(Int8(bitPattern: try byte()))
    }

    mutating func int16(_ field: FieldHeader) throws(FirnError) -> Int {
        try expect(field, .int16)
        let wide = try zigzag()
        guard let value = Int16(exactly: wide) else { throw corrupted("the number \(wide) passes 16 bits") }
        return Int(value)
    }

    mutating func int32(_ field: FieldHeader) throws(FirnError) -> Int32 {
        try expect(field, .int32)
        return try int32()
    }

    mutating func int32() throws(FirnError) -> Int32 {
        let wide = try zigzag()
        guard let value = Int32(exactly: wide) else { throw corrupted("the number \(wide) passes 32 bits") }
        return value
    }

    mutating func int64(_ field: FieldHeader) throws(FirnError) -> Int {
        try expect(field, .int64)
        return Int(try zigzag())
    }

    /// A 64-bit number that must not be negative: a count, size or offset.
    mutating func size(_ field: FieldHeader) throws(FirnError) -> Int {
        let value = try int64(field)
        guard value >= 0 else { throw corrupted("negative size or offset \(value)") }
        return value
    }

    /// A 32-bit number that must not be negative.
    mutating func size32(_ field: FieldHeader) throws(FirnError) -> Int {
        let value = try int32(field)
        guard value >= 0 else { throw corrupted("negative size or count \(value)") }
        return Int(value)
    }

    mutating func binary(_ field: FieldHeader) throws(FirnError) -> [UInt8] {
        try expect(field, .binary)
        return Array(try binary())
    }

    mutating func binary() throws(FirnError) -> ArraySlice<UInt8> {
        let count = try varint()
        guard count <= UInt64(remaining) else { throw corrupted("\(count) bytes wanted, \(remaining) left") }
        defer { offset += Int(count) }
        return bytes[offset..<offset + Int(count)]
    }

    mutating func string(_ field: FieldHeader) throws(FirnError) -> String {
        try expect(field, .binary)
        return try string()
    }

    mutating func string() throws(FirnError) -> String {
        let slice = try binary()
        guard let text = String(validating: slice, as: UTF8.self) else { throw corrupted("a name is not valid UTF-8") }
        return text
    }

    /// Count of a list whose elements have this type. Every element takes at least one byte, so the count is bounded
    /// by the bytes left.
    mutating func listCount(_ field: FieldHeader, of element: CompactType) throws(FirnError) -> Int {
        try expect(field, .list)
        let (count, type) = try listHeader()
        guard count == 0 || type == element else { throw corrupted("a metadata list has the wrong element type") }
        return count
    }

    mutating func listHeader() throws(FirnError) -> (Int, CompactType) {
        let header = try byte()
        let type = try type(header & 0x0f)
        var count = UInt64(header >> 4)
        if count == 15 { count = try varint() }
        guard count <= UInt64(remaining) else {
            throw corrupted("a metadata list of \(count) elements in \(remaining) bytes")
        }
        return (Int(count), type)
    }

    /// A list of 64-bit counts, none of them negative.
    mutating func sizes(_ field: FieldHeader) throws(FirnError) -> [Int] {
        let count = try listCount(field, of: .int64)
        var values: [Int] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            let value = try zigzag()
            guard value >= 0 else { throw corrupted("negative size or count \(value)") }
            values.append(Int(value))
        }
        return values
    }

    mutating func skip(_ field: FieldHeader, depth: Int = 0) throws(FirnError) {
        switch field.type {
        case .booleanTrue, .booleanFalse: break
        default: try skip(field.type, depth: depth)
        }
    }

    private mutating func skip(_ type: CompactType, depth: Int) throws(FirnError) {
        guard depth < ParquetLimits.depthMax else { throw corrupted("metadata is nested too deeply") }
        switch type {
        case .stop: throw corrupted("a metadata value without a type")
        case .booleanTrue, .booleanFalse, .int8: _ = try byte()
        case .int16, .int32, .int64: _ = try varint()
        case .double: try advance(8)
        case .uuid: try advance(16)
        case .binary: _ = try binary()
        case .list, .set:
            let (count, element) = try listHeader()
            for _ in 0..<count { try skip(element, depth: depth + 1) }
        case .map:
            let count = try varint()
            guard count <= UInt64(remaining) else { throw corrupted("a metadata map of \(count) entries") }
            if count == 0 { return }
            let types = try byte()
            let key = try self.type(types >> 4)
            let value = try self.type(types & 0x0f)
            for _ in 0..<count {
                try skip(key, depth: depth + 1)
                try skip(value, depth: depth + 1)
            }
        case .structure:
            var last = 0
            while let field = try nextField(&last) { try skip(field, depth: depth + 1) }
        }
    }

    private mutating func advance(_ count: Int) throws(FirnError) {
        guard count <= remaining else { throw corrupted("metadata ends early") }
        offset += count
    }
}
