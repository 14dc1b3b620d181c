import Base
import Columnar

/// Branches and tags. Spec: https://iceberg.apache.org/spec/#snapshot-references
extension SnapshotProducer {
    /// Makes an older snapshot current.
    ///
    /// Throws `.invalidInput` (`unknown_snapshot`, or `not_an_ancestor` unless `anySnapshot`).
    public static func setCurrent(
        base: TableMetadata, baseLocation: String, snapshotId: Int64, anySnapshot: Bool = false,
        branch: String = TableMetadata.mainBranch, context: CommitContext
    ) throws -> PreparedCommit {
        if let head = base.refs[branch]?.snapshotId, !anySnapshot, base.snapshot(id: snapshotId) != nil,
            !base.isAncestor(snapshotId, of: head)
        {
            throw FirnError(
                .invalidInput, "not_an_ancestor",
                "snapshot \(snapshotId) is not an ancestor of the head of \"\(branch)\"",
                context: ["snapshot-id": String(snapshotId)])
        }
        var reference = base.refs[branch] ?? SnapshotReference(snapshotId: 0, kind: .branch)
        reference.snapshotId = snapshotId
        return try setReference(
            base: base, baseLocation: baseLocation, name: branch, reference: reference, context: context)
    }

    /// Moves a branch forward to where another branch or tag is; a branch that does not exist is created there.
    ///
    /// Throws `.invalidInput`: `unknown_reference`, `bad_reference` for a tag as `branch`, `not_an_ancestor` when the
    /// branch has commits that the other lacks.
    public static func fastForward(
        base: TableMetadata, baseLocation: String, branch: String, to source: String, context: CommitContext
    ) throws -> PreparedCommit {
        guard let target = base.refs[source] else {
            throw FirnError(.invalidInput, "unknown_reference", "there is no branch or tag \"\(source)\"")
        }
        var reference = base.refs[branch] ?? SnapshotReference(snapshotId: target.snapshotId, kind: .branch)
        guard reference.kind == .branch else {
            throw FirnError(.invalidInput, "bad_reference", "\"\(branch)\" is a tag")
        }
        guard base.isAncestor(reference.snapshotId, of: target.snapshotId) else {
            throw FirnError(
                .invalidInput, "not_an_ancestor", "\"\(branch)\" has commits that \"\(source)\" lacks",
                context: ["snapshot-id": String(reference.snapshotId)])
        }
        reference.snapshotId = target.snapshotId
        return try setReference(
            base: base, baseLocation: baseLocation, name: branch, reference: reference, context: context)
    }

    /// Creates or moves a branch or tag; nil removes it.
    public static func setReference(
        base: TableMetadata, baseLocation: String, name: String, reference: SnapshotReference?, context: CommitContext
    ) throws -> PreparedCommit {
        if reference == nil, name == TableMetadata.mainBranch {
            throw FirnError(.invalidInput, "bad_reference", "the main branch cannot be removed")
        }
        return try MetadataCommit.prepare(
            applying: [reference.map { .setSnapshotRef(name, $0) } ?? .removeSnapshotRef(name)], to: base,
            baseLocation: baseLocation, context: context)
    }
}
