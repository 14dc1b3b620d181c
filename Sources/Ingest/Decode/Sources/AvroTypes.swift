import Avro
import Base
import Columnar

/// How values of an Avro type are read: into a column, or past.
///
/// Plain values without a column of ours are null, like nothing at all.
indirect enum AvroPlan {
    case null
    case boolean, int, long, float, double, bytes, string
    case fixed(Int)
    /// The symbols as text.
    case enumeration([[UInt8]])
    /// Unscaled, big-endian; the size of a fixed, nil for bytes.
    case decimal(Int?)
    /// uuid as text.
    case uuidText
    /// An integer × this, which becomes a time in microseconds.
    case scaled(Int64, isInt: Bool)
    /// With the bytes that an item takes at least.
    case list(AvroPlan, Int)
    /// Entries as the map type writes them, its keys text.
    case map(AvroPlan, Int)
    /// Entries as records of a key and a value.
    case entries(AvroPlan, AvroPlan, Int)
    case structure([AvroPlan])
    /// The branch that is null, and what the other is.
    case optional(null: Int, AvroPlan)

    /// Bytes of columns that a row takes at least, null or not.
    var rowBytes: Int {
        switch self {
        case .null, .bytes, .string, .enumeration, .list, .map, .entries: 5
        case .boolean: 2
        case .int, .float: 5
        case .long, .double, .scaled: 9
        case .decimal, .uuidText: 17
        case .fixed(let size): size + 1
        case .structure(let members): members.reduce(1) { $0 + $1.rowBytes }
        case .optional(_, let plan): plan.rowBytes
        }
    }
}

/// Finds the Iceberg type of every Avro type. https://avro.apache.org/docs/1.11.1/specification/#logical-types
struct AvroTypes {
    private let schema: AvroSchema
    private var lastId = 0
    /// Fields of the type null.
    private(set) var nullFieldIds: Set<Int> = []

    init(_ schema: AvroSchema) { self.schema = schema }

    /// A type, what reads it, and whether null is one of its values.
    private struct Mapped {
        var type: DataType
        var plan: AvroPlan
        var required = true
        var isNull = false
    }

    /// The record's fields.
    mutating func fields(of record: AvroType) throws(FirnError) -> (fields: [Field], plans: [AvroPlan]) {
        guard case .record(_, let fields) = schema.resolve(record).kind else {
            throw unsupported("the values are no records", "")
        }
        return try members(fields, path: "", depth: 0)
    }

    private mutating func members(
        _ fields: [AvroField], path: String, depth: Int
    ) throws(FirnError) -> (fields: [Field], plans: [AvroPlan]) {
        var members: [Field] = []
        var plans: [AvroPlan] = []
        for field in fields {
            let path = path.isEmpty ? field.name : path + "." + field.name
            let (member, plan) = try self.field(field.name, field.type, id: field.fieldId, path, depth)
            members.append(member)
            plans.append(plan)
        }
        return (members, plans)
    }

    private mutating func field(
        _ name: String, _ type: AvroType, id: Int?, _ path: String, _ depth: Int
    ) throws(FirnError) -> (Field, AvroPlan) {
        let mapped = try map(type, path, depth)
        lastId -= 1
        // A null field is told by its id, so it gets one of its own.
        let id = mapped.isNull ? lastId : id.flatMap { $0 > 0 ? $0 : nil } ?? lastId
        if mapped.isNull { nullFieldIds.insert(id) }
        return (Field(id: id, name: name, required: mapped.required, type: mapped.type), mapped.plan)
    }

    private func unsupported(_ what: String, _ path: String) -> FirnError {
        FirnError(
            .unsupported, "unsupported_avro_type",
            "The Avro body cannot be read: " + (path.isEmpty ? what : "'\(path)' is \(what)") + ".",
            context: path.isEmpty ? [:] : ["column": path])
    }

    private mutating func map(_ given: AvroType, _ path: String, _ depth: Int) throws(FirnError) -> Mapped {
        // Also ends the unfolding of a record that holds itself.
        guard depth < Limits.nestingDepthMax / 2, lastId > -Limits.columnsMax else {
            throw unsupported("recursive, or nested too deeply", path)
        }
        let type = schema.resolve(given)
        switch type.kind {
        case .null: return Mapped(type: .string, plan: .null, required: false, isNull: true)
        case .boolean: return Mapped(type: .boolean, plan: .boolean)
        case .float: return Mapped(type: .float, plan: .float)
        case .double: return Mapped(type: .double, plan: .double)
        case .int: return integer(type, isInt: true)
        case .long: return integer(type, isInt: false)
        case .string:
            return type.logicalType == "uuid"
                ? Mapped(type: .uuid, plan: .uuidText) : Mapped(type: .string, plan: .string)
        case .enumeration(_, let symbols):
            return Mapped(type: .string, plan: .enumeration(symbols.map { Array($0.utf8) }))
        case .bytes: return decimal(type, size: nil) ?? Mapped(type: .binary, plan: .bytes)
        case .fixed(_, let size):
            if let decimal = decimal(type, size: size) { return decimal }
            guard size > 0 else { throw unsupported("a fixed of no bytes", path) }
            let isUUID = size == 16 && type.logicalType == "uuid"
            return Mapped(type: isUUID ? .uuid : .fixed(size), plan: .fixed(size))
        case .union(let branches): return try union(branches, path, depth)
        case .record(_, let fields):
            let (members, plans) = try members(fields, path: path, depth: depth + 1)
            return Mapped(type: .structure(StructType(fields: members)), plan: .structure(plans))
        case .array(let item): return try array(type, item, path, depth)
        case .map(let value): return try map(type, value, path, depth)
        case .reference: throw unsupported("a reference to nothing", path)
        }
    }

