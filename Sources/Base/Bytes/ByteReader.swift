/// Reads a binary format from bytes that nobody vouches for: every read is checked against the end.
///
/// Throws `FirnError` of kind `.corrupted` with `file` and `offset` in its context.
public struct ByteReader: Sendable {
    public let bytes: [UInt8]
    public private(set) var offset: Int
    public let end: Int
    /// Names the source in errors, usually a path.
    public let source: String

    public init(_ bytes: [UInt8], source: String) {
        self.init(bytes, range: 0..<bytes.count, source: source)
    }

    public init(_ bytes: [UInt8], range: Range<Int>, source: String) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        self.bytes = bytes
        self.offset = range.lowerBound
        self.end = range.upperBound
        self.source = source
    }

    public var remaining: Int { end - offset }
    public var isAtEnd: Bool { offset == end }

    public func corrupted(_ message: String) -> FirnError {
        FirnError(.corrupted, "malformed_file", message, context: ["file": source, "offset": String(offset)])
    }

    public mutating func byte() throws(FirnError) -> UInt8 {
        guard offset < end else { throw corrupted("unexpected end of data") }
        defer { offset += 1 }
        return bytes[offset]
    }

    public mutating func take(_ count: Int) throws(FirnError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else {
            throw corrupted("\(count) bytes wanted, \(remaining) left")
        }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }

    public mutating func skip(_ count: Int) throws(FirnError) { _ = try take(count) }

    public mutating func littleEndian<T: FixedWidthInteger>(_ type: T.Type) throws(FirnError) -> T {
        let size = MemoryLayout<T>.size
        guard size <= remaining else { throw corrupted("\(size) bytes wanted, \(remaining) left") }
        let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
        offset += size
        return T(littleEndian: value)
    }
    public mutating func bigEndian<T: FixedWidthInteger>(_ type: T.Type) throws(FirnError) -> T {
        try littleEndian(type).byteSwapped
    }

    public mutating func varint() throws(FirnError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || next <= 1 else { throw corrupted("variable-length integer passes 64 bits") }
            value |= UInt64(next & 0x7f) << shift
            if next & 0x80 == 0 { return value }
            shift += 7
        }
    }
    public mutating func zigzag() throws(FirnError) -> Int64 {
        let raw = try varint()
        return Int64(bitPattern: (raw >> 1) ^ (0 &- (raw & 1)))
    }

    /// UTF-8 text of `count` bytes; refuses invalid UTF-8.
    public mutating func utf8(_ count: Int) throws(FirnError) -> String {
        let slice = try take(count)
        guard let text = String(validating: slice, as: UTF8.self) else { throw corrupted("text is not valid UTF-8") }
        return text
    }
}
