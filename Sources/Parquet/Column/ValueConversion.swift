import Base
import Columnar

/// Turns decoded physical values into the storage of an Iceberg type, promoting where the type has been widened since
/// the file was written.
///
/// Spec: https://iceberg.apache.org/spec/#schema-evolution (type promotion)
enum ValueConversion {
    /// True when values of this column can stand in a column of this type.
    static func isReadable(_ leaf: SchemaLeaf, as type: DataType) -> Bool {
        if leaf.element.logicalType == .null { return true }
        guard let stored = leaf.dataType else { return false }
        if stored == type { return true }
        // Files of before the annotations say less than the table's schema does.
        let isUnannotated = leaf.element.logicalType == nil
        switch (stored, type) {
        case (.int, .long), (.float, .double): return true
        case (.decimal(let precision, let scale), .decimal(let wider, let wanted)):
            return scale == wanted && precision <= wider
        case (.timestamp, .timestamptz), (.timestamptz, .timestamp): return isUnannotated
        // Files of other writers may be finer than the table: rounded down to microseconds.
        case (.timestampNs, .timestamp), (.timestamptzNs, .timestamptz): return true
        case (.date, .timestamp), (.date, .timestampNs): return true
        case (.binary, .string), (.string, .binary): return true
        case (.fixed(16), .uuid), (.uuid, .fixed(16)): return true
        default: return false
        }
    }

    /// Precondition: `isReadable`. Throws `.corrupted` for a value outside the type.
    static func storage(
        _ values: PhysicalValues, _ leaf: SchemaLeaf, as type: DataType
    ) throws(FirnError) -> Column.Storage {
        switch (values, type) {
        case (.boolean(let b), .boolean): return .boolean(b)
        case (.int32(let b), .int), (.int32(let b), .date): return .int32(b)
        case (.int32(let b), .long): return .int64(widen(b, isSigned: leaf.dataType == .int))
        case (.int32(let b), .timestamp): return .int64(try days(b, 86_400_000_000))
        case (.int32(let b), .timestampNs): return .int64(try days(b, 86_400_000_000_000))
        case (.int32(let b), .time):
            return .int64(try scale(widen(b, isSigned: true), .millis))
        case (.int64(let b), .long): return .int64(b)
        case (.int64(let b), .timestampNs), (.int64(let b), .timestamptzNs): return .int64(b)
        case (.int64(let b), .time), (.int64(let b), .timestamp), (.int64(let b), .timestamptz):
            return .int64(try scale(b, leaf.timeUnit))
        case (.fixed(let b, 12), .timestamp), (.fixed(let b, 12), .timestamptz): return .int64(int96(b))
        case (.fixed(let b, 2), .float): return .float(halves(b))
        case (.fixed(let b, 2), .double): return .double(widen(halves(b)))
        case (.float(let b), .float): return .float(b)
        case (.double(let b), .double): return .double(b)
        case (.float(let b), .double): return .double(widen(b))
        case (_, .decimal): return .decimal(try decimals(values, isSigned: leaf.isSigned))
        case (.bytes(let offsets, let bytes), .string), (.bytes(let offsets, let bytes), .binary):
            return .bytes(offsets: offsets, bytes: bytes)
        case (.fixed(let b, let width), .fixed), (.fixed(let b, let width), .uuid): return .fixed(b, width: width)
        default: throw RunLengthDecoder.malformed("values of an unexpected type")
        }
    }

    /// Dates as instants at their midnight, in units of which a day has `unitsPerDay`.
    private static func days(_ source: Buffer<Int32>, _ unitsPerDay: Int64) throws(FirnError) -> Buffer<Int64> {
        let out = Buffer<Int64>(capacity: source.count)
        var overflows = false
        for day in source.values {
            let (scaled, overflow) = Int64(day).multipliedReportingOverflow(by: unitsPerDay)
            overflows = overflows || overflow
            out.append(scaled)
        }
        guard !overflows else { throw RunLengthDecoder.malformed("a date passes the range of its timestamp column") }
        return out
    }

    private static func widen(_ source: Buffer<Int32>, isSigned: Bool) -> Buffer<Int64> {
        let out = Buffer<Int64>(capacity: source.count)
        let (from, to) = (source.pointer, out.pointer)
        if isSigned {
            for index in 0..<source.count { to[index] = Int64(from[index]) }
        } else {
            for index in 0..<source.count { to[index] = Int64(UInt32(bitPattern: from[index])) }
        }
        out.commit(source.count)
        return out
    }

