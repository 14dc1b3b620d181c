import Base
import SQLiteKit

extension Warehouse {
    /// All namespaces with their ancestors, sorted.
    public func listNamespaces() throws -> [[String]] {
        try core.database.read { try Namespaces.all(in: $0) }
    }

    /// The namespaces one level below `parent`; the top level for an empty one. Throws `.notFound`
    /// (`namespace_not_found`).
    public func listNamespaces(under parent: [String]) throws -> [[String]] {
        try core.database.readConsistently { database in
            if !parent.isEmpty { try Namespaces.require(parent, in: database) }
            return try Namespaces.all(in: database).filter {
                $0.count == parent.count + 1 && Array($0.dropLast()) == parent
            }
        }
    }

    public func namespaceExists(_ namespace: [String]) throws -> Bool {
        try core.database.read { try Namespaces.exists(namespace, in: $0) }
    }

    /// Throws `.invalidInput` (`bad_identifier`, `bad_property`), `.alreadyExists` (`namespace_exists`,
    /// `name_taken_by_table`).
    ///
    /// - Parameters:
    ///   - request: keeps its answer, `answer`, in the same transaction.
    public func createNamespace(
        _ namespace: [String], properties: [String: String] = [:], ifNotExists: Bool = false,
        request: KeyedRequest? = nil, answer: [UInt8] = []
    ) throws {
        try NameRules.check(namespace: namespace)
        try core.database.write { database in
            if ifNotExists, try Namespaces.exists(namespace, in: database) { return }
            try Namespaces.create(namespace, properties: properties, in: database)
            try keepSuccess(of: request, body: answer, in: database)
        }
    }

    /// Throws `.notFound` (`namespace_not_found`).
    public func namespaceProperties(_ namespace: [String]) throws -> [String: String] {
        try core.database.readConsistently { try Namespaces.properties(namespace, in: $0) }
    }

    /// Sets and removes properties; a key in both is set. Throws `.notFound`, `.invalidInput` (`bad_property`).
    public func setNamespaceProperties(
        _ namespace: [String], set: [String: String], remove: Set<String> = []
    ) throws {
        try core.database.write { try Namespaces.update(namespace, set: set, remove: remove, in: $0) }
    }

    /// The same for a client that wants to know what it changed.
    public func changeNamespaceProperties(
        _ namespace: [String], set: [String: String], remove: Set<String>, request: KeyedRequest? = nil
    ) throws -> NamespaceChange {
        try core.database.write { database in
            let known = try Namespaces.properties(namespace, in: database)
            try Namespaces.update(namespace, set: set, remove: remove, in: database)
            let change = NamespaceChange(
                updated: set.keys.sorted(), removed: remove.filter { known[$0] != nil }.sorted(),
                missing: remove.filter { known[$0] == nil }.sorted())
            try keepSuccess(of: request, body: change.json.serialize(), in: database)
            return change
        }
    }

    /// Throws `.notFound`, `.conflict` (`namespace_not_empty`).
    public func dropNamespace(_ namespace: [String], request: KeyedRequest? = nil) throws {
        try core.database.write { database in
            try Namespaces.drop(namespace, in: database)
            try keepSuccess(of: request, in: database)
        }
    }

    /// True when a first record may create a table in this namespace: its own property, or the nearest ancestor's.
    public func allowsTableInference(in namespace: [String]) throws -> Bool {
        for depth in stride(from: namespace.count, to: 0, by: -1) {
            let level = Array(namespace.prefix(depth))
            guard try namespaceExists(level) else { continue }
            if let value = try namespaceProperties(level)[Self.autoCreateProperty] { return value == "true" }
        }
        return false
    }
}

/// Which properties of a namespace were set, which removed, and which were to be removed and not there.
public struct NamespaceChange: Sendable, Hashable {
    public let updated: [String]
    public let removed: [String]
    public let missing: [String]

    public var json: JSONValue {
        [
            "updated": .array(updated.map { .string($0) }), "removed": .array(removed.map { .string($0) }),
            "missing": .array(missing.map { .string($0) }),
        ]
    }
}
