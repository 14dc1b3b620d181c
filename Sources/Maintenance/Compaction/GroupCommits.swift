import Base
import Catalog
import Iceberg

/// Commits finished groups, several in one snapshot, under whatever others commit meanwhile.
///
/// 1. Try. The committer rebases on appends and whatever else does not touch the groups; that costs no group anything.
/// 2. Refused, because rows or files of some group's inputs went: look at the table as it is now (`Meanwhile`), carry
///    over what can be, let go of groups that are void, and try again with the others.
/// 3. When the commits of others are faster than this for `roundsMax` rounds, all groups left are given up.
struct GroupCommits {
    static let roundsMax = 20

    let warehouse: Warehouse
    let table: TableIdentifier
    let progress: RunProgress
    /// For tests of conflicts.
    let beforeCommit: () throws -> Void

    struct Outcome {
        var committed: [FinishedGroup] = []
        var snapshotId: Int64?
        var lost: [LostGroup] = []
    }

    /// After a throw nothing was committed and the outputs are abandoned, or (`.outcomeUnknown`) nobody knows.
    func commit(_ finished: [FinishedGroup]) throws -> Outcome {
        var groups = finished
        do {
            return try commit(&groups)
        } catch {
            // Only paths that are still pending are touched, so an output that did get committed is safe.
            if (error as? FirnError)?.kind != .outcomeUnknown {
                for group in groups { try? warehouse.ledger.abandon(group.paths) }
            }
            throw error
        }
    }

    private func commit(_ groups: inout [FinishedGroup]) throws -> Outcome {
        var outcome = Outcome()
        // All groups of a run are read at ancestors of the newest of their snapshots, or else refused.
        guard var checkedAt = groups.max(by: { $0.base.sequenceNumber < $1.base.sequenceNumber })?.base.snapshotId
        else { return outcome }
        var round = 1
        while !groups.isEmpty {
            do {
                try progress.read(0, isDue: true)
                try beforeCommit()
                try warehouse.environment.faults.reach(.compactionBeforeCommit)
                outcome.snapshotId = try replace(groups, checkedAt: checkedAt)
            } catch let error as FirnError where error.kind == .conflict && error.code != "table_replaced" {
                guard round < Self.roundsMax else {
                    for group in groups { lose(group, error, &outcome) }
                    return outcome
                }
                round += 1
                checkedAt = try settle(&groups, error, &outcome)
                continue
            }
            outcome.committed = groups
            try warehouse.environment.faults.reach(.compactionAfterCommit)
            return outcome
        }
        return outcome
    }

    /// Brings the groups to the table as it is now; answers the snapshot that they were checked at.
    private func settle(
        _ groups: inout [FinishedGroup], _ conflict: FirnError, _ outcome: inout Outcome
    ) throws -> Int64 {
        let now = try warehouse.committer(for: table).table()
        let meanwhile = try Meanwhile(
            now, groups.map(\.plan), warehouse: warehouse, checkpoint: { try progress.read($0, isDue: true) })
        guard let snapshotId = meanwhile.snapshotId else { throw conflict }
        var kept: [FinishedGroup] = []
        for index in groups.indices {
            do {
                groups[index] = try meanwhile.settle(groups[index])
                kept.append(groups[index])
            } catch let error as FirnError where error.kind == .conflict || error.kind == .notFound {
                lose(groups[index], error, &outcome)
            }
        }
        groups = kept
        return snapshotId
    }

    private func lose(_ group: FinishedGroup, _ reason: FirnError, _ outcome: inout Outcome) {
        try? warehouse.ledger.abandon(group.paths)
        outcome.lost.append(LostGroup(plan: group.plan, reason: reason))
    }

    private func replace(_ groups: [FinishedGroup], checkedAt: Int64) throws -> Int64? {
        let committer = try warehouse.committer(for: table)
        do {
            return try committer.replace(groups.map(\.replacement), checkedAt: checkedAt).snapshotId
        } catch let error as FirnError where error.kind == .outcomeUnknown {
            guard try committer.settle() != .notCommitted else {
                throw FirnError(
                    .conflict, "commit_failed", "the commit did not happen", context: error.context, cause: error)
            }
            return try committer.table().metadata.currentSnapshotId
        }
    }
}