    /// To microseconds; nanoseconds are rounded down.
    private static func scale(
        _ source: Buffer<Int64>, _ unit: ParquetLogicalType.TimeUnit
    ) throws(FirnError) -> Buffer<Int64> {
        if unit == .micros { return source }
        let out = Buffer<Int64>(capacity: source.count)
        var overflows = false
        for index in 0..<source.count {
            let value = source.pointer[index]
            if unit == .millis {
                let (scaled, overflow) = value.multipliedReportingOverflow(by: 1000)
                overflows = overflows || overflow
                out.pointer[index] = scaled
            } else {
                out.pointer[index] = floorThousandth(value)
            }
        }
        guard !overflows else { throw RunLengthDecoder.malformed("a time in milliseconds passes 64 bits") }
        out.commit(source.count)
        return out
    }

    private static func widen(_ source: Buffer<Float>) -> Buffer<Double> {
        let out = Buffer<Double>(capacity: source.count)
        let (from, to) = (source.pointer, out.pointer)
        for index in 0..<source.count { to[index] = Double(from[index]) }
        out.commit(source.count)
        return out
    }

    /// FLOAT16: IEEE 754 with 5 bits of exponent and 10 of fraction, little-endian.
    private static func halves(_ source: Buffer<UInt8>) -> Buffer<Float> {
        let count = source.count / 2
        let out = Buffer<Float>(capacity: count)
        let raw = UnsafeRawPointer(source.pointer)
        for index in 0..<count {
            let half = UInt32(UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)))
            let (sign, exponent, fraction) = ((half >> 15) << 31, half >> 10 & 0x1f, half & 0x3ff)
            if exponent == 0 {
                // Zeros and subnormals: the fraction counts steps of 2^-24.
                let magnitude = Float(fraction) * 0x1p-24
                out.pointer[index] = sign == 0 ? magnitude : -magnitude
            } else {
                let wide = exponent == 0x1f ? 0xff : exponent + 127 - 15
                out.pointer[index] = Float(bitPattern: sign | wide << 23 | fraction << 13)
            }
        }
        out.commit(count)
        return out
    }

    /// INT96: 8 bytes of nanoseconds of the day, 4 bytes of the Julian day; rounded down to microseconds.
    ///
    /// The sum wraps: Spark's does on writing, so that the last years of 64 bits of microseconds come back only so.
    private static func int96(_ source: Buffer<UInt8>) -> Buffer<Int64> {
        let count = source.count / 12
        let out = Buffer<Int64>(capacity: count)
        let (raw, to) = (UnsafeRawPointer(source.pointer), out.pointer)
        for index in 0..<count {
            let nanos = Int64(littleEndian: raw.loadUnaligned(fromByteOffset: index &* 12, as: Int64.self))
            let day = Int32(littleEndian: raw.loadUnaligned(fromByteOffset: index &* 12 &+ 8, as: Int32.self))
            to[index] = (Int64(day) &- 2_440_588) &* 86_400_000_000 &+ floorThousandth(nanos)
        }
        out.commit(count)
        return out
    }

    @inline(__always)
    private static func floorThousandth(_ value: Int64) -> Int64 {
        value >= 0 ? value / 1000 : (value + 1) / 1000 - 1
    }

    private static func decimals(_ values: PhysicalValues, isSigned: Bool) throws(FirnError) -> Buffer<Int128> {
        let count = values.count
        let out = Buffer<Int128>(capacity: count)
        let to = out.pointer
        switch values {
        case .int32(let b):
            let from = b.pointer
            for index in 0..<count { to[index] = Int128(from[index]) }
        case .int64(let b):
            let from = b.pointer
            if isSigned {
                for index in 0..<count { to[index] = Int128(from[index]) }
            } else {
                for index in 0..<count { to[index] = Int128(UInt64(bitPattern: from[index])) }
            }
        case .fixed(let b, let width):
            for index in 0..<count { to[index] = try decimal(b.values, index * width, width) }
        case .bytes(let offsets, let bytes):
            let ends = offsets.pointer
            for index in 0..<count {
                to[index] = try decimal(bytes.values, Int(ends[index]), Int(ends[index + 1] - ends[index]))
            }
        default: throw RunLengthDecoder.malformed("values of an unexpected type")
        }
        out.commit(count)
        return out
    }

    private static func decimal(
        _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ count: Int
    ) throws(FirnError) -> Int128 {
        let value = DecimalBytes.decode(UnsafeBufferPointer(rebasing: bytes[start..<start + count]))
        guard let value else { throw RunLengthDecoder.malformed("a decimal passes 128 bits") }
        return value
    }
}

extension SchemaLeaf {
    /// Unit of a time or timestamp column.
    var timeUnit: ParquetLogicalType.TimeUnit {
        switch element.logicalType {
        case .time(_, let unit), .timestamp(_, let unit): unit
        default: element.convertedType == 9 || element.convertedType == 7 ? .millis : .micros
        }
    }

    /// False for unsigned integers.
    var isSigned: Bool {
        if case .integer(_, let isSigned) = element.logicalType { return isSigned }
        return !(element.logicalType == nil && (11...14).contains(element.convertedType ?? -1))
    }
}
