import Base

/// What is known of a schema while it is being changed.
///
/// 1. An operation walks from the top of the schema along its path, taking each type out of its field while it changes,
///    so that a thousand new columns are not a thousand copies.
/// 2. At the end of the path the field itself is edited; for changes of a struct's members (add, drop, rename, move)
///    the path is that of the struct.
/// 3. Names of a struct are remembered until its members change in another way than by growing at the end.
struct SchemaEditor {
    private(set) var lastColumnId: Int
    private(set) var identifierFieldIds: [Int]
    private var fieldCount: Int
    /// Fields that lie on the way to an identifier field.
    private var identifying: Set<Int>
    /// What is known of structs that an operation led through, by the id of their field; 0 for the schema itself.
    private var structs: [Int: MemberNames] = [:]

    init(_ schema: Schema, lastColumnId: Int) {
        self.lastColumnId = lastColumnId
        identifierFieldIds = schema.identifierFieldIds
        fieldCount = schema.allFields.count
        identifying = Self.ways(to: schema.identifierFieldIds, in: schema)
    }

    private static func ways(to ids: [Int], in schema: Schema) -> Set<Int> {
        Set(ids.flatMap { schema.chain(to: $0) ?? [] }.map(\.id))
    }

    /// `root` is the schema as one required struct with id 0.
    mutating func apply(_ operation: SchemaChange.Operation, to root: inout Field) throws(FirnError) {
        switch operation {
        case .addColumn(let parent, let field, let position): try edit(&root, parent, 0, .add(field, position))
        case .drop(let path): try edit(&root, Self.parent(of: path), 0, .drop(path))
        case .rename(let path, let name): try edit(&root, Self.parent(of: path), 0, .rename(path, name))
        case .move(let path, let position): try edit(&root, Self.parent(of: path), 0, .move(path, position))
        case .widen(let path, let type): try edit(&root, path, 0, .widen(type))
        case .makeOptional(let path): try edit(&root, path, 0, .makeOptional)
        case .makeRequired(let path, let allowed): try edit(&root, path, 0, .makeRequired(allowed))
        case .document(let path, let text): try edit(&root, path, 0, .document(text))
        case .setDefault(let path, let value): try edit(&root, path, 0, .setDefault(value))
        case .identify(let paths): try identify(paths, root)
        }
    }

    private static func parent(of path: ColumnPath) throws(FirnError) -> ColumnPath {
        guard !path.names.isEmpty else { throw unknown(path) }
        return ColumnPath(path.names.dropLast())
    }

    private enum Edit {
        case add(Field, ColumnPosition?)
        case drop(ColumnPath)
        case rename(ColumnPath, String)
        case move(ColumnPath, ColumnPosition)
        case widen(DataType)
        case makeOptional
        case makeRequired(Bool)
        case document(String?)
        case setDefault(JSONValue)

        /// True for what belongs to a named column, not to elements and values.
        var needsColumn: Bool {
            switch self {
            case .document, .setDefault: true
            default: false
            }
        }
    }

    /// Walks from `field` along `path`, of which `depth` names are behind, and edits what lies at its end.
    private mutating func edit(
        _ field: inout Field, _ path: ColumnPath, _ depth: Int, _ change: Edit
    ) throws(FirnError) {
        if depth == path.names.count, try finish(&field, path, change) { return }
        let name = depth < path.names.count ? path.names[depth] : nil
        let isLast = depth + 1 == path.names.count
        switch field.type {
        case .structure(var type):
            guard let name, let index = place(of: name, in: type, owner: field.id) else { throw Self.unknown(path) }
            field.type = .boolean
            try edit(&type.fields[index], path, depth + 1, change)
            field.type = .structure(type)
        case .list(var type):
            if name == "element", isLast { try Self.checkColumn(change, path) }
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
            if name == "value", isLast { try Self.checkColumn(change, path) }
            var value = type.valueField
            try edit(&value, path, name == "value" ? depth + 1 : depth, change)
            type.value = value.type
            type.valueRequired = value.required
            field.type = .map(type)
        default: throw Self.unknown(path)
        }
    }

    private static func checkColumn(_ change: Edit, _ path: ColumnPath) throws(FirnError) {
        guard change.needsColumn else { return }
        throw FirnError(
            .invalidInput, "not_a_column",
            "\"\(path)\" is no column: elements and values have no descriptions or defaults",
            context: ["column": path.description])
    }

