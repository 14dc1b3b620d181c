import Base

/// An Avro schema: a root type and the named types that occur in it.
///
/// A named type is written out where it first occurs and is a `reference` afterwards, as in the JSON form, so that a
/// small document cannot expand into a large one.
///
/// Format: https://avro.apache.org/docs/1.11.1/specification/#schema-declaration
public struct AvroSchema: Hashable, Sendable {
    public let root: AvroType
    /// Records, fixed types and enumerations by full name.
    public let names: [String: AvroType]

    public init(root: AvroType, names: [String: AvroType]) {
        self.root = root
        self.names = names
    }

    /// A schema built in code; collects the named types itself.
    public init(_ root: AvroType) {
        var names: [String: AvroType] = [:]
        root.collectNames(into: &names)
        self.init(root: root, names: names)
    }

    /// The type behind a reference, or the type itself. Precondition: `type` belongs to this schema.
    public func resolve(_ type: AvroType) -> AvroType {
        guard case .reference(let name) = type.kind else { return type }
        return names[name]!
    }
}

/// A type with its attributes.
public struct AvroType: Hashable, Sendable {
    public indirect enum Kind: Hashable, Sendable {
        case null
        case boolean
        case int
        case long
        case float
        case double
        case bytes
        case string
        case fixed(name: String, size: Int)
        case enumeration(name: String, symbols: [String])
        case array(AvroType)
        case map(AvroType)
        case union([AvroType])
        case record(name: String, fields: [AvroField])
        /// A named type that stands elsewhere in the schema.
        case reference(String)
    }

    public let kind: Kind
    /// Everything else that the JSON object says: `logicalType`, `precision`, `element-id` …, in order.
    public let attributes: [JSONValue.Member]

    public init(_ kind: Kind, attributes: [JSONValue.Member] = []) {
        self.kind = kind
        self.attributes = attributes
    }

    public func attribute(_ key: String) -> JSONValue? { attributes.last { $0.key == key }?.value }
    public var logicalType: String? { attribute("logicalType")?.stringValue }

    /// `["null", T]`.
    public static func optional(_ type: AvroType) -> AvroType { AvroType(.union([AvroType(.null), type])) }

    func collectNames(into names: inout [String: AvroType]) {
        switch kind {
        case .fixed(let name, _), .enumeration(let name, _): names[name] = self
        case .array(let item), .map(let item): item.collectNames(into: &names)
        case .union(let branches): for branch in branches { branch.collectNames(into: &names) }
        case .record(let name, let fields):
            names[name] = self
            for field in fields { field.type.collectNames(into: &names) }
        default: break
        }
    }
}

public struct AvroField: Hashable, Sendable {
    public let name: String
    public let type: AvroType
    /// `default`, `field-id`, `doc` …, in order.
    public let attributes: [JSONValue.Member]

    public init(name: String, type: AvroType, attributes: [JSONValue.Member] = []) {
        self.name = name
        self.type = type
        self.attributes = attributes
    }

    public func attribute(_ key: String) -> JSONValue? { attributes.last { $0.key == key }?.value }
    /// Iceberg's id of the field.
    public var fieldId: Int? { attribute("field-id")?.intValue.flatMap { Int(exactly: $0) } }
}
