import Base
import Columnar

/// What a new table's schema, spec and sort order must obey.
///
/// Every failure is `.invalidInput` with a code of its own: `bad_column_name`, `duplicate_column`, `too_many_columns`,
/// `bad_identifier_field`, `bad_partition_spec`, `bad_sort_order`.
enum SchemaRules {
    static func check(_ schema: Schema, formatVersion: Int) throws(FirnError) {
        try checkVersion(schema, formatVersion)
        let all = schema.allFields
        guard all.count <= Limits.columnsMax else {
            throw FirnError(
                .invalidInput, "too_many_columns", "the schema has \(all.count) fields, more than \(Limits.columnsMax)")
        }
        try checkNames(schema.fields, path: "")
        try checkIdentifiers(schema)
    }

    /// Types and defaults that came with a later version of the format than the table's.
    ///
    /// Spec: https://iceberg.apache.org/spec/#version-3
    private static func checkVersion(_ schema: Schema, _ formatVersion: Int) throws(FirnError) {
        for (path, field) in schema.allFields {
            func newer(_ what: String) -> FirnError {
                FirnError(
                    .unsupported, "format_version",
                    "\(what) of column \"\(path)\" needs a table of format version 3, not \(formatVersion): "
                        + "create it with the property format-version=3 or upgrade it", context: ["column": path])
            }
            guard field.type.formatVersionMin <= formatVersion else { throw newer("the type \(field.type)") }
            guard formatVersion >= 3 || field.initialDefault == nil else { throw newer("the default") }
            guard formatVersion >= 3 || field.writeDefault == nil else { throw newer("the default") }
            guard field.type != .unknown || !field.required else {
                throw FirnError(
                    .invalidInput, "bad_column_type", "column \"\(path)\" of type unknown cannot be required",
                    context: ["column": path])
            }
        }
    }

    private static func checkNames(_ fields: [Field], path: String) throws(FirnError) {
        var seen: [String: String] = [:]
        for field in fields {
            let full = path.isEmpty ? field.name : path + "." + field.name
            guard !field.name.isEmpty, field.name.utf8.count <= Limits.nameBytesMax,
                !field.name.unicodeScalars.contains(where: { $0.value < 0x20 })
            else {
                throw FirnError(
                    .invalidInput, "bad_column_name",
                    "a column name needs 1 to \(Limits.nameBytesMax) bytes without control characters",
                    context: ["column": full])
            }
            for key in AvroNames.clashKeys(field.name) {
                if let other = seen.updateValue(field.name, forKey: key) {
                    throw FirnError(
                        .invalidInput, "duplicate_column",
                        "column \"\(field.name)\" clashes with \"\(other)\": names must differ by more than case",
                        context: ["column": full])
                }
            }
            try checkNested(field.type, path: full)
        }
    }

    private static func checkNested(_ type: DataType, path: String) throws(FirnError) {
        switch type {
        case .structure(let type): try checkNames(type.fields, path: path)
        case .list(let type): try checkNested(type.element, path: path + ".element")
        case .map(let type):
            try checkNested(type.key, path: path + ".key")
            try checkNested(type.value, path: path + ".value")
        default: break
        }
    }

    private static func checkIdentifiers(_ schema: Schema) throws(FirnError) {
        for id in schema.identifierFieldIds {
            guard let chain = schema.chain(to: id), let field = chain.last,
                field.type.isPrimitive, field.type != .float, field.type != .double, chain.allSatisfy(\.required)
            else {
                throw FirnError(
                    .invalidInput, "bad_identifier_field",
                    "identifier fields must be required primitives, not float or double, outside lists and maps",
                    context: ["column": schema.path(id: id) ?? "id \(id)"])
            }
        }
    }

    static func check(_ spec: PartitionSpec, _ schema: Schema) throws(FirnError) {
        var names: Set<String> = []
        var pairs: Set<String> = []
        for field in spec.fields {
            func bad(_ message: String) -> FirnError {
                FirnError(.invalidInput, "bad_partition_spec", message, context: ["partition": field.name])
            }
            let source = try source(field.sourceId, field.transform, schema, "bad_partition_spec")
            guard !field.name.isEmpty, field.name.utf8.count <= Limits.nameBytesMax else {
                throw bad("a partition field needs a name")
            }
            for key in AvroNames.clashKeys(field.name) {
                guard names.insert(key).inserted else { throw bad("two partition fields are named \"\(field.name)\"") }
            }
            guard pairs.insert("\(field.sourceId) \(field.transform)").inserted else {
                throw bad("the same transform of \"\(source.name)\" occurs twice")
            }
            // A partition field shares a column's name only where it shares its values.
            if let column = schema.field(named: field.name), column.id != field.sourceId || field.transform != .identity
            {
                throw bad("the partition field \"\(field.name)\" has the name of a column")
            }
        }
    }

    static func check(_ order: SortOrder, _ schema: Schema) throws(FirnError) {
        for field in order.fields { _ = try source(field.sourceId, field.transform, schema, "bad_sort_order") }
    }

    private static func source(
        _ id: Int, _ transform: Transform, _ schema: Schema, _ code: String
    ) throws(FirnError) -> Field {
        guard let field = schema.chain(to: id)?.last else {
            throw FirnError(.invalidInput, code, "there is no column with id \(id) outside lists and maps")
        }
        guard transform.accepts(field.type) else {
            throw FirnError(
                .invalidInput, code, "\(transform) cannot be applied to type \(field.type)",
                context: ["column": field.name])
        }
        return field
    }
}
