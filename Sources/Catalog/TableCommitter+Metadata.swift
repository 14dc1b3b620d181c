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

    /// What to expire. Nil falls back to the table's properties.
    public struct ExpiryRequest: Sendable {
        /// Snapshots at least this old go; default: now minus `history.expire.max-snapshot-age-ms`.
        public var olderThanMs: Int64?
        /// So many newest snapshots of each branch stay; default: `history.expire.min-snapshots-to-keep`.
        public var retainLast: Int?
        /// Exactly these go, whatever their age; heads of branches and tags never do.
        public var snapshotIds: [Int64]?

        public init(olderThanMs: Int64? = nil, retainLast: Int? = nil, snapshotIds: [Int64]? = nil) {
            self.olderThanMs = olderThanMs
            self.retainLast = retainLast
            self.snapshotIds = snapshotIds
        }
    }

    /// Removes snapshots from the table and turns the files that only they reached into garbage, in one commit; the
    /// next collection deletes them. Answers how many snapshots went.
    ///
    /// Throws `.conflict` (`expiry_disabled`) when the table's `gc.enabled` is false.
    public func expire(_ request: ExpiryRequest) throws -> (result: CommitResult, expired: Int) {
        var expired = 0
        let result = try commit(
            TableChange(prepare: { [core, identifier] base, context in
                guard base.metadata.tableProperties.allowsExpiry else {
                    throw FirnError(
                        .conflict, "expiry_disabled", "gc.enabled is false: files may belong to other tables",
                        context: ["table": identifier.description])
                }
                let gone = try SnapshotExpiry.select(request, of: base.metadata, nowMs: context.nowMs)
                expired = gone.snapshotIds.count
                guard !gone.isEmpty else { return nil }
                let (commit, unreachable) = try SnapshotProducer.expire(
                    base: base.metadata, baseLocation: base.metadataLocation, snapshotIds: Set(gone.snapshotIds),
                    references: gone.references, context: context, store: core.store)
                return TableChange.Prepared(commit: commit, unreachable: unreachable)
            }))
        return (result, expired)
    }
}
