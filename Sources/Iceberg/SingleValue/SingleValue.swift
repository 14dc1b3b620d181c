import Base
import Columnar

/// The binary form of single values in bounds and partition summaries.
///
/// Spec: https://iceberg.apache.org/spec/#binary-single-value-serialization
public enum SingleValue {
    /// The bytes of a primitive value; nil for null and nested values.
    public static func encode(_ value: Value) -> [UInt8]? {
        var writer = ByteWriter(capacity: 16)
        switch value {
        case .boolean(let v): writer.byte(v ? 1 : 0)
        case .int(let v), .date(let v): writer.littleEndian(v)
        case .long(let v), .time(let v), .timestamp(let v), .timestamptz(let v), .timestampNs(let v),
            .timestamptzNs(let v):
            writer.littleEndian(v)
        case .float(let v): writer.littleEndian(v.bitPattern)
        case .double(let v): writer.littleEndian(v.bitPattern)
        case .decimal(let unscaled, _): return bigEndian(unscaled)
        case .string(let v): return Array(v.utf8)
        case .uuid(let v): return v.bytes
        case .binary(let v): return v
        case .null, .structure, .list, .map: return nil
        }
        return writer.bytes
    }

    /// The value of a primitive type; nil when the bytes do not fit the type.
    ///
    /// Four bytes are taken for a long, double or timestamp, since bounds stay as written when a column's type is
    /// promoted.
    public static func decode(_ bytes: [UInt8], _ type: DataType) -> Value? {
        switch type {
        case .boolean: return bytes.count == 1 ? .boolean(bytes[0] != 0) : nil
        case .int: return integer(bytes, Int32.self).map { .int($0) }
        case .date: return integer(bytes, Int32.self).map { .date($0) }
        case .long: return wide(bytes).map { .long($0) }
        case .time: return integer(bytes, Int64.self).map { .time($0) }
        case .timestamp: return instant(bytes, unitsPerDay: 86_400_000_000).map { .timestamp($0) }
        case .timestamptz: return integer(bytes, Int64.self).map { .timestamptz($0) }
        case .timestampNs: return instant(bytes, unitsPerDay: 86_400_000_000_000).map { .timestampNs($0) }
        case .timestamptzNs: return integer(bytes, Int64.self).map { .timestamptzNs($0) }
        case .float: return integer(bytes, UInt32.self).map { .float(Float(bitPattern: $0)) }
        case .double:
            if bytes.count == 4 { return integer(bytes, UInt32.self).map { .double(Double(Float(bitPattern: $0))) } }
            return integer(bytes, UInt64.self).map { .double(Double(bitPattern: $0)) }
        case .decimal(_, let scale): return decimal(bytes).map { .decimal($0, scale: scale) }
        case .string:
            // Another writer's cut in the middle of a code point: no bound is better than a repaired, narrower one.
            return String(validating: bytes, as: UTF8.self).map { .string($0) }
        case .uuid: return bytes.count == 16 ? .uuid(UUID(bytes: bytes)) : nil
        case .fixed, .binary: return .binary(bytes)
        case .structure, .list, .map, .variant, .unknown: return nil
        }
    }

    /// Two's complement, most significant byte first, as few bytes as hold the value.
    public static func bigEndian(_ unscaled: Int128) -> [UInt8] {
        var bytes = withUnsafeBytes(of: unscaled.bigEndian) { Array($0) }
        while bytes.count > 1,
            bytes[0] == 0 && bytes[1] & 0x80 == 0 || bytes[0] == 0xff && bytes[1] & 0x80 != 0
        {
            bytes.removeFirst()
        }
        return bytes
    }

    /// Reads two's complement of 1 to 16 bytes, most significant first; nil for other lengths.
    public static func decimal(_ bytes: some Collection<UInt8>) -> Int128? {
        guard let first = bytes.first, bytes.count <= 16 else { return nil }
        return bytes.reduce(first & 0x80 == 0 ? 0 : -1) { $0 << 8 | Int128($1) }
    }

    private static func integer<T: FixedWidthInteger>(_ bytes: [UInt8], _ type: T.Type) -> T? {
        guard bytes.count == MemoryLayout<T>.size else { return nil }
        return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(as: T.self)) }
    }

    /// Four bytes are days: the column was a date.
    private static func instant(_ bytes: [UInt8], unitsPerDay: Int64) -> Int64? {
        guard bytes.count == 4 else { return integer(bytes, Int64.self) }
        return integer(bytes, Int32.self).flatMap {
            let (value, overflow) = Int64($0).multipliedReportingOverflow(by: unitsPerDay)
            return overflow ? nil : value
        }
    }

    private static func wide(_ bytes: [UInt8]) -> Int64? {
        if bytes.count == 4 { return integer(bytes, Int32.self).map(Int64.init) }
        return integer(bytes, Int64.self)
    }
}
