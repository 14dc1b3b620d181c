import Avro
import Base

/// One field of a writer's schema, ready for reading by field id: records of any field order, with any fields missing,
/// and unions with null on either side.
struct AvroColumn {
    let fieldId: Int?
    let name: String
    /// The type below the union with null.
    let type: AvroType
    /// The union's branch that is null; nil when the field is required.
    let nullBranch: Int?

    init(_ field: AvroField, in schema: AvroSchema, source: String) throws(FirnError) {
        fieldId = field.fieldId
        name = field.name
        let resolved = schema.resolve(field.type)
        guard case .union(let branches) = resolved.kind else {
            type = resolved
            nullBranch = nil
            return
        }
        guard branches.count == 2, let null = branches.firstIndex(where: { $0.kind == .null }) else {
            throw FirnError(
                .unsupported, "avro_union", "field \"\(field.name)\" is a union of more than null and one type",
                context: ["file": source])
        }
        type = schema.resolve(branches[1 - null])
        nullBranch = null
    }

    /// The columns of a record type; throws `.corrupted` for another type or for fields without ids.
    static func columns(of type: AvroType, in schema: AvroSchema, source: String) throws(FirnError) -> [AvroColumn] {
        guard case .record(_, let fields) = schema.resolve(type).kind else {
            throw FirnError(.corrupted, "bad_manifest", "a record was expected", context: ["file": source])
        }
        var columns: [AvroColumn] = []
        for field in fields { columns.append(try AvroColumn(field, in: schema, source: source)) }
        guard columns.isEmpty || columns.contains(where: { $0.fieldId != nil }) else {
            throw FirnError(.corrupted, "bad_manifest", "the Avro schema has no field ids", context: ["file": source])
        }
        return columns
    }

    /// Throws `.corrupted` unless the type is one of `kinds`.
    func require(_ kinds: [AvroType.Kind], source: String) throws(FirnError) {
        guard kinds.contains(type.kind) else {
            throw FirnError(
                .corrupted, "bad_manifest", "field \"\(name)\" is of type \(type.json.text)", context: ["file": source])
        }
    }

    /// True when the value is null; otherwise the value follows.
    func readNull(_ reader: inout ByteReader) throws(FirnError) -> Bool {
        guard let nullBranch else { return false }
        return try reader.avroBranch(of: 2) == nullBranch
    }
}
