import Base
import Columnar

/// Reads the schema message, and finds the Iceberg type of every column.
struct ArrowSchemaReader {
    private(set) var nullFieldIds: Set<Int> = []
    private var lastId = 0
    private var statedIds: Set<Int> = []

    /// The fields of the schema table.
    mutating func fields(_ schema: FlatTable) throws(FirnError) -> [ArrowField] {
        guard try schema.integer(0, default: Int16(0)) == 0 else {
            throw FirnError(.unsupported, "unsupported_arrow", "big-endian Arrow data is not read")
        }
        var fields: [ArrowField] = []
        for table in try schema.tables(1) { fields.append(try field(table, path: "", depth: 0)) }
        return fields
    }

    private mutating func field(
        _ table: FlatTable, path: String, name: String? = nil, depth: Int
    ) throws(FirnError) -> ArrowField {
        lastId -= 1
        guard depth < Limits.nestingDepthMax, lastId >= -Limits.columnsMax * 2 else {
            throw .malformedArrow("nested too deeply, or too many columns")
        }
        let stored = try table.text(0)
        let name = name ?? stored ?? ""
        let path = path.isEmpty ? name : path + "." + name
        var notes: [String: String] = [:]
        for entry in try table.tables(6) {
            if let key = try entry.text(0) { notes[key] = try entry.text(1) ?? "" }
        }
        let (type, primitive) = try self.type(table, path, extensionName: notes["ARROW:extension:name"])
        let children = try self.children(of: type, table, path, depth)
        let dataType = primitive ?? Self.nested(type, children)
        var id = lastId
        lastId -= 1
        if type == .null {
            nullFieldIds.insert(id)
        } else if let stated = notes["PARQUET:field_id"].flatMap({ Int($0) }), stated > 0,
            statedIds.insert(stated).inserted
        {
            id = stated
        }
        let dictionary = try self.dictionary(table, dataType, path)
        let isNullable = try table.bool(1)
        return ArrowField(
            type: type, field: Field(id: id, name: name, required: !isNullable && type != .null, type: dataType),
            children: children,
            dictionary: dictionary, path: path)
    }

    private mutating func children(
        of type: ArrowType, _ table: FlatTable, _ path: String, _ depth: Int
    ) throws(FirnError) -> [ArrowField] {
        let tables = try table.tables(5)
        var names: [String?] = []
        switch type {
        case .list, .fixedList: names = ["element"]
        // The keys and values of a map are the children of a struct, its only child.
        case .map:
            guard tables.count == 1, try tables[0].tables(5).count == 2 else {
                throw .malformedArrow("the map '\(path)' has no keys and values")
            }
            let entries = try tables[0].tables(5)
            let key = try field(entries[0], path: path, name: "key", depth: depth + 1)
            return [key, try field(entries[1], path: path, name: "value", depth: depth + 1)]
        case .structure: names = [String?](repeating: nil, count: tables.count)
        default: break
        }
        guard names.count == tables.count else {
            throw .malformedArrow("'\(path)' has \(tables.count) children, not \(names.count)")
        }
        var children: [ArrowField] = []
        for (table, name) in zip(tables, names) {
            children.append(try field(table, path: path, name: name, depth: depth + 1))
        }
        return children
    }

    private static func nested(_ type: ArrowType, _ children: [ArrowField]) -> DataType {
        let fields = children.map(\.field)
        switch type {
        case .structure: return .structure(StructType(fields: fields))
        case .map:
            return .map(
                MapType(
                    keyId: fields[0].id, key: fields[0].type, valueId: fields[1].id, value: fields[1].type,
                    valueRequired: fields[1].required))
        default:
            return .list(
                ListType(elementId: fields[0].id, element: fields[0].type, elementRequired: fields[0].required))
        }
    }

    private func dictionary(
        _ table: FlatTable, _ type: DataType, _ path: String
    ) throws(FirnError) -> ArrowDictionary? {
        guard let encoding = try table.table(4) else { return nil }
        guard type.isPrimitive else { throw unsupported("a dictionary of nested values", path) }
        let index = try encoding.table(1)
        let bits = Int(try index?.integer(0, default: Int32(0)) ?? 32)
        guard [8, 16, 32, 64].contains(bits) else { throw .malformedArrow("a dictionary's indices have \(bits) bits") }
        return ArrowDictionary(
            id: try encoding.integer(0, default: Int64(0)), indexBits: bits, isSigned: try index?.bool(1) ?? true)
    }

