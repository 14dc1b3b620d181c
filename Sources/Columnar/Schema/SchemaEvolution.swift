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

/// Where a column stands among its siblings. Siblings are named as they are called at that point of the change.
public enum ColumnPosition: Sendable, Hashable {
    case first
    case after(String)
    case before(String)
}

/// A change of a schema that every file written before stays readable under: an ordered list of operations, each
/// working on what those before it made.
///
/// Columns are named by path, not by id, so that a change planned on one schema can be applied to a later one. What is
/// already true of the schema is skipped: several batches may plan the same change, and the first one wins.
///
/// Spec: https://iceberg.apache.org/spec/#schema-evolution
public struct SchemaChange: Sendable, Hashable {
    public enum Operation: Sendable, Hashable {
        /// A column in the struct at `parent`, at its end unless a position is given; ids in `field` mean nothing. A
        /// parent that is a list or map stands for its element or value.
        ///
        /// The column is optional. Only one with an `initialDefault` may be required: rows of older files have that.
        case addColumn(parent: ColumnPath, field: Field, position: ColumnPosition? = nil)
        /// Takes a column away with all that is nested in it. Its data stays in older files and snapshots; its id is
        /// spent.
        case drop(ColumnPath)
        case rename(ColumnPath, to: String)
        case move(ColumnPath, ColumnPosition)
        /// To a type that holds all its values: see `DataType.promotes(to:)`.
        case widen(ColumnPath, to: DataType)
        /// Lets a required field, list element or map value be null.
        case makeOptional(ColumnPath)
        /// Forbids null from now on. Older rows may have it, and then cannot be read by every engine: refused unless
        /// `allowIncompatible`.
        case makeRequired(ColumnPath, allowIncompatible: Bool)
        /// Sets a column's description; nil removes it.
        case document(ColumnPath, String?)
        /// Sets what new rows hold that leave the column out, in its single-value JSON form; null removes it.
        case setDefault(ColumnPath, JSONValue)
        /// Makes exactly these columns identify rows.
        case identify([ColumnPath])
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

    /// New columns have no ids yet, and are optional where nothing else would fill older rows.
    private static func normalized(_ operation: Operation) -> Operation {
        guard case .addColumn(let parent, var field, let position) = operation else { return operation }
        field.id = 0
        field.required = field.required && field.initialDefault != nil
        field.type = field.type.withoutIds
        return .addColumn(parent: parent, field: field, position: position)
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
        case .addColumn(let parent, let field, let position):
            "add column \(parent.appending(field.name)) \(field.type)"
                + (field.initialDefault.map { " default \($0.singleValueJSON(as: field.type).text)" } ?? "")
                + (position.map { " \($0)" } ?? "")
        case .drop(let path): "drop column \(path)"
        case .rename(let path, let name): "rename column \(path) to \(name)"
        case .move(let path, let position): "move column \(path) \(position)"
        case .widen(let path, let type): "widen column \(path) to \(type)"
        case .makeOptional(let path): "make column \(path) optional"
        case .makeRequired(let path, _): "make column \(path) required"
        case .document(let path, let text):
            text == nil ? "remove the description of column \(path)" : "describe column \(path)"
        case .setDefault(let path, let value):
            value.isNull ? "remove the default of column \(path)" : "set the default of column \(path) to \(value.text)"
        case .identify(let paths):
            paths.isEmpty
                ? "let no column identify rows"
                : "let \(paths.map(\.description).joined(separator: ", ")) identify rows"
        }
    }
}

extension ColumnPosition: CustomStringConvertible {
    public var description: String {
        switch self {
        case .first: "first"
        case .after(let name): "after \(name)"
        case .before(let name): "before \(name)"
        }
    }
}
