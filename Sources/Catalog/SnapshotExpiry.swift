import Base
import Iceberg

/// Which snapshots and references are no longer wanted: exactly those of the request, or those that the table's
/// retention, with the request's exceptions, lets go; of these only what the request's reference reaches.
enum SnapshotExpiry {
    static func select(
        _ request: TableCommitter.ExpiryRequest, of metadata: TableMetadata, nowMs: Int64
    ) throws -> Retention.Expired {
        var expired: Retention.Expired
        if let ids = request.snapshotIds {
            expired = Retention.Expired(snapshotIds: try selectExactly(ids, of: metadata))
        } else {
            expired = Retention(
                metadata.tableProperties, nowMs: nowMs, oldBeforeMs: request.olderThanMs,
                snapshotsMin: request.retainLast
            ).expired(in: metadata)
        }
        if let name = request.reference {
            let reached = try reached(from: name, in: metadata)
            expired.snapshotIds.removeAll { !reached.contains($0) }
            expired.references.removeAll { $0 != name }
        }
        return expired
    }

    private static func selectExactly(_ ids: [Int64], of metadata: TableMetadata) throws -> [Int64] {
        let heads = Set(metadata.refs.values.map(\.snapshotId))
        for id in ids where heads.contains(id) {
            throw FirnError(
                .invalidInput, "snapshot_referenced", "snapshot \(id) is the head of a branch or tag",
                context: ["snapshot-id": String(id)])
        }
        let wanted = Set(ids)
        return metadata.snapshots.map(\.snapshotId).filter(wanted.contains)
    }

    private static func reached(from name: String, in metadata: TableMetadata) throws -> Set<Int64> {
        guard let reference = metadata.refs[name] else {
            throw FirnError(.notFound, "unknown_reference", "there is no branch or tag \"\(name)\"")
        }
        let parents = Dictionary(
            metadata.snapshots.map { ($0.snapshotId, $0.parentSnapshotId) }, uniquingKeysWith: { first, _ in first })
        var reached: Set<Int64> = []
        var current: Int64? = reference.snapshotId
        while let id = current, parents[id] != nil, reached.insert(id).inserted { current = parents[id] ?? nil }
        return reached
    }
}
