import Avro
import Base
import Columnar

/// The Avro schemas that manifests and manifest lists of versions 2 and 3 are written with: all fields, in the order of
/// the spec.
///
/// The contract is `Schemas/iceberg/*.avsc`; a test compares. Several readers insist on what the format calls optional:
/// record names, `element-id`, `logicalType: map`, unions with null first.
///
/// Spec: https://iceberg.apache.org/spec/#manifest-lists and https://iceberg.apache.org/spec/#manifests
public enum ManifestSchemas {
    /// A row of a manifest list of version 2.
    public static let manifestFile = manifestFile(lineage: false)
    /// A row of a manifest list of version 3.
    public static let manifestFileV3 = manifestFile(lineage: true)

    private static func manifestFile(lineage: Bool) -> AvroSchema {
        let summary = AvroType(
            .record(
                name: "r508",
                fields: [
                    required("contains_null", .boolean, 509), optional("contains_nan", .boolean, 518),
                    optional("lower_bound", .bytes, 510), optional("upper_bound", .bytes, 511),
                ]))
        let summaries = AvroType(.array(summary), attributes: [JSONValue.Member("element-id", 508)])
        return AvroSchema(
            AvroType(
                .record(
                    name: "manifest_file",
                    fields: [
                        required("manifest_path", .string, 500), required("manifest_length", .long, 501),
                        required("partition_spec_id", .int, 502), required("content", .int, 517),
                        required("sequence_number", .long, 515), required("min_sequence_number", .long, 516),
                        required("added_snapshot_id", .long, 503), required("added_files_count", .int, 504),
                        required("existing_files_count", .int, 505), required("deleted_files_count", .int, 506),
                        required("added_rows_count", .long, 512), required("existing_rows_count", .long, 513),
                        required("deleted_rows_count", .long, 514), optional("partitions", summaries, 507),
                        optional("key_metadata", .bytes, 519),
                    ] + (lineage ? [optional("first_row_id", .long, 520)] : []))))
    }

    /// A row of a manifest whose partition tuple has these fields.
    public static func manifestEntry(partition: [Field], formatVersion: Int = 2) -> AvroSchema {
        AvroSchema(
            AvroType(
                .record(
                    name: "manifest_entry",
                    fields: [
                        required("status", .int, 0), optional("snapshot_id", .long, 1),
                        optional("sequence_number", .long, 3), optional("file_sequence_number", .long, 4),
                        field("data_file", dataFile(partition, lineage: formatVersion >= 3), 2),
                    ])))
    }

    private static func dataFile(_ partition: [Field], lineage: Bool) -> AvroType {
        let offsets = AvroType(.array(AvroType(.long)), attributes: [JSONValue.Member("element-id", 133)])
        let equalityIds = AvroType(.array(AvroType(.int)), attributes: [JSONValue.Member("element-id", 136)])
        return AvroType(
            .record(
                name: "r2",
                fields: [
                    required("content", .int, 134), required("file_path", .string, 100),
                    required("file_format", .string, 101), field("partition", self.partition(partition), 102),
                    required("record_count", .long, 103), required("file_size_in_bytes", .long, 104),
                    optional("column_sizes", map(117, 118, .long), 108),
                    optional("value_counts", map(119, 120, .long), 109),
                    optional("null_value_counts", map(121, 122, .long), 110),
                    optional("nan_value_counts", map(138, 139, .long), 137),
                    optional("lower_bounds", map(126, 127, .bytes), 125),
                    optional("upper_bounds", map(129, 130, .bytes), 128), optional("key_metadata", .bytes, 131),
                    optional("split_offsets", offsets, 132), optional("equality_ids", equalityIds, 135),
                    optional("sort_order_id", .int, 140),
                ] + (lineage ? [optional("first_row_id", .long, 142)] : [])
                    + [optional("referenced_data_file", .string, 143)]
                    + (lineage
                        ? [optional("content_offset", .long, 144), optional("content_size_in_bytes", .long, 145)] : [])
            ))
    }

