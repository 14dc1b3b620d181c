import Avro
import Base

/// How a manifest or manifest list is written: what its header says and which of the format's small print its schema
/// keeps to, without reading entries.
///
/// Spec: https://iceberg.apache.org/spec/#manifests and https://iceberg.apache.org/spec/#avro
public struct ManifestShape: Sendable {
    /// `avro.codec`; nil when the header lacks it.
    public private(set) var codec: String?
    /// Names of the header's key-values.
    public private(set) var keys: Set<String> = []
    /// Field ids of all records at any depth.
    public private(set) var fieldIds: Set<Int> = []
    public private(set) var lacksFieldIds = false
    /// An array of something other than key-value records without `element-id`.
    public private(set) var lacksElementIds = false
    /// An array of key-value records without `logicalType: map`.
    public private(set) var lacksMapType = false
    /// A union whose first branch is not null.
    public private(set) var hasNullLast = false

    /// Throws `.corrupted` or `.unsupported` as `AvroFileReader` does.
    public init(_ bytes: [UInt8], source: String) throws(FirnError) {
        let file = try AvroFileReader(bytes, source: source)
        codec = file.text("avro.codec")
        keys = Set(file.metadata.keys)
        walk(file.schema.root, in: file.schema)
    }

    /// Named types are written out once and referred to afterwards, so the walk ends.
    private mutating func walk(_ type: AvroType, in schema: AvroSchema) {
        switch type.kind {
        case .record(_, let fields):
            for field in fields {
                if let id = field.fieldId { fieldIds.insert(id) } else { lacksFieldIds = true }
                walk(field.type, in: schema)
            }
        case .array(let item):
            if case .record(_, let fields) = schema.resolve(item).kind, fields.map(\.name) == ["key", "value"] {
                if type.logicalType != "map" { lacksMapType = true }
            } else if type.attribute("element-id") == nil {
                lacksElementIds = true
            }
            walk(item, in: schema)
        case .union(let branches):
            if branches.count == 2, branches[1].kind == .null { hasNullLast = true }
            for branch in branches { walk(branch, in: schema) }
        default: break
        }
    }
}
