import Base
import Columnar

extension BloomFilter {
    /// The hash by which a column chunk would know `value`, the literal of a comparison; nil when it has none, and a
    /// filter cannot decide.
    ///
    /// The file's column may be narrower than the literal's type (int under long, float under double, milliseconds
    /// under microseconds). There is no hash for booleans and INT96, for decimals in byte arrays, which need not be
    /// minimal, for NaN, and for zero among floats, which stands for both zeros.
    static func hash(_ value: Value, in leaf: SchemaLeaf) -> UInt64? {
        switch leaf.element.physicalType {
        case .int32: integer(value, in: leaf).flatMap { int32($0, in: leaf) }.map(hash)
        case .int64: integer(value, in: leaf).flatMap { int64($0, in: leaf) }.map(hash)
        case .float: float(value).map { hash($0.bitPattern) }
        case .double: double(value).map { hash($0.bitPattern) }
        case .byteArray: leaf.decimal == nil ? bytes(value).map { hash($0) } : nil
        case .fixedLenByteArray: fixed(value, in: leaf).map { hash($0) }
        case .boolean, .int96, nil: nil
        }
    }

    /// The literal in the unit of the file's column.
    private static func integer(_ value: Value, in leaf: SchemaLeaf) -> Int128? {
        // A timestamp column that was a date when the file was written: the filter is over days.
        if leaf.dataType == .date, case .date = value {} else if leaf.dataType == .date { return nil }
        switch value {
        case .int(let v): return leaf.decimal == nil ? Int128(v) : nil
        case .long(let v): return leaf.decimal == nil ? Int128(v) : nil
        case .date(let v): return Int128(v)
        case .time(let v), .timestamp(let v), .timestamptz(let v):
            switch leaf.timeUnit {
            case .micros: return Int128(v)
            case .millis: return v % 1000 == 0 ? Int128(v / 1000) : nil
            // A microsecond stands for a thousand stored values.
            case .nanos: return nil
            }
        case .timestampNs(let v), .timestamptzNs(let v):
            let unit: Int64 =
                switch leaf.timeUnit {
                case .nanos: 1
                case .micros: 1000
                case .millis: 1_000_000
                }
            return v % unit == 0 ? Int128(v / unit) : nil
        case .decimal(let v, let scale):
            let isUnsigned = leaf.decimal == nil && !leaf.isSigned
            return leaf.decimal?.scale == scale || isUnsigned && scale == 0 ? v : nil
        default: return nil
        }
    }

    private static func int32(_ value: Int128, in leaf: SchemaLeaf) -> UInt32? {
        leaf.isSigned ? Int32(exactly: value).map { UInt32(bitPattern: $0) } : UInt32(exactly: value)
    }

    private static func int64(_ value: Int128, in leaf: SchemaLeaf) -> UInt64? {
        leaf.isSigned ? Int64(exactly: value).map { UInt64(bitPattern: $0) } : UInt64(exactly: value)
    }

    private static func float(_ value: Value) -> Float? {
        switch value {
        case .float(let v): v.isNaN || v == 0 ? nil : v
        case .double(let v): v == 0 ? nil : Float(exactly: v)
        default: nil
        }
    }

    private static func double(_ value: Value) -> Double? {
        switch value {
        case .float(let v): v.isNaN || v == 0 ? nil : Double(v)
        case .double(let v): v.isNaN || v == 0 ? nil : v
        default: nil
        }
    }

    private static func bytes(_ value: Value) -> [UInt8]? {
        switch value {
        case .string(let v): Array(v.utf8)
        case .binary(let v): v
        default: nil
        }
    }

    private static func fixed(_ value: Value, in leaf: SchemaLeaf) -> [UInt8]? {
        guard let width = leaf.element.typeLength, width > 0 else { return nil }
        switch value {
        case .uuid(let v): return width == 16 ? Array(v.bytes) : nil
        case .binary(let v): return v.count == width ? v : nil
        case .decimal(let v, let scale):
            guard leaf.decimal?.scale == scale, width <= 16 else { return nil }
            var bytes = [UInt8](repeating: 0, count: width)
            bytes.withUnsafeMutableBufferPointer { DecimalBytes.encode(v, width: width, to: $0.baseAddress!) }
            let whole = bytes.withUnsafeBufferPointer { DecimalBytes.decode($0) }
            return whole == v ? bytes : nil
        default: return nil
        }
    }
}
