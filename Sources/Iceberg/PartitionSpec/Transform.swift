import Base
import Columnar

/// How a partition or sort value derives from a column's value.
///
/// Null becomes null under every transform. Spec: https://iceberg.apache.org/spec/#partition-transforms
public enum Transform: Hashable, Sendable, CustomStringConvertible {
    case identity
    /// Hash modulo the number of buckets.
    case bucket(Int)
    /// Value rounded down to a multiple, or text and bytes cut to a length.
    case truncate(Int)
    /// Years from 1970.
    case year
    /// Months from 1970-01.
    case month
    /// Days from 1970-01-01.
    case day
    /// Hours from 1970-01-01T00.
    case hour
    /// Always null.
    case void
    /// A transform of a later spec; kept, printed, never applied.
    case unknown(String)

    /// Reads a name as metadata files carry it (`bucket[16]`). Every other text is `unknown`.
    public init(parsing text: String) {
        switch text.lowercased() {
        case "identity": self = .identity
        case "year": self = .year
        case "month": self = .month
        case "day": self = .day
        case "hour": self = .hour
        case "void": self = .void
        case let name:
            if let count = Self.argument(of: name, "bucket") {
                self = .bucket(count)
            } else if let width = Self.argument(of: name, "truncate") {
                self = .truncate(width)
            } else {
                self = .unknown(text)
            }
        }
    }

    private static func argument(of text: String, _ name: String) -> Int? {
        guard text.hasPrefix(name + "["), text.hasSuffix("]"),
            let value = Int32(text.dropFirst(name.count + 1).dropLast()), value > 0
        else { return nil }
        return Int(value)
    }

    public var description: String {
        switch self {
        case .identity: "identity"
        case .bucket(let count): "bucket[\(count)]"
        case .truncate(let width): "truncate[\(width)]"
        case .year: "year"
        case .month: "month"
        case .day: "day"
        case .hour: "hour"
        case .void: "void"
        case .unknown(let text): text
        }
    }

    /// True when values of `type` may be transformed.
    public func accepts(_ type: DataType) -> Bool {
        switch self {
        case .identity, .void: type.isPrimitive && type != .unknown
        case .year, .month, .day: type == .date || type.isTimestamp
        case .hour: type.isTimestamp
        case .bucket:
            switch type {
            case .boolean, .float, .double, .structure, .list, .map, .variant, .unknown: false
            default: true
            }
        case .truncate:
            switch type {
            case .int, .long, .string, .binary, .decimal: true
            default: false
            }
        case .unknown: false
        }
    }

    /// The type of the transformed values of a column of type `source`.
    public func resultType(of source: DataType) -> DataType {
        switch self {
        case .identity, .truncate, .void: source
        case .bucket, .year, .month, .hour: .int
        case .day: .date
        case .unknown: .string
        }
    }

    /// True when `a <= b` implies `apply(a) <= apply(b)`.
    public var preservesOrder: Bool {
        switch self {
        case .identity, .truncate, .year, .month, .day, .hour: true
        case .bucket, .void, .unknown: false
        }
    }
}
