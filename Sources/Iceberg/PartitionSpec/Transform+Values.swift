import Base
import Columnar

extension Transform {
    /// The transformed value. Precondition: the transform `accepts` the value's type, or the value is null.
    public func apply(_ value: Value) -> Value {
        if value == .null { return .null }
        switch self {
        case .identity: return value
        case .void, .unknown: return .null
        case .year: return .int(Int32(truncatingIfNeeded: Self.year(ofDays: Self.days(value))))
        case .month: return .int(Int32(truncatingIfNeeded: Self.month(ofDays: Self.days(value))))
        case .day: return .date(Int32(truncatingIfNeeded: Self.days(value)))
        case .hour: return .int(Int32(truncatingIfNeeded: Self.hours(value)))
        case .bucket(let count): return .int(Int32(Self.bucketHash(value) & 0x7fff_ffff) % Int32(count))
        case .truncate(let width): return Self.truncate(value, width)
        }
    }

    /// Days from 1970-01-01 of a date or timestamp, rounded towards the past.
    static func days(_ value: Value) -> Int64 {
        switch value {
        case .date(let days): Int64(days)
        case .timestamp(let micros), .timestamptz(let micros):
            CivilTime.floorDivide(micros, CivilTime.microsPerDay).quotient
        case .timestampNs(let nanos), .timestamptzNs(let nanos):
            CivilTime.floorDivide(nanos, CivilTime.microsPerDay * 1000).quotient
        default: preconditionFailure("\(value) has no date")
        }
    }

    static func hours(_ value: Value) -> Int64 {
        switch value {
        case .timestamp(let micros), .timestamptz(let micros):
            CivilTime.floorDivide(micros, CivilTime.microsPerHour).quotient
        case .timestampNs(let nanos), .timestamptzNs(let nanos):
            CivilTime.floorDivide(nanos, CivilTime.microsPerHour * 1000).quotient
        default: preconditionFailure("\(value) has no hour")
        }
    }

    static func year(ofDays days: Int64) -> Int64 { Int64(CivilTime.date(days: Int(days)).year - 1970) }

    static func month(ofDays days: Int64) -> Int64 {
        let date = CivilTime.date(days: Int(days))
        return Int64((date.year - 1970) * 12 + date.month - 1)
    }

    /// The 32-bit hash before the modulo.
    ///
    /// Spec: https://iceberg.apache.org/spec/#appendix-b-32-bit-hash-requirements
    public static func bucketHash(_ value: Value) -> UInt32 {
        func long(_ v: Int64) -> UInt32 { Murmur3.hash32(UInt64(bitPattern: v)) }
        switch value {
        case .int(let v), .date(let v): return long(Int64(v))
        case .long(let v), .time(let v), .timestamp(let v), .timestamptz(let v): return long(v)
        // By microseconds, so that a widened column keeps its buckets.
        case .timestampNs(let v), .timestamptzNs(let v): return long(CivilTime.floorDivide(v, 1000).quotient)
        case .decimal(let unscaled, _): return Murmur3.hash32(SingleValue.bigEndian(unscaled))
        case .string(let v): return Murmur3.hash32(v.utf8)
        case .uuid(let v): return Murmur3.hash32(v.bytes)
        case .binary(let v): return Murmur3.hash32(v)
        default: preconditionFailure("\(value) cannot be put in a bucket")
        }
    }

    private static func truncate(_ value: Value, _ width: Int) -> Value {
        func floor<T: FixedWidthInteger>(_ v: T) -> T {
            let remainder = v % T(width)
            return v &- (remainder < 0 ? remainder + T(width) : remainder)
        }
        switch value {
        case .int(let v): return .int(floor(v))
        case .long(let v): return .long(floor(v))
        case .decimal(let unscaled, let scale): return .decimal(floor(unscaled), scale: scale)
        case .string(let v): return .string(Truncation.prefix(v, width))
        case .binary(let v): return .binary(Array(v.prefix(width)))
        default: preconditionFailure("\(value) cannot be truncated")
        }
    }
}
