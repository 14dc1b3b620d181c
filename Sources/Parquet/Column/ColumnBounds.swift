import Base
import Columnar

/// Least and greatest value seen, in the order that statistics use: signed for numbers, unsigned for bytes, signed
/// for decimals; never NaN.
///
/// Spec: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (ColumnOrder)
enum ColumnBounds: Sendable, Equatable {
    case empty
    /// boolean, int, date, long, time, timestamps, decimals of up to 18 digits.
    case integer(Int64, Int64)
    /// float and double.
    case real(Double, Double)
    /// Decimals of more than 18 digits.
    case wide(Int128, Int128)
    /// string, binary, fixed, uuid.
    case bytes([UInt8], [UInt8])

    mutating func merge(_ other: ColumnBounds) {
        switch (self, other) {
        case (_, .empty): break
        case (.empty, _): self = other
        case (.integer(let a, let b), .integer(let c, let d)): self = .integer(min(a, c), max(b, d))
        case (.real(let a, let b), .real(let c, let d)): self = .real(min(a, c), max(b, d))
        case (.wide(let a, let b), .wide(let c, let d)): self = .wide(min(a, c), max(b, d))
        case (.bytes(let a, let b), .bytes(let c, let d)):
            self = .bytes(
                c.lexicographicallyPrecedes(a) ? c : a, b.lexicographicallyPrecedes(d) ? d : b)
        default: preconditionFailure("bounds of different types")
        }
    }

    /// Widens byte bounds by one value without copying it unless it moves one of them.
    mutating func extend(_ value: UnsafeBufferPointer<UInt8>) {
        guard case .bytes(let low, let high) = self else {
            let only = Array(value)
            merge(.bytes(only, only))
            return
        }
        if value.lexicographicallyPrecedes(low) {
            self = .bytes(Array(value), high)
        } else if high.lexicographicallyPrecedes(value) {
            self = .bytes(low, Array(value))
        }
    }

    /// In PLAIN encoding for a column of this physical type; nil when empty.
    func encoded(_ element: ParquetFooter.SchemaElement) -> (low: [UInt8], high: [UInt8])? {
        switch self {
        case .empty: return nil
        case .bytes(let low, let high): return (low, high)
        case .integer(let low, let high):
            switch element.physicalType {
            case .boolean: return ([UInt8(low)], [UInt8(high)])
            case .int32: return (Self.bytes(Int32(low)), Self.bytes(Int32(high)))
            default: return (Self.bytes(low), Self.bytes(high))
            }
        case .real(let low, let high):
            // A zero may stand for either zero: the lower bound takes -0.0, the upper +0.0.
            let (low, high) = (low == 0 ? -0.0 : low, high == 0 ? 0.0 : high)
            if element.physicalType == .float {
                return (Self.bytes(Float(low).bitPattern), Self.bytes(Float(high).bitPattern))
            }
            return (Self.bytes(low.bitPattern), Self.bytes(high.bitPattern))
        case .wide(let low, let high):
            let width = element.typeLength ?? 16
            return (Self.decimal(low, width), Self.decimal(high, width))
        }
    }

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    private static func decimal(_ value: Int128, _ width: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: width)
        bytes.withUnsafeMutableBufferPointer { DecimalBytes.encode(value, width: width, to: $0.baseAddress!) }
        return bytes
    }

    /// As values of an Iceberg type; nil when empty.
    func values(_ type: DataType) -> (low: Value, high: Value)? {
        switch self {
        case .empty: return nil
        case .integer(let low, let high): return (Self.value(low, type), Self.value(high, type))
        case .real(let low, let high):
            let (low, high) = (low == 0 ? -0.0 : low, high == 0 ? 0.0 : high)
            if type == .float { return (.float(Float(low)), .float(Float(high))) }
            return (.double(low), .double(high))
        case .wide(let low, let high):
            guard case .decimal(_, let scale) = type else { return nil }
            return (.decimal(low, scale: scale), .decimal(high, scale: scale))
        case .bytes(let low, let high): return (Self.value(low, type), Self.value(high, type))
        }
    }

    private static func value(_ number: Int64, _ type: DataType) -> Value {
        switch type {
        case .boolean: .boolean(number != 0)
        case .int: .int(Int32(truncatingIfNeeded: number))
        case .date: .date(Int32(truncatingIfNeeded: number))
        case .time: .time(number)
        case .timestamp: .timestamp(number)
        case .timestamptz: .timestamptz(number)
        case .timestampNs: .timestampNs(number)
        case .timestamptzNs: .timestamptzNs(number)
        case .decimal(_, let scale): .decimal(Int128(number), scale: scale)
        default: .long(number)
        }
    }

    private static func value(_ bytes: [UInt8], _ type: DataType) -> Value {
        switch type {
        case .string: .string(String(decoding: bytes, as: UTF8.self))
        case .uuid where bytes.count == 16: .uuid(UUID(bytes: bytes))
        default: .binary(bytes)
        }
    }
}

