import Base

/// What a commit takes from the world: identities and the clock, so that preparing one is pure.
public struct CommitContext: Sendable {
    /// Positive, random, unused in the table.
    public var snapshotId: Int64
    /// Names manifests and the manifest list.
    public var commitUUID: UUID
    /// Names the metadata file; a new one for every attempt.
    public var metadataUUID: UUID
    public var nowMs: Int64
    /// What the snapshot shows was so at this time already, which is not after `nowMs`; nil for nothing earlier.
    public var snapshotMs: Int64?
    /// From 1; retries of one commit count up, so that no file name comes twice.
    public var attempt: Int
    /// Further summary entries; the counts of the change win over equal keys.
    public var summary: [String: String]
    /// Commits that make a snapshot also remove some that the table's retention no longer keeps.
    public var expiresSnapshots: Bool

    public init(
        snapshotId: Int64, commitUUID: UUID, metadataUUID: UUID, nowMs: Int64, attempt: Int = 1,
        summary: [String: String] = [:], expiresSnapshots: Bool = false
    ) {
        self.snapshotId = snapshotId
        self.commitUUID = commitUUID
        self.metadataUUID = metadataUUID
        self.nowMs = nowMs
        self.attempt = attempt
        self.summary = summary
        self.expiresSnapshots = expiresSnapshots
    }
}

/// A commit that is ready: write `objects` in order, then swap the table's pointer to `metadataLocation`. A catalog
/// that writes metadata files itself gets `requirements` and `updates` instead of the last object.
public struct PreparedCommit: Sendable {
    /// The base with `updates` applied, its times and logs stamped.
    public var metadata: TableMetadata
    public var metadataLocation: String
    /// Manifests, then the manifest list, then the metadata file.
    public var objects: [(location: String, bytes: [UInt8])]
    /// The new snapshot; nil for changes of metadata only.
    public var snapshot: Snapshot?
    /// Metadata files that fell off the log and may go after the commit, when the table's
    /// `write.metadata.delete-after-commit.enabled` says so.
    public var removedMetadataFiles: [String]
    /// Files that no snapshot reaches after the commit and that may go then.
    public var unreachable: [String] = []
    public var updates: [TableUpdate]
    /// What the updates rely on.
    public var requirements: [TableRequirement]

    public init(
        metadata: TableMetadata, metadataLocation: String, objects: [(location: String, bytes: [UInt8])],
        snapshot: Snapshot?, removedMetadataFiles: [String], updates: [TableUpdate] = [],
        requirements: [TableRequirement] = []
    ) {
        self.metadata = metadata
        self.metadataLocation = metadataLocation
        self.objects = objects
        self.snapshot = snapshot
        self.removedMetadataFiles = removedMetadataFiles
        self.updates = updates
        self.requirements = requirements
    }
}
