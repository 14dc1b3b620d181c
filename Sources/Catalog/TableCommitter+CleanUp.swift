import Base
import Iceberg
import SQLiteKit
import Storage

/// Commits that tidy up: no row of the table changes.
extension TableCommitter {
    /// What to expire. Nil falls back to the table's properties.
    public struct ExpiryRequest: Sendable {
        /// Snapshots at least this old go; default: now minus `history.expire.max-snapshot-age-ms`.
        public var olderThanMs: Int64?
        /// So many newest snapshots of each branch stay; default: `history.expire.min-snapshots-to-keep`.
        public var retainLast: Int?
        /// Exactly these go, whatever their age; heads of branches and tags never do.
        public var snapshotIds: [Int64]?
        /// Only what this branch or tag reaches goes, and the reference itself when its age is over.
        public var reference: String?

        public init(
            olderThanMs: Int64? = nil, retainLast: Int? = nil, snapshotIds: [Int64]? = nil, reference: String? = nil
        ) {
            self.olderThanMs = olderThanMs
            self.retainLast = retainLast
            self.snapshotIds = snapshotIds
            self.reference = reference
        }
    }

    /// One commit of an expiry.
    public struct ExpiryStep: Sendable {
        public let result: CommitResult
        public let snapshots: Int
        /// Branches and tags whose age was over.
        public let references: [String]
        /// Files that are garbage in the ledger now.
        public let garbage: [String]
        /// Snapshots that the request lets go and that this step left.
        public let remaining: Int
    }

    /// Times that an expiry searches before it believes that a file is missing.
    private static let missingTriesMax = 8

    /// Removes snapshots from the table and turns the files that only they reached into garbage, in one commit; the
    /// next collection deletes them. Answers how many snapshots went.
    ///
    /// Throws `.conflict` (`expiry_disabled`) when the table's `gc.enabled` is false, `.notFound`
    /// (`unknown_reference`).
    public func expire(_ request: ExpiryRequest) throws -> (result: CommitResult, expired: Int) {
        guard let step = try expireNext(request) else {
            return (
                CommitResult(snapshotId: nil, table: try loadBase(), attempts: 0, times: CommitTimes()), 0
            )
        }
        return (step.result, step.snapshots)
    }

    /// The same for at most `snapshotsMax` snapshots, the oldest first; nil when nothing is to go.
    ///
    /// What becomes unreachable is searched before the table's commits are held up, and checked against what came
    /// meanwhile. So an expiry of any size never keeps ingestion waiting for long. When the table moved on in a way
    /// that matters, such as when another process expires it too, it searches again, as `commit.retry.*` allows.
    ///
    /// - Parameter checkpoint: called with the bytes of metadata read since the last call; its throw ends the expiry.
    public func expireNext(
        _ request: ExpiryRequest, snapshotsMax: Int = .max, checkpoint: (Int64) throws -> Void = { _ in }
    ) throws -> ExpiryStep? {
        let clock = core.environment.clock
        let started = clock.monotonicNanos()
        var attempt = 1
        while true {
            let base = try loadBase()
            let nowMs = core.nowMs
            let (gone, remaining) = try expired(request, of: base.metadata, nowMs: nowMs, snapshotsMax)
            if gone.isEmpty { return nil }
            do {
                let plan = try SnapshotProducer.planExpiry(
                    of: base.metadata, snapshotIds: Set(gone.snapshotIds), references: gone.references,
                    store: core.store, checkpoint: checkpoint)
                let result = try commit(
                    TableChange(prepare: { [core, identifier] base, context in
                        let now = try SnapshotExpiry.select(request, of: base.metadata, nowMs: nowMs)
                        guard Set(now.snapshotIds).isSuperset(of: gone.snapshotIds),
                            Set(now.references).isSuperset(of: gone.references)
                        else { throw Self.overtaken(identifier) }
                        return TableChange.Prepared(
                            commit: try SnapshotProducer.expire(
                                plan, base: base.metadata, baseLocation: base.metadataLocation, context: context,
                                store: core.store), unreachable: plan.unreachable)
                    }))
                return ExpiryStep(
                    result: result, snapshots: gone.snapshotIds.count, references: gone.references,
                    garbage: plan.unreachable, remaining: remaining)
            } catch let error as FirnError where Self.isOvertaken(error) {
                let waitMs = RetryPolicy(base.metadata.tableProperties).waitMs(
                    afterAttempt: attempt, elapsedMs: Int((clock.monotonicNanos() - started) / 1_000_000),
                    random: core.environment.random.next())
                guard let waitMs, error.kind != .notFound || attempt < Self.missingTriesMax else { throw error }
                _ = Semaphore().wait(milliseconds: waitMs)
                attempt += 1
            }
        }
    }

