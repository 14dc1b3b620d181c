import Base
import Columnar

/// How a variant is spread over columns: its parts that have a column of their own (shredded), and the rest.
///
/// A group holds `value`, the Variant encoding of what has no column, and `typed_value`, which is a primitive column, a
/// list of such groups, or a group of such groups by field name. Either may be absent.
///
/// Format: https://github.com/apache/parquet-format/blob/master/VariantShredding.md
struct VariantShape: Sendable {
    /// Places of columns are indices among their group's children.
    struct Group: Sendable {
        let value: Int?
        let typed: (place: Int, Typed)?
    }

    indirect enum Typed: Sendable {
        /// Bytes of an integer's or decimal's encoding; 0 for other types.
        case scalar(bytes: Int)
        case array(Group)
        case object([Member])
    }

    struct Member: Sendable {
        let name: [UInt8]
        let place: Int
        let group: Group
    }

    let metadata: Int
    let root: Group

    /// Nil when the group is no variant. Throws `.unsupported` (`bad_variant`) for typed columns that the format does
    /// not allow.
    init?(_ children: [SchemaNode], source: String) throws(FirnError) {
        guard let place = Self.binary("metadata", children),
            children.allSatisfy({ ["metadata", "value", "typed_value"].contains($0.name) })
        else { return nil }
        metadata = place
        root = try Self.group(children, source)
    }

    private static func binary(_ name: String, _ children: [SchemaNode]) -> Int? {
        children.firstIndex {
            guard $0.name == name, case .leaf(let leaf) = $0.shape else { return false }
            return leaf.element.physicalType == .byteArray
        }
    }

    private static func group(_ children: [SchemaNode], _ source: String) throws(FirnError) -> Group {
        let value = binary("value", children)
        guard let place = children.firstIndex(where: { $0.name == "typed_value" }) else {
            guard value != nil else { throw refused("a group has neither value nor typed_value", source) }
            return Group(value: value, typed: nil)
        }
        return Group(value: value, typed: (place, try typed(children[place], source)))
    }

    private static func typed(_ node: SchemaNode, _ source: String) throws(FirnError) -> Typed {
        switch node.shape {
        case .leaf(let leaf):
            guard let bytes = scalarBytes(leaf) else { throw refused("\(leaf.name) is of no variant type", source) }
            return .scalar(bytes: bytes)
        case .list(let element):
            guard case .structure(let children) = element.shape else {
                throw refused("elements of \(node.name) are no groups", source)
            }
            return .array(try group(children, source))
        case .structure(let fields):
            var members: [Member] = []
            for (place, field) in fields.enumerated() {
                guard case .structure(let children) = field.shape else {
                    throw refused("field \(field.name) is no group", source)
                }
                members.append(
                    Member(name: Array(field.name.utf8), place: place, group: try group(children, source)))
            }
            guard Set(members.map(\.name)).count == members.count else {
                throw refused("two fields share a name", source)
            }
            return .object(members)
        case .map: throw refused("\(node.name) is a map", source)
        }
    }

    /// Nil for a column that no primitive type of a variant is stored in.
    private static func scalarBytes(_ leaf: SchemaLeaf) -> Int? {
        let element = leaf.element
        if leaf.decimal != nil {
            guard leaf.dataType != nil else { return nil }
            return element.physicalType == .int32 ? 4 : element.physicalType == .int64 ? 8 : 16
        }
        switch (element.physicalType, element.logicalType) {
        case (.boolean, nil), (.float, nil), (.double, nil), (.byteArray, nil), (.byteArray, .string),
            (.int32, .date), (.int64, .time(false, .micros)), (.int64, .timestamp(_, .micros)),
            (.int64, .timestamp(_, .nanos)):
            return 0
        case (.fixedLenByteArray, .uuid): return element.typeLength == 16 ? 0 : nil
        case (.int32, .integer(let bits, true)): return bits / 8
        case (.int32, nil):
            switch element.convertedType {
            case nil, 17: return 4
            case 15: return 1
            case 16: return 2
            case 6: return 0
            default: return nil
            }
        case (.int64, .integer(64, true)): return 8
        case (.int64, nil): return element.convertedType == nil || element.convertedType == 18 ? 8 : nil
        default: return nil
        }
    }

    private static func refused(_ message: String, _ source: String) -> FirnError {
        FirnError(
            .unsupported, "bad_variant", "a variant column cannot be read: \(message)", context: ["file": source])
    }
}
