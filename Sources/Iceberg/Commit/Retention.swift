/// How long a table's snapshots stay.
///
/// 1. The head of every branch and tag stays.
/// 2. Of each branch, walking back from its head, a snapshot stays while it is among the newest `snapshotsMin` or not
///    older than the age; the first that is neither ends the walk. A branch's own settings win over the table's.
/// 3. Snapshots that no reference reaches stay while they are not older than the table's age.
/// 4. References themselves end with their own age; `main` never does.
///
/// Spec: https://iceberg.apache.org/spec/#snapshot-retention-policy
public struct Retention: Hashable, Sendable {
    /// Snapshots from before this time are old.
    public var oldBeforeMs: Int64
    /// So many of the newest snapshots of each branch stay, whatever their age; at least 1.
    public var snapshotsMin: Int
    /// What the ages of references count from.
    public var nowMs: Int64
    /// The age at which references without an age of their own end; nil for never.
    public var referenceAgeMs: Int64?

    /// Whatever the arguments leave open follows from `history.expire.*`.
    public init(
        _ properties: TableProperties, nowMs: Int64, oldBeforeMs: Int64? = nil, snapshotsMin: Int? = nil
    ) {
        let age = properties.integer("history.expire.max-snapshot-age-ms", default: 432_000_000)
        self.oldBeforeMs = oldBeforeMs ?? Self.before(nowMs, Int64(age))
        self.snapshotsMin = max(
            1, snapshotsMin ?? properties.integer("history.expire.min-snapshots-to-keep", default: 1))
        self.nowMs = nowMs
        referenceAgeMs = properties["history.expire.max-ref-age-ms"].flatMap { Int64($0) }.flatMap {
            $0 > 0 && $0 < Int64.max ? $0 : nil
        }
    }

    /// What the policy no longer keeps.
    public struct Expired: Hashable, Sendable {
        public var snapshotIds: [Int64] = []
        /// Names of branches and tags, sorted.
        public var references: [String] = []

        public init(snapshotIds: [Int64] = [], references: [String] = []) {
            self.snapshotIds = snapshotIds
            self.references = references
        }

        public var isEmpty: Bool { snapshotIds.isEmpty && references.isEmpty }
    }

    /// Snapshots oldest first as the metadata lists them.
    public func expired(in metadata: TableMetadata) -> Expired {
        let byId = Dictionary(metadata.snapshots.map { ($0.snapshotId, $0) }, uniquingKeysWith: { first, _ in first })
        var expired = Expired()
        var retained: Set<Int64> = []
        var reached: Set<Int64> = []
        for (name, reference) in metadata.refs {
            if name != TableMetadata.mainBranch, let head = byId[reference.snapshotId],
                let age = reference.maxReferenceAgeMs ?? referenceAgeMs, head.timestampMs < Self.before(nowMs, age)
            {
                expired.references.append(name)
                continue
            }
            retained.insert(reference.snapshotId)
            reached.insert(reference.snapshotId)
            guard reference.kind == .branch else { continue }
            walk(reference, byId, &retained, &reached)
        }
        expired.references.sort()
        expired.snapshotIds = metadata.snapshots.filter { snapshot in
            if retained.contains(snapshot.snapshotId) { return false }
            return reached.contains(snapshot.snapshotId) || snapshot.timestampMs < oldBeforeMs
        }.map(\.snapshotId)
        return expired
    }

    /// Ages come from metadata files: no age may wrap around.
    private static func before(_ nowMs: Int64, _ ageMs: Int64) -> Int64 {
        let (time, overflow) = nowMs.subtractingReportingOverflow(ageMs)
        return overflow ? (ageMs > 0 ? .min : .max) : time
    }

    private func walk(
        _ branch: SnapshotReference, _ byId: [Int64: Snapshot], _ retained: inout Set<Int64>,
        _ reached: inout Set<Int64>
    ) {
        let oldBeforeMs = branch.maxSnapshotAgeMs.map { Self.before(nowMs, $0) } ?? oldBeforeMs
        let keep = max(1, branch.minSnapshotsToKeep ?? snapshotsMin)
        var current = byId[branch.snapshotId]
        var seen: Set<Int64> = []
        var wanted = true
        while let snapshot = current, seen.insert(snapshot.snapshotId).inserted {
            wanted = wanted && (seen.count <= keep || snapshot.timestampMs >= oldBeforeMs)
            if wanted { retained.insert(snapshot.snapshotId) }
            reached.insert(snapshot.snapshotId)
            current = snapshot.parentSnapshotId.flatMap { byId[$0] }
        }
    }
}
