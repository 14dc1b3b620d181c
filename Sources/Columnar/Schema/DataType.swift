/// A type of the Iceberg type system.
///
/// Spec: https://iceberg.apache.org/spec/#schemas-and-data-types
public indirect enum DataType: Hashable, Sendable {
    case boolean
    /// 32-bit signed.
    case int
    /// 64-bit signed.
    case long
    case float
    case double
    /// `precision` 1 to 38 digits, `scale` 0 to precision.
    case decimal(precision: Int, scale: Int)
    /// Days from 1970-01-01.
    case date
    /// Microseconds from midnight.
    case time
    /// Microseconds from 1970-01-01T00:00:00, without a zone.
    case timestamp
    /// Microseconds from 1970-01-01T00:00:00Z.
    case timestamptz
    /// Nanoseconds from 1970-01-01T00:00:00, without a zone. Only in tables of format version 3.
    case timestampNs
    /// Nanoseconds from 1970-01-01T00:00:00Z. Only in tables of format version 3.
    case timestamptzNs
    case string
    case uuid
    case fixed(Int)
    case binary
    case structure(StructType)
    case list(ListType)
    case map(MapType)
    /// Any value of the Variant encoding, JSON-like but typed. Only in tables of format version 3.
    case variant
    /// Null in every row, until the column is promoted to another type. Only in tables of format version 3.
    case unknown

    /// True for timestamps of either unit, with or without a zone.
    public var isTimestamp: Bool {
        switch self {
        case .timestamp, .timestamptz, .timestampNs, .timestamptzNs: true
        default: false
        }
    }

    /// True for timestamps in nanoseconds.
    public var isNanoseconds: Bool { self == .timestampNs || self == .timestamptzNs }

    /// The type in microseconds of a timestamp in nanoseconds; any other type is unchanged.
    public var microseconds: DataType {
        switch self {
        case .timestampNs: .timestamp
        case .timestamptzNs: .timestamptz
        default: self
        }
    }

    /// A variant is neither primitive nor nested: it has no order, no bounds and no fields.
    public var isPrimitive: Bool {
        switch self {
        case .structure, .list, .map, .variant: false
        default: true
        }
    }

    /// The first table format version that has the type, whatever lies beneath it.
    public var formatVersionMin: Int {
        switch self {
        case .timestampNs, .timestamptzNs, .variant, .unknown: 3
        default: 1
        }
    }
}

public struct StructType: Hashable, Sendable {
    public var fields: [Field]

    public init(fields: [Field]) { self.fields = fields }

    public func field(named name: String) -> Field? { fields.first { $0.name == name } }
    public func field(id: Int) -> Field? { fields.first { $0.id == id } }
}

public struct ListType: Hashable, Sendable {
    public var elementId: Int
    public var element: DataType
    public var elementRequired: Bool

    public init(elementId: Int, element: DataType, elementRequired: Bool) {
        self.elementId = elementId
        self.element = element
        self.elementRequired = elementRequired
    }
}

/// Keys are always required.
public struct MapType: Hashable, Sendable {
    public var keyId: Int
    public var key: DataType
    public var valueId: Int
    public var value: DataType
    public var valueRequired: Bool

    public init(keyId: Int, key: DataType, valueId: Int, value: DataType, valueRequired: Bool) {
        self.keyId = keyId
        self.key = key
        self.valueId = valueId
        self.value = value
        self.valueRequired = valueRequired
    }
}

/// A named, numbered column or nested member. The id, not the name, identifies it for ever.
public struct Field: Hashable, Sendable {
    public var id: Int
    public var name: String
    public var required: Bool
    /// Promoting the type promotes the defaults.
    public var type: DataType {
        didSet {
            guard initialDefault != nil || writeDefault != nil, type.isPrimitive else { return }
            initialDefault = initialDefault?.promoted(to: type)
            writeDefault = writeDefault?.promoted(to: type)
        }
    }
    public var doc: String?
    /// What the rows of files older than the column hold. Fixed when the column is added.
    ///
    /// A struct's default is `.structure([])`: its fields have defaults of their own.
    /// Spec: https://iceberg.apache.org/spec/#default-values
    public var initialDefault: Value?
    /// What a new row holds when its record leaves the column out.
    public var writeDefault: Value?

    public init(
        id: Int, name: String, required: Bool, type: DataType, doc: String? = nil, initialDefault: Value? = nil,
        writeDefault: Value? = nil
    ) {
        self.id = id
        self.name = name
        self.required = required
        self.type = type
        self.doc = doc
        self.initialDefault = initialDefault
        self.writeDefault = writeDefault
    }
}
