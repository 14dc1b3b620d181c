import Base
import Storage

/// What an expiry will remove, found on one state of a table and carried out on the same or a later one.
public struct ExpiryPlan: Sendable {
    public let snapshotIds: Set<Int64>
    /// Branches and tags.
    public let references: [String]
    /// Files that only those snapshots reach, sorted.
    public let unreachable: [String]
    /// All snapshots of the state that was searched.
    let known: Set<Int64>
}

extension SnapshotProducer {
    /// Removes snapshots and references from the metadata, and finds the files that no other snapshot needs.
    ///
    /// The files may be deleted once the commit has succeeded, never before. Unknown ids are ignored; files already
    /// gone are no error.
    ///
    /// Throws `.invalidInput` (`snapshot_referenced`) for a snapshot that a branch or tag names, `.conflict`
    /// (`expiry_disabled`) when the table's `gc.enabled` is false.
    public static func expire(
        base: TableMetadata, baseLocation: String, snapshotIds: Set<Int64>, references: [String] = [],
        context: CommitContext, store: any ObjectStore
    ) throws -> (commit: PreparedCommit, unreachable: [String]) {
        let plan = try planExpiry(of: base, snapshotIds: snapshotIds, references: references, store: store)
        return (
            try expire(plan, base: base, baseLocation: baseLocation, context: context, store: store), plan.unreachable
        )
    }

    /// The search alone, which takes long in tables with many manifests and needs no lock.
    ///
    /// - Parameter checkpoint: called with the bytes of metadata read since the last call; its throw ends the search.
    ///
    /// Throws as `expire`.
    public static func planExpiry(
        of base: TableMetadata, snapshotIds: Set<Int64>, references: [String] = [], store: any ObjectStore,
        checkpoint: (Int64) throws -> Void = { _ in }
    ) throws -> ExpiryPlan {
        let kept = try without(snapshotIds, references, base)
        return ExpiryPlan(
            snapshotIds: snapshotIds, references: references,
            unreachable: try Unreachable.files(after: kept, base: base, store: store, checkpoint: checkpoint),
            known: Set(base.snapshots.map(\.snapshotId)))
    }

    /// Carries a plan out on a state that may have moved on since.
    ///
    /// Only what came since is read: a snapshot that appeared must need none of the files that go.
    ///
    /// Throws as the other `expire`, and `.conflict` (`expiry_overtaken`): plan again.
    public static func expire(
        _ plan: ExpiryPlan, base: TableMetadata, baseLocation: String, context: CommitContext,
        store: any ObjectStore
    ) throws -> PreparedCommit {
        let changed = try without(plan.snapshotIds, plan.references, base)
        let fresh = base.snapshots.filter { !plan.known.contains($0.snapshotId) }
        if !fresh.isEmpty { try checkUnneeded(Set(plan.unreachable), by: fresh, plan, base, store) }
        return try MetadataCommit.prepare(changed, base: base, baseLocation: baseLocation, context: context)
    }

    private static func without(
        _ snapshotIds: Set<Int64>, _ references: [String], _ base: TableMetadata
    ) throws(FirnError) -> TableMetadata {
        guard base.tableProperties.allowsExpiry else {
            throw FirnError(
                .conflict, "expiry_disabled", "gc.enabled is false: files may belong to other tables",
                context: ["table": base.location])
        }
        var changed = base
        for name in references where name != TableMetadata.mainBranch { changed.removeReference(name) }
        try changed.removeSnapshots(snapshotIds)
        return changed
    }

    private static func checkUnneeded(
        _ files: Set<String>, by fresh: [Snapshot], _ plan: ExpiryPlan, _ base: TableMetadata, _ store: any ObjectStore
    ) throws {
        func needed(_ path: String) -> FirnError {
            FirnError(
                .conflict, "expiry_overtaken", "a snapshot that came meanwhile needs a file that would go",
                context: ["file": path])
        }
        var seen: Set<String> = []
        for snapshot in fresh {
            guard !files.contains(snapshot.manifestList) else { throw needed(snapshot.manifestList) }
            for manifest in try Manifests.list(of: snapshot, store: store) {
                guard !files.contains(manifest.path) else { throw needed(manifest.path) }
                // Of manifests that were there before, kept snapshots know what they hold.
                guard !plan.known.contains(manifest.addedSnapshotId), seen.insert(manifest.path).inserted,
                    manifest.mayHaveLiveFiles
                else { continue }
                try Manifests.read(manifest, base, .pathsOnly, store) {
                    guard !$0.isLive || !files.contains($0.dataFile.path) else { throw needed($0.dataFile.path) }
                    return true
                }
            }
        }
        if let path = base.statisticsFiles.first(where: { entry in
            !plan.snapshotIds.contains(entry.snapshotId) && files.contains(entry.path)
        })?.path {
            throw needed(path)
        }
    }
}

/// Expiry as a part of commits that make snapshots, so that a table that is written to all the time never needs another
/// commit for it.
///
/// Only where the table says itself how long snapshots stay, and only while its history is one chain: that is what
/// expires at the price of what is removed. Some snapshots wait until there are enough of them to be worth the reading,
/// and no more than a few go at a time, so that no commit takes long. Every other history is left to
/// `SnapshotProducer.expire`.
enum ExpiryOnCommit {
    static let snapshotsMin = 16
    static let snapshotsMax = 64

    static func plan(
        _ base: TableMetadata, nowMs: Int64, store: any ObjectStore
    ) throws -> (snapshotIds: [Int64], unreachable: [String])? {
        let properties = base.tableProperties
        guard properties.allowsExpiry, properties["history.expire.max-snapshot-age-ms"] != nil else { return nil }
        let retention = Retention(properties, nowMs: nowMs)
        // The list is in order of time, so this is the usual way out.
        guard base.snapshots.count > snapshotsMin,
            base.snapshots[snapshotsMin - 1].timestampMs < retention.oldBeforeMs
        else { return nil }
        // References whose age is over go with the next expiry of their own, and until then they keep what they name.
        let heads = Set(base.refs.values.map(\.snapshotId))
        let expired = retention.expired(in: base).snapshotIds.filter { !heads.contains($0) }
        guard expired.count >= snapshotsMin else { return nil }
        let ids = Array(expired.prefix(snapshotsMax))
        var kept = base
        try kept.removeSnapshots(Set(ids))
        do {
            return try Unreachable.filesOfChain(after: kept, base: base, store: store).map { (ids, $0) }
        } catch let error as FirnError where error.kind == .corrupted || error.kind == .notFound {
            // What is damaged or gone must not stop a commit that has nothing to do with it.
            return nil
        }
    }
}