    /// What the request lets go, without doing it: the snapshots and references, and the files that only they reach.
    public func planExpiry(
        _ request: ExpiryRequest, checkpoint: (Int64) throws -> Void = { _ in }
    ) throws -> (table: Table, plan: ExpiryPlan) {
        let base = try loadBase()
        let gone = try expired(request, of: base.metadata, nowMs: core.nowMs, .max).gone
        let plan = try SnapshotProducer.planExpiry(
            of: base.metadata, snapshotIds: Set(gone.snapshotIds), references: gone.references, store: core.store,
            checkpoint: checkpoint)
        return (base, plan)
    }

    private func expired(
        _ request: ExpiryRequest, of metadata: TableMetadata, nowMs: Int64, _ snapshotsMax: Int
    ) throws -> (gone: Retention.Expired, remaining: Int) {
        guard metadata.tableProperties.allowsExpiry else {
            throw FirnError(
                .conflict, "expiry_disabled", "gc.enabled is false: files may belong to other tables",
                context: ["table": identifier.description])
        }
        var gone = try SnapshotExpiry.select(request, of: metadata, nowMs: nowMs)
        let remaining = max(0, gone.snapshotIds.count - snapshotsMax)
        gone.snapshotIds.removeLast(remaining)
        return (gone, remaining)
    }

    private static func overtaken(_ id: TableIdentifier) -> FirnError {
        FirnError(
            .conflict, "expiry_overtaken", "a snapshot to expire is wanted again", context: ["table": id.description])
    }

    /// The table changed between search and commit in a way that matters, or files vanished during the search.
    private static func isOvertaken(_ error: FirnError) -> Bool {
        ["expiry_overtaken", "snapshot_referenced"].contains(error.code) || error.kind == .notFound
    }

    /// Takes delete files out of the table that apply to no row. Throws `.conflict` as `SnapshotProducer.removeDeletes`
    /// says: look again.
    public func removeDeletes(
        _ removed: [DeleteUse.Candidate], known: Set<String>, summary: [String: String] = [:]
    ) throws -> CommitResult {
        try commit(
            TableChange(prepare: { [core] base, context in
                let commit = try SnapshotProducer.removeDeletes(
                    base: base.metadata, baseLocation: base.metadataLocation, removed: removed, known: known,
                    context: Self.stamped(context, base, summary), store: core.store)
                return TableChange.Prepared(commit: commit)
            }))
    }

    /// Puts manifests in the place of others with the same live files. Throws `.conflict` as
    /// `SnapshotProducer.replaceManifests` says: plan again.
    ///
    /// - Parameter added: recorded in the ledger by this process and written.
    public func replaceManifests(
        _ removed: [ManifestFile], by added: [ManifestFile], summary: [String: String] = [:]
    ) throws -> CommitResult {
        try commit(
            TableChange(
                prepare: { [core] base, context in
                    let commit = try SnapshotProducer.replaceManifests(
                        base: base.metadata, baseLocation: base.metadataLocation, removed: removed, added: added,
                        context: Self.stamped(context, base, summary), store: core.store)
                    return TableChange.Prepared(commit: commit)
                }, added: added.map(\.path)))
    }

    private static func stamped(_ context: CommitContext, _ base: Table, _ summary: [String: String]) -> CommitContext {
        var context = context
        let stamp = SnapshotSummary.carried(from: base.metadata, version: FirnVersion.current)
        context.summary = summary.merging(stamp) { _, stamp in stamp }
        return context
    }
}
