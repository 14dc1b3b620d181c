import Base

/// A value that is neither array nor object. Bytes lie in what is being read.
public enum VariantScalar {
    case null
    case boolean(Bool)
    case integer(Int64, bytes: Int)
    case float(Float)
    case double(Double)
    case decimal(Int128, scale: Int, bytes: Int)
    case date(Int32)
    case time(Int64)
    case timestamp(Int64)
    case timestamptz(Int64)
    case timestampNs(Int64)
    case timestamptzNs(Int64)
    case binary(UnsafeBufferPointer<UInt8>)
    case string(UnsafeBufferPointer<UInt8>)
    case uuid(UUID)

    var item: VariantItem {
        switch self {
        case .null: .null
        case .boolean(let v): .boolean(v)
        case .integer(let v, let bytes): .integer(v, bytes: bytes)
        case .float(let v): .float(v)
        case .double(let v): .double(v)
        case .decimal(let v, let scale, let bytes): .decimal(v, scale: scale, bytes: bytes)
        case .date(let v): .date(v)
        case .time(let v): .time(v)
        case .timestamp(let v): .timestamp(v)
        case .timestamptz(let v): .timestamptz(v)
        case .timestampNs(let v): .timestampNs(v)
        case .timestamptzNs(let v): .timestamptzNs(v)
        case .binary(let v): .binary(Array(v))
        case .string(let v): .string(Array(v))
        case .uuid(let v): .uuid(v)
        }
    }
}

/// Takes the parts of a variant in order; a name comes before its field's value.
protocol VariantSink {
    mutating func scalar(_ value: VariantScalar)
    mutating func openArray(_ count: Int)
    mutating func closeArray()
    mutating func openObject(_ count: Int)
    mutating func name(_ utf8: UnsafeBufferPointer<UInt8>)
    mutating func closeObject()
}

/// Reads the Variant encoding, trusting none of its bytes.
///
/// 1. Every position is checked against the bytes that there are, every name and string for UTF-8.
/// 2. Arrays and objects nest to a bounded depth.
/// 3. Elements are found by offsets, which could lead several of them to the same bytes and so unfold few bytes into
///    any number of values; a value takes at least one byte, so as many values as there are bytes may be read.
///
/// Format: https://github.com/apache/parquet-format/blob/master/VariantEncoding.md
public struct VariantReader {
    private let value: UnsafeBufferPointer<UInt8>
    private let names: VariantNames
    private var budget: Int

    static func read(
        metadata: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, into sink: inout some VariantSink
    ) throws(FirnError) {
        var reader = VariantReader(value: value, names: try VariantNames(metadata), budget: value.count)
        try reader.read(at: 0, depth: 0, &sink)
    }

    /// Throws `.corrupted` (`bad_variant`) unless the bytes are a variant.
    public static func check(
        metadata: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>
    ) throws(FirnError) {
        var sink = NothingSink()
        try read(metadata: metadata, value: value, into: &sink)
    }

    private struct NothingSink: VariantSink {
        mutating func scalar(_ value: VariantScalar) {}
        mutating func openArray(_ count: Int) {}
        mutating func closeArray() {}
        mutating func openObject(_ count: Int) {}
        mutating func name(_ utf8: UnsafeBufferPointer<UInt8>) {}
        mutating func closeObject() {}
    }

    static func bad(_ message: String) -> FirnError { FirnError(.corrupted, "bad_variant", "a variant \(message)") }

    private func bytes(_ at: Int, _ count: Int) throws(FirnError) -> UnsafeBufferPointer<UInt8> {
        guard at >= 0, count >= 0, at <= value.count, count <= value.count - at else { throw Self.bad("ends early") }
        return UnsafeBufferPointer(rebasing: value[at..<at + count])
    }

    private func word(_ at: Int, _ count: Int) throws(FirnError) -> Int {
        let bytes = try bytes(at, count)
        var word = 0
        for index in 0..<count { word |= Int(bytes[index]) << (8 * index) }
        return word
    }

    private func number<T: FixedWidthInteger>(_ at: Int, _ type: T.Type) throws(FirnError) -> T {
        UnsafeRawBufferPointer(try bytes(at, MemoryLayout<T>.size)).loadUnaligned(as: T.self).littleEndianValue
    }

    private mutating func read(at: Int, depth: Int, _ sink: inout some VariantSink) throws(FirnError) {
        guard depth < Limits.nestingDepthMax else { throw Self.bad("nests deeper than \(Limits.nestingDepthMax)") }
        budget -= 1
        guard budget >= 0 else { throw Self.bad("holds overlapping values") }
        let header = try bytes(at, 1)[0]
        let rest = Int(header >> 2)
        switch header & 3 {
        case 0: sink.scalar(try primitive(rest, at + 1))
        case 1: sink.scalar(.string(try text(at + 1, rest)))
        case 2: try object(rest, at + 1, depth, &sink)
        default: try array(rest, at + 1, depth, &sink)
        }
    }

    // MARK: - Nested values

    private mutating func array(
        _ header: Int, _ start: Int, _ depth: Int, _ sink: inout some VariantSink
    ) throws(FirnError) {
        let offsetBytes = header & 3 + 1
        let countBytes = header & 4 == 0 ? 1 : 4
        let count = try self.count(start, countBytes)
        let offsets = start + countBytes
        let data = offsets + (count + 1) * offsetBytes
        sink.openArray(count)
        for index in 0..<count {
            let offset = try word(offsets + index * offsetBytes, offsetBytes)
            try read(at: data + offset, depth: depth + 1, &sink)
        }
        sink.closeArray()
    }