    /// Edits the field at the end of a path; false when the edit belongs further down, to an element or value.
    private mutating func finish(
        _ field: inout Field, _ path: ColumnPath, _ change: Edit
    ) throws(FirnError) -> Bool {
        switch change {
        case .add, .drop, .rename, .move: return try finishMembers(&field, path, change)
        default: break
        }
        guard !path.names.isEmpty else { throw Self.unknown(path) }
        switch change {
        case .widen(let type): try widen(&field, to: type, path)
        case .makeOptional:
            guard field.required else { return true }
            guard !identifying.contains(field.id) else {
                throw FirnError(
                    .invalidInput, "identifier_field", "column \"\(path)\" identifies rows and must stay required",
                    context: ["column": path.description])
            }
            field.required = false
        case .makeRequired(let isAllowed):
            guard !field.required else { return true }
            guard isAllowed else {
                throw FirnError(
                    .invalidInput, "incompatible_change",
                    "column \"\(path)\" may hold null in older rows, which could then not be read: allow an "
                        + "incompatible change if you know that there are none", context: ["column": path.description])
            }
            field.required = true
        case .document(let text): field.doc = text
        case .setDefault(let json): try setDefault(&field, json, path)
        default: break
        }
        return true
    }

    private func widen(_ field: inout Field, to type: DataType, _ path: ColumnPath) throws(FirnError) {
        if type.isPrimitive, type.widens(to: field.type) { return }
        guard field.type.promotes(to: type) else {
            throw FirnError(
                .invalidInput, "bad_promotion",
                "column \"\(path)\" of type \(field.type) cannot become \(type): int widens to long, float to double, a "
                    + "decimal to more digits, and in version 3 date to timestamp, unknown to any type",
                context: ["column": path.description])
        }
        for value in [field.initialDefault, field.writeDefault].compactMap(\.self)
        where value.promoted(to: type) == nil {
            throw FirnError(
                .invalidInput, "bad_promotion", "the default of column \"\(path)\" does not fit \(type)",
                context: ["column": path.description])
        }
        field.type = type
    }

    private func setDefault(_ field: inout Field, _ json: JSONValue, _ path: ColumnPath) throws(FirnError) {
        guard !json.isNull else {
            guard !(field.required && field.initialDefault != nil) else {
                throw FirnError(
                    .invalidInput, "bad_default",
                    "column \"\(path)\" is required and was added with a default: it needs one for new rows too",
                    context: ["column": path.description])
            }
            field.writeDefault = nil
            return
        }
        do {
            field.writeDefault = try Value(defaultJSON: json, as: field.type, what: "default of \"\(path)\"")
        } catch {
            throw FirnError(
                error.kind, "bad_default", error.message, context: ["column": path.description], cause: error)
        }
    }

    private mutating func identify(_ paths: [ColumnPath], _ root: Field) throws(FirnError) {
        var ids: [Int] = []
        for path in paths {
            var field = root
            for name in path.names {
                guard case .structure(let type) = field.type, let index = place(of: name, in: type, owner: field.id)
                else { throw Self.unknown(path) }
                field = type.fields[index]
            }
            guard field.id != 0 else { throw Self.unknown(path) }
            if !ids.contains(field.id) { ids.append(field.id) }
        }
        if Set(ids) != Set(identifierFieldIds) { identifierFieldIds = ids }
        guard case .structure(let type) = root.type else { return }
        identifying = Self.ways(to: identifierFieldIds, in: Schema(fields: type.fields))
    }

    static func unknown(_ path: ColumnPath) -> FirnError {
        FirnError(
            .notFound, "unknown_column", "there is no column \"\(path)\"", context: ["column": path.description])
    }
}

// MARK: - Members of structs

extension SchemaEditor {
    private mutating func place(of name: String, in type: StructType, owner: Int) -> Int? {
        if structs[owner] == nil { structs[owner] = MemberNames(type) }
        return structs[owner]?.places[Array(name.utf8)]
    }

    private mutating func finishMembers(
        _ field: inout Field, _ path: ColumnPath, _ change: Edit
    ) throws(FirnError) -> Bool {
        switch field.type {
        case .structure(var type):
            field.type = .boolean
            switch change {
            case .add(let new, let position): try add(new, to: &type, owner: field.id, path, position)
            case .drop(let column): try drop(column, from: &type, owner: field.id)
            case .rename(let column, let name): try rename(column, to: name, in: &type, owner: field.id)
            case .move(let column, let position): try move(column, position, in: &type, owner: field.id)
            default: break
            }
            field.type = .structure(type)
            return true
        case .list, .map: return false
        default:
            guard case .add = change else { throw Self.unknown(path) }
            throw FirnError(
                .invalidInput, "not_a_struct", "column \"\(path)\" is \(field.type) and cannot have columns in it",
                context: ["column": path.description])
        }
    }

