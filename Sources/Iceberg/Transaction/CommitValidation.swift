import Columnar

/// What a commit that read rows relies on: nothing that others did since may change what it read.
///
/// Spec: https://iceberg.apache.org/docs/latest/reliability/#concurrent-write-operations
public struct CommitValidation: Sendable {
    public enum Isolation: String, Sendable {
        /// As if the commits had run one after the other: no matching rows were added meanwhile either.
        case serializable
        /// Rows added meanwhile are as if added afterwards.
        case snapshot
    }

    /// The snapshot of the branch that was read; nil when there was none, so that all of history came later.
    public var startSnapshotId: Int64?
    /// The rows that were read; changes elsewhere are no conflict.
    public var conflictFilter: Expression
    public var isolation: Isolation
    /// Rows that matched were written anew (update, merge), so that deletes of them by others would be lost. A plain
    /// delete may delete again what another one deleted.
    public var rewritesRows: Bool

    public init(
        startSnapshotId: Int64?, conflictFilter: Expression = .alwaysTrue, isolation: Isolation = .serializable,
        rewritesRows: Bool = true
    ) {
        self.startSnapshotId = startSnapshotId
        self.conflictFilter = conflictFilter
        self.isolation = isolation
        self.rewritesRows = rewritesRows
    }
}

extension TableProperties {
    public enum RowLevelOperation: String, Sendable { case delete, update, merge }

    /// `write.delete.isolation-level` and its like; serializable by default.
    public func isolation(of operation: RowLevelOperation) -> CommitValidation.Isolation {
        values["write.\(operation.rawValue).isolation-level"].flatMap {
            CommitValidation.Isolation(rawValue: $0.lowercased())
        } ?? .serializable
    }
}