    private mutating func object(
        _ header: Int, _ start: Int, _ depth: Int, _ sink: inout some VariantSink
    ) throws(FirnError) {
        let offsetBytes = header & 3 + 1
        let idBytes = header >> 2 & 3 + 1
        let countBytes = header & 16 == 0 ? 1 : 4
        let count = try self.count(start, countBytes)
        let ids = start + countBytes
        let offsets = ids + count * idBytes
        let data = offsets + (count + 1) * offsetBytes
        sink.openObject(count)
        for index in 0..<count {
            sink.name(try names.name(try word(ids + index * idBytes, idBytes)))
            let offset = try word(offsets + index * offsetBytes, offsetBytes)
            try read(at: data + offset, depth: depth + 1, &sink)
        }
        sink.closeObject()
    }

    /// A number of elements; each has an offset at least.
    private func count(_ at: Int, _ size: Int) throws(FirnError) -> Int {
        let count = try word(at, size)
        guard count < value.count else { throw Self.bad("claims \(count) elements") }
        return count
    }

    // MARK: - Primitive values

    private func text(_ at: Int, _ count: Int) throws(FirnError) -> UnsafeBufferPointer<UInt8> {
        let text = try bytes(at, count)
        guard VariantNames.isUTF8(text) else { throw Self.bad("holds a string that is not UTF-8") }
        return text
    }

    private func primitive(_ type: Int, _ at: Int) throws(FirnError) -> VariantScalar {
        switch type {
        case 0: return .null
        case 1: return .boolean(true)
        case 2: return .boolean(false)
        case 3: return .integer(Int64(try number(at, Int8.self)), bytes: 1)
        case 4: return .integer(Int64(try number(at, Int16.self)), bytes: 2)
        case 5: return .integer(Int64(try number(at, Int32.self)), bytes: 4)
        case 6: return .integer(try number(at, Int64.self), bytes: 8)
        case 7: return .double(Double(bitPattern: try number(at, UInt64.self)))
        case 8: return try decimal(at, Int128(try number(at + 1, Int32.self)), 4, digits: 9)
        case 9: return try decimal(at, Int128(try number(at + 1, Int64.self)), 8, digits: 18)
        case 10: return try decimal(at, try number(at + 1, Int128.self), 16, digits: 38)
        case 11: return .date(try number(at, Int32.self))
        case 12: return .timestamptz(try number(at, Int64.self))
        case 13: return .timestamp(try number(at, Int64.self))
        case 14: return .float(Float(bitPattern: try number(at, UInt32.self)))
        case 15: return .binary(try bytes(at + 4, try word(at, 4)))
        case 16: return .string(try text(at + 4, try word(at, 4)))
        case 17:
            let micros = try number(at, Int64.self)
            guard (0..<CivilTime.microsPerDay).contains(micros) else { throw Self.bad("holds a time past midnight") }
            return .time(micros)
        case 18: return .timestamptzNs(try number(at, Int64.self))
        case 19: return .timestampNs(try number(at, Int64.self))
        case 20: return .uuid(UUID(bytes: try bytes(at, 16)))
        default: throw Self.bad("is of the unknown type \(type)")
        }
    }

    private func decimal(
        _ at: Int, _ unscaled: Int128, _ count: Int, digits: Int
    ) throws(FirnError) -> VariantScalar {
        let scale = Int(try bytes(at, 1)[0])
        guard scale <= 38 else { throw Self.bad("holds a decimal of scale \(scale)") }
        return .decimal(unscaled, scale: scale, bytes: count)
    }
}

extension FixedWidthInteger {
    fileprivate var littleEndianValue: Self { Self(littleEndian: self) }
}

/// The names in a variant's metadata.
struct VariantNames {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let offsetBytes: Int
    let count: Int

    init(_ bytes: UnsafeBufferPointer<UInt8>) throws(FirnError) {
        guard let header = bytes.first, header & 15 == 1 else {
            throw VariantReader.bad("has metadata of an unknown version")
        }
        offsetBytes = Int(header >> 6) + 1
        guard bytes.count > offsetBytes else { throw VariantReader.bad("has metadata that ends early") }
        count = Self.word(bytes, 1, offsetBytes)
        guard count < bytes.count, 1 + (count + 2) * offsetBytes <= bytes.count else {
            throw VariantReader.bad("claims \(count) names")
        }
        self.bytes = bytes
    }

    func name(_ id: Int) throws(FirnError) -> UnsafeBufferPointer<UInt8> {
        guard id < count else { throw VariantReader.bad("refers to name \(id) of \(count)") }
        let place = 1 + (id + 1) * offsetBytes
        let names = 1 + (count + 2) * offsetBytes
        let start = Self.word(bytes, place, offsetBytes)
        let end = Self.word(bytes, place + offsetBytes, offsetBytes)
        guard start <= end, end <= bytes.count - names else {
            throw VariantReader.bad("has a name out of its metadata")
        }
        let name = UnsafeBufferPointer(rebasing: bytes[names + start..<names + end])
        guard Self.isUTF8(name) else { throw VariantReader.bad("has a name that is not UTF-8") }
        return name
    }

    /// Precondition: the bytes are there.
    private static func word(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int, _ count: Int) -> Int {
        (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
    }

    static func isUTF8(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        if text.allSatisfy({ $0 < 0x80 }) { return true }
        return String(validating: text, as: UTF8.self) != nil
    }
}
