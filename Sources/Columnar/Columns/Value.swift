import Base

/// One value of any type, outside a column: literals in expressions, partition values, bounds, query results.
public enum Value: Hashable, Sendable {
    case null
    case boolean(Bool)
    case int(Int32)
    case long(Int64)
    case float(Float)
    case double(Double)
    /// `unscaled` × 10^-`scale`.
    case decimal(Int128, scale: Int)
    /// Days from 1970-01-01.
    case date(Int32)
    /// Microseconds from midnight.
    case time(Int64)
    /// Microseconds from 1970-01-01T00:00:00.
    case timestamp(Int64)
    /// Microseconds from 1970-01-01T00:00:00Z.
    case timestamptz(Int64)
    /// Nanoseconds from 1970-01-01T00:00:00.
    case timestampNs(Int64)
    /// Nanoseconds from 1970-01-01T00:00:00Z.
    case timestamptzNs(Int64)
    case string(String)
    case uuid(UUID)
    /// fixed and binary.
    case binary([UInt8])
    /// In the order of the type's fields.
    case structure([Value])
    case list([Value])
    case map([MapEntry])

    public struct MapEntry: Hashable, Sendable {
        public let key: Value
        public let value: Value

        public init(key: Value, value: Value) {
            self.key = key
            self.value = value
        }
    }

    public var isNull: Bool { self == .null }
}
