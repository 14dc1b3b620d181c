import Base
import Columnar
import Iceberg
import SQLiteKit
import Storage

extension TableCommitter {
    /// Commits any change of the metadata that adds no snapshot: properties, schema, specs, refs.
    ///
    /// `change` gets the current metadata and answers the new one; it runs again on the new base when another writer
    /// commits first, so it must check its own preconditions on what it is given. Answering the same metadata commits
    /// nothing.
    public func update(_ change: (TableMetadata) throws -> TableMetadata) throws -> CommitResult {
        try withoutActuallyEscaping(change) { change in
            try commit(
                TableChange(prepare: { base, context in
                    let changed = try change(base.metadata)
                    guard changed != base.metadata else { return nil }
                    return TableChange.Prepared(
                        commit: try MetadataCommit.prepare(
                            changed, base: base.metadata, baseLocation: base.metadataLocation, context: context))
                }))
        }
    }

    /// Commits a prepared change of any kind, such as one a REST client sends.
    ///
    /// `build` answers the commit on the given base, nil for no change; it runs again when another writer commits
    /// first.
    /// Files that the change makes live and that this process did not write need no ledger row.
    public func commit(
        building build: (Table, CommitContext) throws -> PreparedCommit?
    ) throws -> CommitResult {
        try withoutActuallyEscaping(build) { build in
            try commit(
                TableChange(prepare: { base, context in
                    try build(base, context).map { TableChange.Prepared(commit: $0) }
                }))
        }
    }

    /// Sets and removes table properties; `format-version` upgrades the table. Reserved names and folders outside the
    /// warehouse are refused with `.invalidInput` (`bad_property`), a lower version with `format_version_lowered`.
    public func setProperties(
        _ set: [String: String], remove: Set<String> = [],
        check: ([String: String], Schema) throws -> Void = { _, _ in }
    ) throws -> CommitResult {
        try PropertyRules.check(set, directory: core.directory)
        return try update { metadata in
            var metadata = metadata
            if let version = set[PropertyRules.formatVersion].flatMap({ Int($0) }), version != metadata.formatVersion {
                try metadata.apply(.upgradeFormatVersion(version), nowMs: metadata.lastUpdatedMs)
            }
            try metadata.setProperties(set, removing: remove.sorted())
            try check(metadata.properties, metadata.currentSchema)
            return metadata
        }
    }

    /// Makes an older snapshot of a branch its head again. Nothing is deleted; the snapshots after it stay until
    /// they expire.
    ///
    /// Throws `.invalidInput` (`unknown_snapshot`, `not_an_ancestor`).
    public func rollback(to snapshotId: Int64, branch: String = TableMetadata.mainBranch) throws -> CommitResult {
        try commit(building: { base, context in
            guard base.metadata.refs[branch]?.snapshotId != snapshotId else { return nil }
            return try SnapshotProducer.setCurrent(
                base: base.metadata, baseLocation: base.metadataLocation, snapshotId: snapshotId, branch: branch,
                context: context)
        })
    }

    /// Creates or moves a branch or tag; nil removes it. Throws `.invalidInput` (`unknown_snapshot`, `bad_reference`).
    public func setReference(_ name: String, _ reference: SnapshotReference?) throws -> CommitResult {
        try commit(building: { base, context in
            guard base.metadata.refs[name] != reference else { return nil }
            return try SnapshotProducer.setReference(
                base: base.metadata, baseLocation: base.metadataLocation, name: name, reference: reference,
                context: context)
        })
    }
}