    private func integer(_ type: AvroType, isInt: Bool) -> Mapped {
        let isUTC = type.attribute("adjust-to-utc") != .bool(false)
        switch (type.logicalType, isInt) {
        case ("date", true): return Mapped(type: .date, plan: .int)
        case ("time-millis", true): return Mapped(type: .time, plan: .scaled(1000, isInt: true))
        case ("time-micros", false): return Mapped(type: .time, plan: .long)
        case ("timestamp-millis", false):
            return Mapped(type: isUTC ? .timestamptz : .timestamp, plan: .scaled(1000, isInt: false))
        case ("timestamp-micros", false): return Mapped(type: isUTC ? .timestamptz : .timestamp, plan: .long)
        case ("timestamp-nanos", false): return Mapped(type: isUTC ? .timestamptzNs : .timestampNs, plan: .long)
        case ("local-timestamp-millis", false):
            return Mapped(type: .timestamp, plan: .scaled(1000, isInt: false))
        case ("local-timestamp-micros", false): return Mapped(type: .timestamp, plan: .long)
        case ("local-timestamp-nanos", false): return Mapped(type: .timestampNs, plan: .long)
        default: return isInt ? Mapped(type: .int, plan: .int) : Mapped(type: .long, plan: .long)
        }
    }

    /// Nil unless the type is a decimal that Iceberg can hold; it is bytes then, as the specification has it.
    private func decimal(_ type: AvroType, size: Int?) -> Mapped? {
        guard type.logicalType == "decimal", let precision = type.attribute("precision")?.intValue,
            (1...38).contains(precision)
        else { return nil }
        let scale = type.attribute("scale")?.intValue ?? 0
        guard (0...precision).contains(scale) else { return nil }
        return Mapped(type: .decimal(precision: Int(precision), scale: Int(scale)), plan: .decimal(size))
    }

    private mutating func union(_ branches: [AvroType], _ path: String, _ depth: Int) throws(FirnError) -> Mapped {
        let isNull = branches.map { $0.kind == .null }
        if branches.count == 1 { return try map(branches[0], path, depth + 1) }
        guard branches.count == 2, let null = isNull.firstIndex(of: true), isNull.contains(false) else {
            throw unsupported("a union of several types", path)
        }
        var mapped = try map(branches[1 - null], path, depth + 1)
        mapped.plan = .optional(null: null, mapped.plan)
        mapped.required = false
        return mapped
    }

    private mutating func array(
        _ type: AvroType, _ item: AvroType, _ path: String, _ depth: Int
    ) throws(FirnError) -> Mapped {
        // Iceberg writes maps whose keys are no text as arrays of entries.
        if type.logicalType == "map", case .record(_, let entry) = schema.resolve(item).kind, entry.count == 2 {
            let (key, keyPlan) = try field("key", entry[0].type, id: entry[0].fieldId, path + ".key", depth + 1)
            let (value, valuePlan) = try field("value", entry[1].type, id: entry[1].fieldId, path + ".value", depth + 1)
            let map = MapType(
                keyId: key.id, key: key.type, valueId: value.id, value: value.type, valueRequired: value.required)
            return Mapped(type: .map(map), plan: .entries(keyPlan, valuePlan, keyPlan.rowBytes + valuePlan.rowBytes))
        }
        let id = type.attribute("element-id")?.intValue.map(Int.init)
        let (element, plan) = try field("element", item, id: id, path + ".element", depth + 1)
        let list = ListType(elementId: element.id, element: element.type, elementRequired: element.required)
        return Mapped(type: .list(list), plan: .list(plan, plan.rowBytes))
    }

    private mutating func map(
        _ type: AvroType, _ item: AvroType, _ path: String, _ depth: Int
    ) throws(FirnError) -> Mapped {
        lastId -= 1
        let keyId = lastId
        let id = type.attribute("value-id")?.intValue.map(Int.init)
        let (value, plan) = try field("value", item, id: id, path + ".value", depth + 1)
        let map = MapType(
            keyId: keyId, key: .string, valueId: value.id, value: value.type, valueRequired: value.required)
        return Mapped(type: .map(map), plan: .map(plan, plan.rowBytes + 5))
    }
}
