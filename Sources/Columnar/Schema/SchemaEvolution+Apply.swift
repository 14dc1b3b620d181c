import Base

extension SchemaChange {
    /// The schema after the change, with ids from `lastColumnId` + 1 for what is new: each new column first, then what
    /// is nested in it. Fields keep their order; new ones stand at the end of their struct unless a position is given.
    /// The schema id is unchanged.
    ///
    /// - Throws: `.invalidInput` for what is wrong whatever the table's state: `bad_promotion`, `bad_column_name`,
    ///   `duplicate_column` (names that differ only by case), `identifier_field` (the change would take away what
    ///   identifies rows), `bad_identifier_field`, `map_key`, `not_a_struct`, `not_a_column` (an element or value where
    ///   a column is needed), `empty_struct`, `bad_position`, `bad_default`, `incompatible_change`;
    ///   `.notFound` `unknown_column`; `.conflict` `column_exists` for a column that is there with a type that cannot
    ///   hold the wanted one; `.limitExceeded` `too_many_columns`, `nesting_too_deep`.
    public func apply(to schema: Schema, lastColumnId: Int) throws(FirnError) -> (schema: Schema, lastColumnId: Int) {
        var editor = SchemaEditor(schema, lastColumnId: max(lastColumnId, schema.highestFieldId))
        let last = editor.lastColumnId
        // The whole schema counts as one required struct with id 0.
        var root = Field(id: 0, name: "", required: true, type: .structure(schema.structType))
        for operation in operations { try editor.apply(operation, to: &root) }
        guard editor.lastColumnId == last || Schema.jsonDepth(root.type) <= Schema.jsonDepthMax else {
            throw FirnError(
                .limitExceeded, "nesting_too_deep", "columns nested this deep do not fit a table's metadata")
        }
        var changed = schema
        if case .structure(let type) = root.type { changed.fields = type.fields }
        changed.identifierFieldIds = editor.identifierFieldIds
        try changed.checkIdentifiers(before: schema)
        return (changed, editor.lastColumnId)
    }
}

extension Schema {
    /// Spec: https://iceberg.apache.org/spec/#identifier-field-ids
    fileprivate func checkIdentifiers(before: Schema) throws(FirnError) {
        for id in identifierFieldIds {
            guard field(id: id) != nil else {
                throw FirnError(
                    .invalidInput, "identifier_field",
                    "column \"\(before.path(id: id) ?? "id \(id)")\" identifies rows and cannot be dropped: "
                        + "choose other identifier columns first",
                    context: ["column": before.path(id: id) ?? "id \(id)"])
            }
            // What another writer made of its schema stays its own affair.
            guard !before.identifierFieldIds.contains(id) else { continue }
            guard let chain = chain(to: id), let field = chain.last, field.type.isPrimitive,
                field.type != .float, field.type != .double, chain.allSatisfy(\.required)
            else {
                throw FirnError(
                    .invalidInput, "bad_identifier_field",
                    "identifier columns must be required primitives, not float or double, outside lists, maps and "
                        + "optional structs", context: ["column": path(id: id) ?? "id \(id)"])
            }
        }
    }

    /// Nesting of a schema in its JSON form that leaves room for the metadata around it.
    static let jsonDepthMax = Limits.nestingDepthMax - 8

    /// How deep a type's JSON form nests: a struct is an object, its array of fields and one of these.
    static func jsonDepth(_ type: DataType) -> Int {
        switch type {
        case .structure(let type): 3 + (type.fields.map { jsonDepth($0.type) }.max() ?? 0)
        case .list(let type): 1 + jsonDepth(type.element)
        case .map(let type): 1 + max(jsonDepth(type.key), jsonDepth(type.value))
        default: 0
        }
    }
}

/// What the names of new columns must be.
public enum ColumnNames {
    /// Checks a new column and all that is nested in it, but not against its siblings.
    ///
    /// Throws `.invalidInput` (`bad_column_name`, `duplicate_column`).
    public static func check(_ field: Field, path: ColumnPath) throws(FirnError) {
        guard isValid(field.name) else {
            throw FirnError(
                .invalidInput, "bad_column_name",
                "a column name needs 1 to \(Limits.nameBytesMax) bytes without control characters",
                context: ["column": path.description])
        }
        try checkNested(field.type, path)
    }

    public static func isValid(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= Limits.nameBytesMax && !name.unicodeScalars.contains { $0.value < 0x20 }
    }

    private static func checkNested(_ type: DataType, _ path: ColumnPath) throws(FirnError) {
        switch type {
        case .structure(let type):
            var keys: Set<String> = []
            for field in type.fields {
                try check(field, path: path.appending(field.name))
                for key in AvroNames.clashKeys(field.name) where !keys.insert(key).inserted {
                    throw clash(path.appending(field.name))
                }
            }
        case .list(let type): try checkNested(type.element, path.appending("element"))
        case .map(let type):
            try checkNested(type.key, path.appending("key"))
            try checkNested(type.value, path.appending("value"))
        default: break
        }
    }

    static func clash(_ path: ColumnPath) -> FirnError {
        FirnError(
            .invalidInput, "duplicate_column",
            "column \"\(path)\" clashes with another one: names must differ by more than case",
            context: ["column": path.description])
    }
}
