import Base
import Columnar

/// Compares the columns of an existing file with a table's.
struct FileSchemaCheck: Sendable {
    private let schema: Schema
    /// All names that a column ever had, as they are and as Avro writes them.
    private let names: [Int: Set<String>]

    init(_ metadata: TableMetadata) {
        schema = metadata.currentSchema
        var names: [Int: Set<String>] = [:]
        for schema in metadata.schemas {
            for (_, field) in schema.allFields {
                names[field.id, default: []].formUnion([field.name, AvroNames.sanitize(field.name)])
            }
        }
        self.names = names
    }

    /// The operations that would add what the file has and the table lacks.
    ///
    /// Throws `.invalidInput`: `incompatible_type`, `missing_column`, `field_id_mismatch`, `field_ids`.
    func compare(_ file: Schema, hasIds: Bool, source: String) throws(FirnError) -> [SchemaChange.Operation] {
        var missing: [SchemaChange.Operation] = []
        do {
            try compare(file.fields, schema.fields, .root, hasIds, &missing)
        } catch { throw error.adding(["file": source]) }
        return missing
    }

    private func compare(
        _ file: [Field], _ table: [Field], _ parent: ColumnPath, _ hasIds: Bool,
        _ missing: inout [SchemaChange.Operation]
    ) throws(FirnError) {
        for field in file {
            let path = parent.appending(field.name)
            guard let column = table.first(where: { $0.id == field.id }) else {
                guard !hasIds || field.id > 0 else {
                    throw Self.bad(
                        "field_ids", "column \"\(path)\" has no field id, while others of the file have one", path)
                }
                missing.append(.addColumn(parent: parent, field: Self.added(field)))
                continue
            }
            let known = names[column.id, default: []]
            guard !hasIds || known.contains(field.name) || known.contains(AvroNames.sanitize(field.name)) else {
                throw Self.bad(
                    "field_id_mismatch",
                    "column \"\(path)\" has field id \(field.id), which is \"\(column.name)\" in the table: the file "
                        + "was written for another table", path)
            }
            try compare(field.type, column.type, parent.appending(column.name), hasIds, &missing)
        }
        for column in table where column.required && column.initialDefault == nil {
            guard !file.contains(where: { $0.id == column.id }) else { continue }
            let path = parent.appending(column.name)
            throw Self.bad("missing_column", "the file lacks the required column \"\(path)\"", path)
        }
    }

    private func compare(
        _ file: DataType, _ table: DataType, _ path: ColumnPath, _ hasIds: Bool,
        _ missing: inout [SchemaChange.Operation]
    ) throws(FirnError) {
        switch (file, table) {
        case (.structure(let file), .structure(let table)):
            try compare(file.fields, table.fields, path, hasIds, &missing)
        case (.list(let file), .list(let table)):
            try compare(file.element, table.element, path.appending("element"), hasIds, &missing)
        case (.map(let file), .map(let table)):
            var keys: [SchemaChange.Operation] = []
            try compare(file.key, table.key, path.appending("key"), hasIds, &keys)
            guard keys.isEmpty else { throw Self.mismatch(file.key, table.key, path.appending("key")) }
            try compare(file.value, table.value, path.appending("value"), hasIds, &missing)
        default: guard file.promotes(to: table) || file == table else { throw Self.mismatch(file, table, path) }
        }
    }

    /// As a column of the table: named, optional, without the file's ids.
    private static func added(_ field: Field) -> Field {
        Field(id: 0, name: field.name, required: false, type: field.type.withoutIds)
    }

    private static func mismatch(_ file: DataType, _ table: DataType, _ path: ColumnPath) -> FirnError {
        bad("incompatible_type", "column \"\(path)\" is \(file) in the file and \(table) in the table", path)
    }

    static func bad(_ code: String, _ message: String, _ path: ColumnPath) -> FirnError {
        FirnError(.invalidInput, code, message, context: ["column": path.description])
    }

    /// What the table requires must be required in the file too, or have no null by its counts.
    ///
    /// Throws `.invalidInput` (`null_in_required`).
    func requireValues(_ file: Schema, _ metrics: FooterMetrics, source: String) throws(FirnError) {
        do {
            try requireValues(file.fields, schema.fields, .root, metrics)
        } catch { throw error.adding(["file": source]) }
    }

    private func requireValues(
        _ file: [Field], _ table: [Field], _ parent: ColumnPath, _ metrics: FooterMetrics
    ) throws(FirnError) {
        for column in table {
            guard let field = file.first(where: { $0.id == column.id }) else { continue }
            let path = parent.appending(column.name)
            guard !column.required || field.required || Self.isNeverNull(field, metrics) else {
                throw Self.bad(
                    "null_in_required",
                    "column \"\(path)\" is required in the table, and the file does not prove that it has no null", path
                )
            }
            switch (field.type, column.type) {
            case (.structure(let file), .structure(let table)):
                try requireValues(file.fields, table.fields, path, metrics)
            case (.list(let file), .list(let table)):
                try requireValues([file.elementField], [table.elementField], path, metrics)
            case (.map(let file), .map(let table)):
                try requireValues([file.valueField], [table.valueField], path, metrics)
            default: break
            }
        }
    }

    /// A struct with a member that is never null is never null itself.
    private static func isNeverNull(_ field: Field, _ metrics: FooterMetrics) -> Bool {
        switch field.type {
        case .structure(let type): type.fields.contains { isNeverNull($0, metrics) }
        case .list, .map, .variant: false
        default: metrics.byField[field.id].map { $0.nullCount == 0 && !$0.metrics.isRepeated } ?? false
        }
    }
}
