import Base
import Iceberg

/// Which snapshots and references are no longer wanted: exactly those of the request, or those that the table's
/// retention, with the request's exceptions, lets go.
enum SnapshotExpiry {
    static func select(
        _ request: TableCommitter.ExpiryRequest, of metadata: TableMetadata, nowMs: Int64
    ) throws -> Retention.Expired {
        if let ids = request.snapshotIds {
            return Retention.Expired(snapshotIds: try selectExactly(ids, of: metadata))
        }
        return Retention(
            metadata.tableProperties, nowMs: nowMs, oldBeforeMs: request.olderThanMs, snapshotsMin: request.retainLast
        ).expired(in: metadata)
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