    private mutating func add(
        _ new: Field, to type: inout StructType, owner: Int, _ parent: ColumnPath, _ position: ColumnPosition? = nil
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
        let index = try position.map { position throws(FirnError) in
            try self.index(of: position, in: type, owner: owner, path)
        }
        var ids = FieldIds(after: lastColumnId)
        let field = ids.assign([new])[0]
        lastColumnId = ids.last
        if let index {
            type.fields.insert(field, at: index)
            structs[owner] = nil
        } else {
            structs[owner]?.add(new.name)
            type.fields.append(field)
        }
    }

    /// Where a column at `position` would stand.
    private mutating func index(
        of position: ColumnPosition, in type: StructType, owner: Int, _ path: ColumnPath
    ) throws(FirnError) -> Int {
        let (name, offset): (String, Int)
        switch position {
        case .first: return 0
        case .after(let sibling): (name, offset) = (sibling, 1)
        case .before(let sibling): (name, offset) = (sibling, 0)
        }
        guard let index = place(of: name, in: type, owner: owner) else {
            throw FirnError(
                .invalidInput, "bad_position", "there is no column \"\(name)\" beside \"\(path)\"",
                context: ["column": path.description])
        }
        return index + offset
    }

    private mutating func drop(_ path: ColumnPath, from type: inout StructType, owner: Int) throws(FirnError) {
        guard let index = place(of: path.names.last!, in: type, owner: owner) else { throw Self.unknown(path) }
        guard type.fields.count > 1 else {
            throw FirnError(
                .invalidInput, "empty_struct", "\"\(path)\" is the last column there; one must stay",
                context: ["column": path.description])
        }
        fieldCount -= Schema(fields: [type.fields.remove(at: index)]).allFields.count
        structs[owner] = nil
    }

    private mutating func rename(
        _ path: ColumnPath, to name: String, in type: inout StructType, owner: Int
    ) throws(FirnError) {
        guard let index = place(of: path.names.last!, in: type, owner: owner) else { throw Self.unknown(path) }
        let target = ColumnPath(path.names.dropLast()).appending(name)
        guard ColumnNames.isValid(name) else {
            try ColumnNames.check(Field(id: 0, name: name, required: false, type: .boolean), path: target)
            return
        }
        let keys = AvroNames.clashKeys(name)
        for (place, sibling) in type.fields.enumerated() where place != index {
            guard keys.isDisjoint(with: AvroNames.clashKeys(sibling.name)) else { throw ColumnNames.clash(target) }
        }
        type.fields[index].name = name
        structs[owner] = nil
    }

    private mutating func move(
        _ path: ColumnPath, _ position: ColumnPosition, in type: inout StructType, owner: Int
    ) throws(FirnError) {
        guard let from = place(of: path.names.last!, in: type, owner: owner) else { throw Self.unknown(path) }
        var to = try index(of: position, in: type, owner: owner, path)
        if to > from { to -= 1 }
        guard to != from else { return }
        type.fields.insert(type.fields.remove(at: from), at: to)
        structs[owner] = nil
    }

    /// Makes a column that is there already hold what a change wanted to add under its name.
    private mutating func absorb(
        _ wanted: DataType, into field: inout Field, _ path: ColumnPath
    ) throws(FirnError) {
        switch (wanted, field.type) {
        case (.structure(let wanted), .structure(var type)):
            for new in wanted.fields { try add(Self.absorbed(new), to: &type, owner: field.id, path) }
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
        case (_, _) where wanted == field.type || wanted.widens(to: field.type): break
        default:
            throw FirnError(
                .conflict, "column_exists", "column \"\(path)\" exists as \(field.type), which cannot hold \(wanted)",
                context: ["column": path.description])
        }
    }

    private static func absorbed(_ field: Field) -> Field {
        var field = field
        field.id = 0
        field.required = field.required && field.initialDefault != nil
        return field
    }
}

/// Names are compared byte by byte: Swift's own comparison would join names that differ in their Unicode form.
private struct MemberNames {
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

extension DataType {
    /// True for a map's key that needs no change to hold `self`.
    fileprivate func fits(in type: DataType) -> Bool { self == type || widens(to: type) }
}
