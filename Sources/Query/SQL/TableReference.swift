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

/// What of a table between two of its states a statement asks for: `FOR CHANGES BETWEEN a AND b`.
public struct ChangeRange: Hashable, Sendable {
    /// Excluded; nil for the beginning of the history.
    public let from: VersionSelector?
    /// Included.
    public let to: VersionSelector
    /// Only rows that appends added, without the columns that describe changes.
    public let appendsOnly: Bool

    public init(from: VersionSelector?, to: VersionSelector, appendsOnly: Bool) {
        self.from = from
        self.to = to
        self.appendsOnly = appendsOnly
    }
}

/// Tables that describe a table: `"ns.table$snapshots"`.
public enum MetadataTable: String, Hashable, Sendable, CaseIterable {
    case snapshots, history, refs, manifests, files, partitions
    /// Told by the catalog.
    case jobs, schedules, producers, metrics
}

/// A table as a statement names it.
public struct TableReference: Hashable, Sendable, CustomStringConvertible {
    /// At least one level.
    public let namespace: [String]
    public let name: String
    public let metadata: MetadataTable?
    public let version: VersionSelector
    /// Nil for a state of the table rather than changes.
    public let changes: ChangeRange?

    public init(
        namespace: [String], name: String, metadata: MetadataTable? = nil, version: VersionSelector = .current,
        changes: ChangeRange? = nil
    ) {
        self.namespace = namespace
        self.name = name
        self.metadata = metadata
        self.version = version
        self.changes = changes
    }

    /// `namespace.table`, without metadata suffix and version.
    public var tableName: String { (namespace + [name]).joined(separator: ".") }
    /// The name that columns can be qualified with when the statement gives no alias.
    public var alias: String { name + (metadata.map { "$" + $0.rawValue } ?? "") }
    public var description: String { (namespace + [alias]).joined(separator: ".") }
}