    /// A map with integer keys, which Avro lacks: an array of key-value records.
    private static func map(_ keyId: Int, _ valueId: Int, _ value: AvroType.Kind) -> AvroType {
        let entry = AvroType(
            .record(
                name: "k\(keyId)_v\(valueId)",
                fields: [required("key", .int, keyId), required("value", value, valueId)]))
        return AvroType(.array(entry), attributes: [JSONValue.Member("logicalType", "map")])
    }

    /// The partition tuple. A named type stands in full once and is referred to afterwards.
    private static func partition(_ fields: [Field]) -> AvroType {
        var names: Set<String> = []
        return AvroType(
            .record(
                name: "r102",
                fields: fields.map {
                    let name = AvroNames.sanitize($0.name)
                    var attributes: [JSONValue.Member] = [
                        JSONValue.Member("default", .null), JSONValue.Member("field-id", .integer(Int64($0.id))),
                    ]
                    if name != $0.name { attributes.append(JSONValue.Member("iceberg-field-name", .string($0.name))) }
                    return AvroField(
                        name: name, type: .optional(primitive($0.type, names: &names)), attributes: attributes)
                }))
    }

    /// Spec: https://iceberg.apache.org/spec/#avro
    private static func primitive(_ type: DataType, names: inout Set<String>) -> AvroType {
        func logical(_ kind: AvroType.Kind, _ name: String, _ more: [JSONValue.Member] = []) -> AvroType {
            AvroType(kind, attributes: [JSONValue.Member("logicalType", .string(name))] + more)
        }
        func named(_ name: String, _ size: Int, _ attributes: [JSONValue.Member]) -> AvroType {
            guard names.insert(name).inserted else { return AvroType(.reference(name)) }
            return AvroType(.fixed(name: name, size: size), attributes: attributes)
        }
        switch type {
        // Avro has no optional null; every value is null anyway.
        case .boolean, .unknown: return AvroType(.boolean)
        case .int: return AvroType(.int)
        case .long: return AvroType(.long)
        case .float: return AvroType(.float)
        case .double: return AvroType(.double)
        case .date: return logical(.int, "date")
        case .time: return logical(.long, "time-micros")
        case .timestamp: return logical(.long, "timestamp-micros", [JSONValue.Member("adjust-to-utc", false)])
        case .timestamptz: return logical(.long, "timestamp-micros", [JSONValue.Member("adjust-to-utc", true)])
        case .timestampNs: return logical(.long, "timestamp-nanos", [JSONValue.Member("adjust-to-utc", false)])
        case .timestamptzNs: return logical(.long, "timestamp-nanos", [JSONValue.Member("adjust-to-utc", true)])
        case .string: return AvroType(.string)
        case .binary: return AvroType(.bytes)
        case .fixed(let width): return named("fixed_\(width)", width, [])
        case .uuid: return named("uuid_fixed", 16, [JSONValue.Member("logicalType", "uuid")])
        case .decimal(let precision, let scale):
            return named(
                "decimal_\(precision)_\(scale)", decimalBytes(precision: precision),
                [
                    JSONValue.Member("logicalType", "decimal"),
                    JSONValue.Member("precision", .integer(Int64(precision))),
                    JSONValue.Member("scale", .integer(Int64(scale))),
                ])
        case .structure, .list, .map, .variant: preconditionFailure("a partition value cannot be nested")
        }
    }

    /// The fewest bytes that hold every decimal of a precision.
    static func decimalBytes(precision: Int) -> Int {
        var limit: Int128 = 1
        for _ in 0..<precision { limit *= 10 }
        return SingleValue.bigEndian(limit - 1).count
    }

    private static func required(_ name: String, _ kind: AvroType.Kind, _ id: Int) -> AvroField {
        field(name, AvroType(kind), id)
    }

    private static func field(_ name: String, _ type: AvroType, _ id: Int) -> AvroField {
        AvroField(name: name, type: type, attributes: [JSONValue.Member("field-id", .integer(Int64(id)))])
    }

    private static func optional(_ name: String, _ kind: AvroType.Kind, _ id: Int) -> AvroField {
        optional(name, AvroType(kind), id)
    }

    private static func optional(_ name: String, _ type: AvroType, _ id: Int) -> AvroField {
        AvroField(
            name: name, type: .optional(type),
            attributes: [JSONValue.Member("default", .null), JSONValue.Member("field-id", .integer(Int64(id)))])
    }
}
