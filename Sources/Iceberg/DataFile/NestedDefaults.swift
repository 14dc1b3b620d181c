import Base
import Columnar

/// Initial defaults of fields inside structs, lists and maps that a file lacks.
///
/// Spec: https://iceberg.apache.org/spec/#default-values
struct NestedDefaults {
    /// Those that the file has.
    let fieldIds: Set<Int>

    private func isDefault(_ field: Field) -> Bool { field.initialDefault != nil && !fieldIds.contains(field.id) }

    /// True when a column of this type lacks a field that has a default.
    func apply(to type: DataType) -> Bool {
        children(type).contains { isDefault($0) || apply(to: $0.type) }
    }

    /// The type that the file can be asked for: what it lacks is optional.
    func relaxed(_ type: DataType) -> DataType {
        switch type {
        case .structure(var type):
            for index in type.fields.indices {
                if isDefault(type.fields[index]) { type.fields[index].required = false }
                type.fields[index].type = relaxed(type.fields[index].type)
            }
            return .structure(type)
        case .list(var type):
            type.element = relaxed(type.element)
            return .list(type)
        case .map(var type):
            type.key = relaxed(type.key)
            type.value = relaxed(type.value)
            return .map(type)
        default: return type
        }
    }

    /// A column as read, with its wanted type and the defaults where the struct around them is there.
    func fill(_ column: Column, _ type: DataType) -> Column {
        let storage: Column.Storage
        switch (type, column.storage) {
        case (.structure(let type), .structure(let children)):
            storage = .structure(
                zip(type.fields, children).map { field, child in
                    guard isDefault(field), let value = field.initialDefault else { return fill(child, field.type) }
                    return RowLayout.column(field.type, value, count: column.rowCount).masked(by: column)
                })
        case (.list(let type), .list(let offsets, let element)):
            storage = .list(offsets: offsets, element: [fill(element[0], type.element)])
        case (.map(let type), .map(let offsets, let entries)):
            storage = .map(offsets: offsets, entries: [fill(entries[0], type.key), fill(entries[1], type.value)])
        default: return column
        }
        return Column(
            type: type, rowCount: column.rowCount, validity: column.validity, nullCount: column.nullCount,
            storage: storage)
    }

    /// Ids of fields below the top whose values are no column of the file, though a default says what they are.
    func computedIds(_ fields: [Field], isInside: Bool = false) -> Set<Int> {
        var ids: Set<Int> = []
        for field in fields {
            let isInside = isInside || isDefault(field)
            for child in children(field.type) {
                if isInside || isDefault(child) { ids.insert(child.id) }
            }
            ids.formUnion(computedIds(children(field.type), isInside: isInside))
        }
        return ids
    }

    private func children(_ type: DataType) -> [Field] {
        switch type {
        case .structure(let type): type.fields
        case .list(let type): [type.elementField]
        case .map(let type): [type.keyField, type.valueField]
        default: []
        }
    }
}
