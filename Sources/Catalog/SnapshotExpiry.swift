import Base
import Iceberg

/// Which snapshots are no longer wanted.
///
/// 1. The head of every branch and tag stays.
/// 2. Of each branch, walking back from its head, a snapshot stays while it is among the newest `min-snapshots-to-keep`
///    or younger than `max-snapshot-age-ms`; the first that is neither ends the walk.
/// 3. Snapshots that no ref reaches stay while they are younger than the table's age.
///
/// Spec: https://iceberg.apache.org/spec/#snapshot-retention-policy
enum SnapshotExpiry {
    static func select(
        _ request: TableCommitter.ExpiryRequest, of metadata: TableMetadata, nowMs: Int64
    ) throws -> [Int64] {
        if let ids = request.snapshotIds { return try selectExactly(ids, of: metadata) }
        let properties = metadata.tableProperties
        let ageMs = Int64(properties.integer("history.expire.max-snapshot-age-ms", default: 432_000_000))
        let keep = request.retainLast ?? properties.integer("history.expire.min-snapshots-to-keep", default: 1)
        let cutMs = request.olderThanMs ?? (nowMs - ageMs)
        let byId = Dictionary(metadata.snapshots.map { ($0.snapshotId, $0) }, uniquingKeysWith: { first, _ in first })
        var retained: Set<Int64> = []
        var reached: Set<Int64> = []
        for reference in metadata.refs.values {
            retained.insert(reference.snapshotId)
            reached.insert(reference.snapshotId)
            guard reference.kind == .branch else { continue }
            // A branch's own policy wins over the request: it was set for that branch.
            let branchCutMs = reference.maxSnapshotAgeMs.map { nowMs - $0 } ?? cutMs
            let branchKeep = max(1, reference.minSnapshotsToKeep ?? keep)
            var current = byId[reference.snapshotId]
            var seen: Set<Int64> = []
            var wanted = true
            while let snapshot = current, seen.insert(snapshot.snapshotId).inserted {
                wanted = wanted && (seen.count <= branchKeep || snapshot.timestampMs >= branchCutMs)
                if wanted { retained.insert(snapshot.snapshotId) }
                reached.insert(snapshot.snapshotId)
                current = snapshot.parentSnapshotId.flatMap { byId[$0] }
            }
        }
        return metadata.snapshots.map(\.snapshotId).filter { id in
            if retained.contains(id) { return false }
            return reached.contains(id) || byId[id]!.timestampMs < cutMs
        }
    }

    private static func selectExactly(_ ids: [Int64], of metadata: TableMetadata) throws -> [Int64] {
        let heads = Set(metadata.refs.values.map(\.snapshotId))
        for id in ids where heads.contains(id) {
            throw FirnError(
                .invalidInput, "snapshot_referenced", "snapshot \(id) is the head of a branch or tag",
                context: ["snapshot-id": String(id)])
        }
        let known = Set(metadata.snapshots.map(\.snapshotId))
        return Set(ids).intersection(known).sorted()
    }
}
