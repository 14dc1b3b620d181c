import Base

extension SchemaChange {
    /// The schema after the change, with ids from `lastColumnId` + 1 for what is new: each new column first, then what
    /// is nested in it. Fields keep their order; new ones stand at the end of their struct. The schema id is unchanged.
    ///
    /// - Throws: `.invalidInput` for what is wrong whatever the table's state: `bad_promotion`, `bad_column_name`,
    ///   `duplicate_column` (names that differ only by case), `identifier_field`, `map_key`, `not_a_struct`;
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
        return (changed, editor.lastColumnId)
    }
}

extension Schema {
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

/// What is known of a schema while it is being changed.
///
/// A type is taken out of its field while it changes, so that a thousand new columns are not a thousand copies.
private struct SchemaEditor {
    private(set) var lastColumnId: Int
    private var fieldCount: Int
    /// Fields that lie on the way to an identifier field.
    private let identifying: Set<Int>
    /// What is known of structs that an operation led through, by the id of their field; 0 for the schema itself.
    private var structs: [Int: Names] = [:]

    /// Names are compared byte by byte: Swift's own comparison would join names that differ in their Unicode form.
    private struct Names {
        var places: [[UInt8]: Int] = [:]
        var taken: Set<String> = []

        init(_ type: StructType) {
            for field in type.fields { add(field.name) }
        }

        mutating func add(_ name: String) {
            places[Array(name.utf8)] = places.count
            taken.formUnion(AvroNames.clashKeys(name))
        }
    }

    init(_ schema: Schema, lastColumnId: Int) {
        self.lastColumnId = lastColumnId
        fieldCount = schema.allFields.count
        identifying = Set(schema.identifierFieldIds.flatMap { schema.chain(to: $0) ?? [] }.map(\.id))
    }

    mutating func apply(_ operation: SchemaChange.Operation, to root: inout Field) throws(FirnError) {
        switch operation {
        case .addColumn(let parent, let field): try edit(&root, parent, 0, .add(field))
        case .widen(let path, let type): try edit(&root, path, 0, .widen(type))
        case .makeOptional(let path): try edit(&root, path, 0, .makeOptional)
        }
    }

    private mutating func place(of name: String, in type: StructType, owner: Int) -> Int? {
        if structs[owner] == nil { structs[owner] = Names(type) }
        return structs[owner]?.places[Array(name.utf8)]
    }

    private enum Edit {
        case add(Field)
        case widen(DataType)
        case makeOptional
    }

    /// Walks from `field` along `path`, of which `depth` names are behind, and edits what lies at its end.
    private mutating func edit(
        _ field: inout Field, _ path: ColumnPath, _ depth: Int, _ change: Edit
    ) throws(FirnError) {
        if depth == path.names.count, try finish(&field, path, change) { return }
        let name = depth < path.names.count ? path.names[depth] : nil
        switch field.type {
        case .structure(var type):
            guard let name, let index = place(of: name, in: type, owner: field.id) else { throw unknown(path) }
            field.type = .boolean
            try edit(&type.fields[index], path, depth + 1, change)
            field.type = .structure(type)
        case .list(var type):
            var element = type.elementField
            try edit(&element, path, name == "element" ? depth + 1 : depth, change)
            type.element = element.type
            type.elementRequired = element.required
            field.type = .list(type)
        case .map(var type):
            guard name != "key" else {
                throw FirnError(
                    .invalidInput, "map_key", "the keys of a map cannot change",
                    context: ["column": path.description])
            }
            var value = type.valueField
            try edit(&value, path, name == "value" ? depth + 1 : depth, change)
            type.value = value.type
            type.valueRequired = value.required
            field.type = .map(type)
        default: throw unknown(path)
        }
    }

