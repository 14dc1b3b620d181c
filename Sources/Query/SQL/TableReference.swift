import Base

/// Which state of a table a statement asks for.
public enum VersionSelector: Hashable, Sendable, CustomStringConvertible {
    case current
    case snapshot(Int64)
    /// A branch or tag.
    case ref(String)
    /// The head of `main` at this time, milliseconds since 1970-01-01T00:00:00Z.
    case timestamp(ms: Int64)

    public var description: String {
        switch self {
        case .current: "current"
        case .snapshot(let id): "snapshot \(id)"
        case .ref(let name): "ref \(name)"
        case .timestamp(let ms): "timestamp \(ms)"
        }
    }
}

/// Tables that describe a table: `"ns.table$snapshots"`.
public enum MetadataTable: String, Hashable, Sendable, CaseIterable {
    case snapshots, history, refs, manifests, files, partitions
}

/// A table as a statement names it.
public struct TableReference: Hashable, Sendable, CustomStringConvertible {
    /// At least one level.
    public let namespace: [String]
    public let name: String
    public let metadata: MetadataTable?
    public let version: VersionSelector

    public init(
        namespace: [String], name: String, metadata: MetadataTable? = nil, version: VersionSelector = .current
    ) {
        self.namespace = namespace
        self.name = name
        self.metadata = metadata
        self.version = version
    }

    /// `namespace.table`, without metadata suffix and version.
    public var tableName: String { (namespace + [name]).joined(separator: ".") }
    /// The name that columns can be qualified with when the statement gives no alias.
    public var alias: String { name + (metadata.map { "$" + $0.rawValue } ?? "") }
    public var description: String { (namespace + [alias]).joined(separator: ".") }
}