/// Cuts byte bounds so that they still enclose every value.
enum BoundTruncation {
    /// A prefix of at most `limit` bytes, whole code points for text. Never greater than `bytes`.
    static func lower(_ bytes: [UInt8], limit: Int, isText: Bool) -> [UInt8] {
        guard bytes.count > limit else { return bytes }
        return Array(bytes[..<cut(bytes, limit, isText)])
    }

    /// A prefix with its last code point or byte incremented, so never less than `bytes`; nil when nothing can be
    /// incremented.
    static func upper(_ bytes: [UInt8], limit: Int, isText: Bool) -> [UInt8]? {
        guard bytes.count > limit else { return bytes }
        var prefix = Array(bytes[..<cut(bytes, limit, isText)])
        if isText {
            guard var text = String(validating: prefix, as: UTF8.self)?.unicodeScalars else { return nil }
            while let last = text.popLast() {
                // The surrogates are no code points: past D7FF comes E000.
                let next = last.value == 0xd7ff ? 0xe000 : last.value + 1
                if let scalar = Unicode.Scalar(next) {
                    text.append(scalar)
                    return Array(String(text).utf8)
                }
            }
            return nil
        }
        while let last = prefix.popLast() {
            if last < 0xff { return prefix + [last + 1] }
        }
        return nil
    }

    private static func cut(_ bytes: [UInt8], _ limit: Int, _ isText: Bool) -> Int {
        var end = limit
        while isText && end > 0 && bytes[end] & 0xc0 == 0x80 { end -= 1 }
        return end
    }
}

extension ColumnBounds {
    /// Both byte bounds cut to `limit` bytes, and whether each is still a value of the column. A bound that cannot be
    /// cut stays whole.
    func truncated(limit: Int, isText: Bool) -> (bounds: ColumnBounds, isLowExact: Bool, isHighExact: Bool) {
        guard case .bytes(let low, let high) = self else { return (self, true, true) }
        let cutLow = BoundTruncation.lower(low, limit: limit, isText: isText)
        let cutHigh = BoundTruncation.upper(high, limit: limit, isText: isText) ?? high
        return (.bytes(cutLow, cutHigh), cutLow.count == low.count, cutHigh == high)
    }

    /// True when both bounds of `self` are not above those of `next`.
    func precedes(_ next: ColumnBounds) -> Bool {
        switch (self, next) {
        case (.integer(let a, let b), .integer(let c, let d)): a <= c && b <= d
        case (.real(let a, let b), .real(let c, let d)): a <= c && b <= d
        case (.wide(let a, let b), .wide(let c, let d)): a <= c && b <= d
        case (.bytes(let a, let b), .bytes(let c, let d)):
            !c.lexicographicallyPrecedes(a) && !d.lexicographicallyPrecedes(b)
        default: false
        }
    }
}