    /// Edits the field at the end of a path; false when the edit belongs further down, to an element or value.
    private mutating func finish(
        _ field: inout Field, _ path: ColumnPath, _ change: Edit
    ) throws(FirnError) -> Bool {
        switch change {
        case .add(let new):
            switch field.type {
            case .structure(var type):
                field.type = .boolean
                try add(new, to: &type, owner: field.id, path)
                field.type = .structure(type)
            case .list, .map: return false
            default:
                throw FirnError(
                    .invalidInput, "not_a_struct", "column \"\(path)\" is \(field.type) and cannot have columns in it",
                    context: ["column": path.description])
            }
        case .widen(let type):
            guard !path.names.isEmpty else { throw unknown(path) }
            if type.isPrimitive, type.widens(to: field.type) { return true }
            guard field.type.widens(to: type) else {
                throw FirnError(
                    .invalidInput, "bad_promotion",
                    "column \"\(path)\" of type \(field.type) cannot become \(type): int widens to long, float to "
                        + "double, a decimal to more digits", context: ["column": path.description])
            }
            field.type = type
        case .makeOptional:
            guard !path.names.isEmpty else { throw unknown(path) }
            guard field.required else { return true }
            guard !identifying.contains(field.id) else {
                throw FirnError(
                    .invalidInput, "identifier_field", "column \"\(path)\" identifies rows and must stay required",
                    context: ["column": path.description])
            }
            field.required = false
        }
        return true
    }

    private mutating func add(
        _ new: Field, to type: inout StructType, owner: Int, _ parent: ColumnPath
    ) throws(FirnError) {
        let path = parent.appending(new.name)
        if let index = place(of: new.name, in: type, owner: owner) {
            return try absorb(new.type, into: &type.fields[index], path)
        }
        try ColumnNames.check(new, path: path)
        guard structs[owner]?.taken.isDisjoint(with: AvroNames.clashKeys(new.name)) == true else {
            throw ColumnNames.clash(path)
        }
        fieldCount += Schema(fields: [new]).allFields.count
        guard fieldCount <= Limits.columnsMax, parent.names.count < Limits.nestingDepthMax else {
            throw FirnError(
                .limitExceeded, "too_many_columns", "the schema would have more than \(Limits.columnsMax) columns",
                context: ["column": path.description])
        }
        structs[owner]?.add(new.name)
        var ids = FieldIds(after: lastColumnId)
        type.fields += ids.assign([new])
        lastColumnId = ids.last
    }

    /// Makes a column that is there already hold what a change wanted to add under its name.
    private mutating func absorb(
        _ wanted: DataType, into field: inout Field, _ path: ColumnPath
    ) throws(FirnError) {
        switch (wanted, field.type) {
        case (.structure(let wanted), .structure(var type)):
            for new in wanted.fields { try add(Self.optional(new), to: &type, owner: field.id, path) }
            field.type = .structure(type)
        case (.list(let wanted), .list(var type)):
            var element = type.elementField
            try absorb(wanted.element, into: &element, path.appending("element"))
            type.element = element.type
            field.type = .list(type)
        case (.map(let wanted), .map(var type)) where wanted.key.withoutIds.fits(in: type.key.withoutIds):
            var value = type.valueField
            try absorb(wanted.value, into: &value, path.appending("value"))
            type.value = value.type
            field.type = .map(type)
        case (_, _) where wanted.widens(to: field.type): break
        default:
            throw FirnError(
                .conflict, "column_exists", "column \"\(path)\" exists as \(field.type), which cannot hold \(wanted)",
                context: ["column": path.description])
        }
    }

    private static func optional(_ field: Field) -> Field {
        Field(id: 0, name: field.name, required: false, type: field.type, doc: field.doc)
    }

    private func unknown(_ path: ColumnPath) -> FirnError {
        FirnError(
            .notFound, "unknown_column", "there is no column \"\(path)\"", context: ["column": path.description])
    }
}

extension DataType {
    /// True for a map's key that needs no change to hold `self`.
    fileprivate func fits(in type: DataType) -> Bool { self == type || widens(to: type) }
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
