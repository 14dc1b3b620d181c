import Base

/// The name of a table: one or more namespace levels and the table's own name, written `sales.eu.orders`.
public struct TableIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let namespace: [String]
    public let name: String

    /// What the name of a table of dead letters ends in.
    public static let deadLettersSuffix = "$dead_letters"

    /// Checks every part against `NameRules`, the name without the suffix of dead letters; throws `.invalidInput`
    /// (`bad_identifier`).
    public init(namespace: [String], name: String) throws(FirnError) {
        try NameRules.check(namespace: namespace)
        let isDeadLetters = name.hasSuffix(Self.deadLettersSuffix)
        try NameRules.check(isDeadLetters ? String(name.dropLast(Self.deadLettersSuffix.count)) : name)
        self.init(unchecked: namespace, name: name)
    }

    /// Parses `namespace.table`, with any number of namespace levels from one; throws as the other initialiser.
    public init(parsing text: String) throws(FirnError) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 2 else {
            throw NameRules.bad(text, "write namespace.table")
        }
        try self.init(namespace: Array(parts.dropLast()), name: parts[parts.count - 1])
    }

    /// A name to look up, which another engine with other rules may have given. Throws `.notFound`
    /// (`namespace_not_found`, `table_not_found`) for one that no table can have.
    public init(existing namespace: [String], name: String) throws(FirnError) {
        try NameRules.checkExisting(namespace)
        guard !name.isEmpty, name.utf8.count <= Limits.nameBytesMax, !name.utf8.contains(0) else {
            throw FirnError(.notFound, "table_not_found", "there is no table of this name")
        }
        self.init(unchecked: namespace, name: name)
    }

    /// For names read from the catalog, where another engine with other rules may have put them.
    init(unchecked namespace: [String], name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// True for a table that holds the dead letters of another.
    public var isDeadLetters: Bool { name.hasSuffix(Self.deadLettersSuffix) }

    /// Where the records go that this table could not take.
    public var deadLetters: TableIdentifier {
        precondition(!isDeadLetters, "dead letters have no dead letters")
        return TableIdentifier(unchecked: namespace, name: name + Self.deadLettersSuffix)
    }

    /// The namespace as the catalog stores it: levels joined by dots.
    public var namespaceText: String { namespace.joined(separator: ".") }
    public var description: String { namespaceText + "." + name }

    public static func < (a: TableIdentifier, b: TableIdentifier) -> Bool {
        (a.namespaceText, a.name) < (b.namespaceText, b.name)
    }
}
