import Base
import Iceberg
import Storage

/// Commits of metadata only, as lists of updates.
extension TableCommitter {
    /// Commits what a client sends as updates and requirements, all or nothing.
    ///
    /// When another writer commits first the requirements are checked again on the new state. The files that the
    /// updates make live were written by the client and need no ledger row; those that they make unreachable are the
    /// client's to delete.
    ///
    /// Throws `.conflict`: `requirement_failed`, or `stale_sequence_number` and `stale_row_id` for snapshots that were
    /// built on an older state; `.invalidInput` for updates that make no sense, `bad_property`, `bad_location` and
    /// `bad_snapshot` included.
    public func apply(_ updates: [TableUpdate], requirements: [TableRequirement]) throws -> CommitResult {
        let change = ForeignChange(updates: updates, requirements: requirements, core: core)
        try change.checkFiles(of: try table())
        return try commit(building: { try change.prepare(on: $0, $1) })
    }

    /// Moves a branch forward to where another branch or tag is.
    ///
    /// Throws `.invalidInput` (`unknown_reference`, `bad_reference`, `not_an_ancestor`).
    public func fastForward(_ branch: String, to source: String) throws -> CommitResult {
        try commit(building: { base, context in
            if let target = base.metadata.refs[source], base.metadata.refs[branch]?.snapshotId == target.snapshotId {
                return nil
            }
            return try SnapshotProducer.fastForward(
                base: base.metadata, baseLocation: base.metadataLocation, branch: branch, to: source,
                context: context)
        })
    }

    /// Makes any snapshot the head of a branch, ancestor or not. Throws `.invalidInput` (`unknown_snapshot`).
    public func setCurrent(_ snapshotId: Int64, branch: String = TableMetadata.mainBranch) throws -> CommitResult {
        try commit(building: { base, context in
            guard base.metadata.refs[branch]?.snapshotId != snapshotId else { return nil }
            return try SnapshotProducer.setCurrent(
                base: base.metadata, baseLocation: base.metadataLocation, snapshotId: snapshotId, anySnapshot: true,
                branch: branch, context: context)
        })
    }

    /// Raises the table's format version, to 2 or 3; it cannot be lowered again.
    ///
    /// Throws `.invalidInput` (`format_version_lowered`), `.unsupported` (`format_version`, `inline_manifests`).
    public func upgrade(formatVersion: Int) throws -> CommitResult {
        try commit(building: { base, context in
            guard base.metadata.formatVersion != formatVersion else { return nil }
            return try SnapshotProducer.upgrade(
                base: base.metadata, baseLocation: base.metadataLocation, formatVersion: formatVersion,
                context: context)
        })
    }
}