    private func unsupported(_ what: String, _ path: String) -> FirnError {
        FirnError(
            .unsupported, "unsupported_arrow_type", "The Arrow column '\(path)' is \(what), which no column holds.",
            context: ["column": path])
    }

    // MARK: - Types

    /// The type of a field, and what Iceberg calls it unless it is nested.
    private func type(
        _ table: FlatTable, _ path: String, extensionName: String?
    ) throws(FirnError) -> (ArrowType, DataType?) {
        guard let detail = try table.table(3) else { throw .malformedArrow("'\(path)' has no type") }
        switch try table.integer(2, default: UInt8(0)) {
        case 1: return (.null, .string)
        case 2: return try integer(detail, path)
        case 3:
            switch try detail.integer(0, default: Int16(0)) {
            case 0: return (.float(bits: 16), .float)
            case 1: return (.float(bits: 32), .float)
            case 2: return (.float(bits: 64), .double)
            default: throw .malformedArrow("'\(path)' is of an unknown precision")
            }
        case 4: return (.bytes(isWide: false), .binary)
        case 5: return (.bytes(isWide: false), .string)
        case 6: return (.bool, .boolean)
        case 7: return try decimal(detail, path)
        case 8: return (.date(isDays: try detail.integer(0, default: Int16(1)) == 0), .date)
        case 9:
            let bits = Int(try detail.integer(1, default: Int32(32)))
            let unit = try unit(detail, default: 1)
            guard bits == (unit.rawValue < 2 ? 32 : 64) else { throw .malformedArrow("'\(path)' has \(bits) bits") }
            return (.time(unit, bits: bits), .time)
        case 10:
            let unit = try unit(detail, default: 0)
            let isUTC = try detail.text(1).map { !$0.isEmpty } ?? false
            if unit == .nanoseconds { return (.timestamp(unit), isUTC ? .timestamptzNs : .timestampNs) }
            return (.timestamp(unit), isUTC ? .timestamptz : .timestamp)
        case 12: return (.list(isWide: false), nil)
        case 13: return (.structure, nil)
        case 15:
            let width = Int(try detail.integer(0, default: Int32(0)))
            guard width > 0 else { throw unsupported("fixed-size binary of \(width) bytes", path) }
            return (.fixed(width), width == 16 && extensionName == "arrow.uuid" ? .uuid : .fixed(width))
        case 16:
            let size = Int(try detail.integer(0, default: Int32(0)))
            guard size >= 0 else { throw .malformedArrow("'\(path)' has lists of \(size) items") }
            return (.fixedList(size), nil)
        case 17: return (.map, nil)
        case 19: return (.bytes(isWide: true), .binary)
        case 20: return (.bytes(isWide: true), .string)
        case 21: return (.list(isWide: true), nil)
        case 23: return (.byteViews, .binary)
        case 24: return (.byteViews, .string)
        case let other: throw unsupported(Self.names[other] ?? "of the unknown type \(other)", path)
        }
    }

    private static let names: [UInt8: String] = [
        11: "an interval", 14: "a union", 18: "a duration", 22: "run-end encoded", 25: "a list view",
        26: "a list view",
    ]

    private func unit(_ detail: FlatTable, default value: Int16) throws(FirnError) -> ArrowTimeUnit {
        guard let unit = ArrowTimeUnit(rawValue: try detail.integer(0, default: value)) else {
            throw .malformedArrow("an unknown unit of time")
        }
        return unit
    }

    private func integer(_ detail: FlatTable, _ path: String) throws(FirnError) -> (ArrowType, DataType?) {
        let bits = Int(try detail.integer(0, default: Int32(0)))
        let signed = try detail.bool(1)
        guard [8, 16, 32, 64].contains(bits) else { throw .malformedArrow("'\(path)' has \(bits) bits") }
        let type = ArrowType.int(bits: bits, signed: signed)
        switch (bits, signed) {
        case (64, false): return (type, .decimal(precision: 20, scale: 0))
        case (64, true), (32, false): return (type, .long)
        default: return (type, .int)
        }
    }

    private func decimal(_ detail: FlatTable, _ path: String) throws(FirnError) -> (ArrowType, DataType?) {
        let precision = Int(try detail.integer(0, default: Int32(0)))
        let scale = Int(try detail.integer(1, default: Int32(0)))
        let bits = Int(try detail.integer(2, default: Int32(128)))
        guard [32, 64, 128].contains(bits), (1...38).contains(precision), (0...precision).contains(scale) else {
            throw unsupported("a decimal(\(precision), \(scale)) of \(bits) bits", path)
        }
        return (.decimal(bits: bits), .decimal(precision: precision, scale: scale))
    }
}
