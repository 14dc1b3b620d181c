import Base
import Columnar

/// The Arrow schema of Iceberg columns: what `ArrowSchemaReader` reads, the other way.
///
/// | Iceberg | Arrow |
/// |---|---|
/// | boolean, int, long, float, double | bool, int32, int64, float, double |
/// | decimal | decimal128 |
/// | date, time | date32, time64[us] |
/// | timestamps | timestamp[us] or [ns], those with a zone in UTC |
/// | string, binary, fixed | utf8, binary, fixed-size binary |
/// | uuid | the extension type `arrow.uuid` |
/// | struct, list, map | struct, list, map |
/// | variant | struct of binary `metadata` and `value` |
/// | unknown | null |
///
/// Format: https://github.com/apache/arrow/blob/main/format/Schema.fbs
enum ArrowSchemaWriter {
    static func schema(_ schema: Schema) -> FlatNode {
        FlatNode([0: .short(0), 1: .tables(schema.fields.map(field))])
    }

    private static func field(_ field: Field) -> FlatNode {
        let (number, detail) = type(field.type)
        return FlatNode([
            0: .text(field.name), 1: .bool(!field.required), 2: .byte(number), 3: .table(detail),
            5: .tables(children(field.type)),
            6: field.type == .uuid
                ? .tables([note("ARROW:extension:name", "arrow.uuid"), note("ARROW:extension:metadata", "")]) : nil,
        ])
    }

    private static func note(_ key: String, _ value: String) -> FlatNode { FlatNode([0: .text(key), 1: .text(value)]) }

    private static func children(_ type: DataType) -> [FlatNode] {
        switch type {
        case .structure(let type): return type.fields.map(field)
        case .list(let type): return [field(type.elementField)]
        case .map(let type):
            let entries = StructType(fields: [type.keyField, type.valueField])
            return [field(Field(id: 0, name: "entries", required: true, type: .structure(entries)))]
        case .variant:
            return ["metadata", "value"].map { field(Field(id: 0, name: $0, required: true, type: .binary)) }
        default: return []
        }
    }

    /// The number of the type and its table.
    private static func type(_ type: DataType) -> (UInt8, FlatNode) {
        func timestamp(_ unit: Int16, zone: String?) -> (UInt8, FlatNode) {
            (10, FlatNode([0: .short(unit), 1: zone.map { .text($0) }]))
        }
        switch type {
        case .unknown: return (1, FlatNode([:]))
        case .int: return (2, FlatNode([0: .int(32), 1: .bool(true)]))
        case .long: return (2, FlatNode([0: .int(64), 1: .bool(true)]))
        case .float: return (3, FlatNode([0: .short(1)]))
        case .double: return (3, FlatNode([0: .short(2)]))
        case .binary: return (4, FlatNode([:]))
        case .string: return (5, FlatNode([:]))
        case .boolean: return (6, FlatNode([:]))
        case .decimal(let precision, let scale):
            return (7, FlatNode([0: .int(Int32(precision)), 1: .int(Int32(scale)), 2: .int(128)]))
        case .date: return (8, FlatNode([0: .short(0)]))
        case .time: return (9, FlatNode([0: .short(ArrowTimeUnit.microseconds.rawValue), 1: .int(64)]))
        case .timestamp: return timestamp(ArrowTimeUnit.microseconds.rawValue, zone: nil)
        case .timestamptz: return timestamp(ArrowTimeUnit.microseconds.rawValue, zone: "UTC")
        case .timestampNs: return timestamp(ArrowTimeUnit.nanoseconds.rawValue, zone: nil)
        case .timestamptzNs: return timestamp(ArrowTimeUnit.nanoseconds.rawValue, zone: "UTC")
        case .list: return (12, FlatNode([:]))
        case .structure, .variant: return (13, FlatNode([:]))
        case .uuid: return (15, FlatNode([0: .int(16)]))
        case .fixed(let width): return (15, FlatNode([0: .int(Int32(clamping: width))]))
        case .map: return (17, FlatNode([0: .bool(false)]))
        }
    }
}
