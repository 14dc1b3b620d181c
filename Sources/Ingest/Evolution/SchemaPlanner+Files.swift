import Base
import Columnar

extension SchemaPlanner {
    /// The change that lets a file with schema `inferred` into a table with schema `current`, nil for none.
    ///
    /// Columns are matched by name. One that the table lacks becomes optional; timestamps in nanoseconds become
    /// microseconds. A wider type widens the column where Iceberg allows it. A required column that the file lacks
    /// becomes optional unless it identifies rows; one that the file merely allows to be null stays required, since its
    /// records are refused one by one if they are null. What cannot be had, such as a name that clashes, is left out.
    public static func plan(inferred: Schema, current: Schema) -> SchemaChange? {
        var comparison = SchemaComparison()
        comparison.compare(inferred.fields, current.fields, .root)
        var schema = current
        var operations: [SchemaChange.Operation] = []
        for operation in comparison.operations {
            guard
                let next = try? SchemaChange([operation]).apply(
                    to: schema, lastColumnId: schema.highestFieldId
                ).schema
            else { continue }
            schema = next
            operations.append(operation)
        }
        return operations.isEmpty ? nil : SchemaChange(operations)
    }
}

private struct SchemaComparison {
    private(set) var operations: [SchemaChange.Operation] = []

    mutating func compare(_ wanted: [Field], _ known: [Field], _ path: ColumnPath) {
        for field in wanted {
            if let own = known.first(where: { $0.name.utf8.elementsEqual(field.name.utf8) }) {
                compare(field.type, own.type, path.appending(own.name))
            } else {
                var new = field
                new.type = field.type.inMicroseconds
                operations.append(.addColumn(parent: path, field: new))
            }
        }
        for own in known where own.required {
            guard !wanted.contains(where: { $0.name.utf8.elementsEqual(own.name.utf8) }) else { continue }
            operations.append(.makeOptional(path.appending(own.name)))
        }
    }

    private mutating func compare(_ wanted: DataType, _ known: DataType, _ path: ColumnPath) {
        switch (wanted, known) {
        case (.structure(let wanted), .structure(let known)): compare(wanted.fields, known.fields, path)
        case (.list(let wanted), .list(let known)):
            compare(wanted.element, known.element, path.appending("element"))
        case (.map(let wanted), .map(let known)): compare(wanted.value, known.value, path.appending("value"))
        default:
            if known != wanted, known.widens(to: wanted) { operations.append(.widen(path, to: wanted)) }
        }
    }
}

extension DataType {
    /// The same type with every timestamp in microseconds.
    fileprivate var inMicroseconds: DataType {
        switch self {
        case .structure(var type):
            for index in type.fields.indices { type.fields[index].type = type.fields[index].type.inMicroseconds }
            return .structure(type)
        case .list(var type):
            type.element = type.element.inMicroseconds
            return .list(type)
        case .map(var type):
            type.key = type.key.inMicroseconds
            type.value = type.value.inMicroseconds
            return .map(type)
        default: return microseconds
        }
    }
}
