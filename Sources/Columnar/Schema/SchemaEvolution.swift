import Base

/// The way from the top of a schema down to a field, by name. A list's element is named `element`, a map's value
/// `value`.
public struct ColumnPath: Sendable, Hashable, CustomStringConvertible {
    public var names: [String]

    public static let root = ColumnPath([])

    public init(_ names: [String]) { self.names = names }

    /// Splits at dots. A name with a dot in it needs the other initialiser.
    public init(dotted text: String) {
        names = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    }

    public var description: String { names.joined(separator: ".") }

    public func appending(_ name: String) -> ColumnPath { ColumnPath(names + [name]) }
}

/// A change of a schema that every file written before stays readable under: an ordered list of operations.
///
/// Columns are named by path, not by id, so that a change planned on one schema can be applied to a later one. What is
/// already true of the schema is skipped: several batches may plan the same change, and the first one wins.
///
/// Spec: https://iceberg.apache.org/spec/#schema-evolution
public struct SchemaChange: Sendable, Hashable {
    public enum Operation: Sendable, Hashable {
        /// An optional column at the end of the struct at `parent`; ids in `field` mean nothing. A parent that is a
        /// list or map stands for its element or value.
        case addColumn(parent: ColumnPath, field: Field)
        /// int to long, float to double, or a decimal to one of more digits and the same scale.
        case widen(ColumnPath, to: DataType)
        /// Lets a required field, list element or map value be null.
        case makeOptional(ColumnPath)
    }

    public private(set) var operations: [Operation]

    public init(_ operations: [Operation] = []) {
        self.operations = operations.map(Self.normalized)
    }

    public var isEmpty: Bool { operations.isEmpty }

    /// This change and then what the other one asks for beyond it.
    public func merging(_ other: SchemaChange) -> SchemaChange {
        var merged = self
        let known = Set(operations)
        merged.operations += other.operations.filter { !known.contains($0) }
        return merged
    }

    /// New columns are optional and have no ids yet.
    private static func normalized(_ operation: Operation) -> Operation {
        guard case .addColumn(let parent, var field) = operation else { return operation }
        field.id = 0
        field.required = false
        field.type = field.type.withoutIds
        return .addColumn(parent: parent, field: field)
    }
}

extension SchemaChange: CustomStringConvertible {
    /// One line, the operations separated by semicolons.
    public var description: String { operations.map(\.description).joined(separator: "; ") }
}

extension SchemaChange.Operation: CustomStringConvertible {
    /// What it does, for people: `widen column n to long`.
    public var description: String {
        switch self {
        case .addColumn(let parent, let field): "add column \(parent.appending(field.name)) \(field.type)"
        case .widen(let path, let type): "widen column \(path) to \(type)"
        case .makeOptional(let path): "make column \(path) optional"
        }
    }
}

extension DataType {
    /// The same type with every id 0.
    public var withoutIds: DataType {
        switch self {
        case .structure(let type):
            .structure(
                StructType(
                    fields: type.fields.map {
                        Field(id: 0, name: $0.name, required: $0.required, type: $0.type.withoutIds, doc: $0.doc)
                    }))
        case .list(let type):
            .list(ListType(elementId: 0, element: type.element.withoutIds, elementRequired: type.elementRequired))
        case .map(let type):
            .map(
                MapType(
                    keyId: 0, key: type.key.withoutIds, valueId: 0, value: type.value.withoutIds,
                    valueRequired: type.valueRequired))
        default: self
        }
    }

    /// True when every value of this primitive is one of `type` too, and Iceberg lets a column change so, also when
    /// both are the same.
    ///
    /// Spec: https://iceberg.apache.org/spec/#schema-evolution (valid type promotions of versions 1 and 2)
    public func widens(to type: DataType) -> Bool {
        switch (self, type) {
        case (.int, .long), (.float, .double): true
        case (.decimal(let precision, let scale), .decimal(let wider, let same)): scale == same && precision <= wider
        default: isPrimitive && self == type
        }
    }
}
