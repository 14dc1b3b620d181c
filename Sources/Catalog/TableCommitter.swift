import Base
import Iceberg
import SQLiteKit
import Storage
import Synchronization

/// Commits to one table, one at a time in this process, rebasing on what others commit.
///
/// Blocking; call it from a pool thread. Every method throws `FirnError`:
/// - `.notFound` (`table_not_found`), `.conflict` (`table_replaced`) when the name means another table now,
/// - `.fenced` (`log_position_mismatch`, `producer_rewound`) when another process commits from this table's log,
/// - `.conflict` (`commit_conflict`) when other writers won more often than `commit.retry.*` allows,
/// - `.outcomeUnknown` when the commit may have happened: call `settle`, and delete nothing before it answers.
///
/// After every other error the commit has not happened, and the files written for it are gone; the data files that the
/// caller wrote stay, still pending in the ledger, for a retry or for `FileLedger.abandon`.
public final class TableCommitter: Sendable {
    /// How an unclear commit turned out.
    public enum Settlement: Sendable, Hashable {
        /// There was none.
        case nothingOpen
        case committed
        case notCommitted
    }

    public let identifier: TableIdentifier
    public let tableUUID: UUID
    let core: CatalogCore
    let state = Mutex(State())

    struct State: Sendable {
        /// The last attempt whose COMMIT was unclear.
        var open: OpenAttempt?
        /// Garbage of the last commits; deleted a few at a time.
        var retired: [String] = []
    }

    struct OpenAttempt: Sendable {
        /// The objects of the attempt; empty when only marks moved.
        let objects: [String]
        let position: UInt64?
    }

    init(identifier: TableIdentifier, tableUUID: UUID, core: CatalogCore) {
        self.identifier = identifier
        self.tableUUID = tableUUID
        self.core = core
    }

    /// The table as it is now. Throws `.conflict` (`table_replaced`) when the name means another table now.
    public func table() throws -> Table { try loadBase() }

    /// Decides a commit that ended as `.outcomeUnknown`; its files are deleted if it did not happen. Throws
    /// `.outcomeUnknown` while the catalog cannot tell.
    public func settle() throws -> Settlement {
        try state.withLock { try settle(&$0) }
    }

    /// Runs a change to its end.
    func commit(_ change: TableChange) throws -> CommitResult {
        try JointCommit(core: core).run([JointCommit.Participant(committer: self, change: change)])[0]
    }

    func loadBase() throws -> Table {
        let table = try core.loadTable(identifier)
        guard table.metadata.tableUUID == tableUUID else {
            throw FirnError(
                .conflict, "table_replaced", "\(identifier) is another table than before",
                context: ["table": identifier.description])
        }
        return table
    }

    /// Times rise with every commit, so that "as of" queries have one answer even when the clock steps back.
    func context(on base: Table, attempt: Int) -> CommitContext {
        let environment = core.environment
        var snapshotId = environment.snapshotId()
        while base.metadata.snapshot(id: snapshotId) != nil { snapshotId = environment.snapshotId() }
        return CommitContext(
            snapshotId: snapshotId, commitUUID: environment.uuid(), metadataUUID: environment.uuid(),
            nowMs: max(core.nowMs, base.metadata.lastUpdatedMs + 1), attempt: attempt, expiresSnapshots: true)
    }

    /// Files that stay behind here are still pending in the ledger, and go with the next recovery.
    func abandon(_ objects: [String]) { try? core.ledger.abandon(objects) }
}

extension TableCommitter {
    /// The commit transaction removes the ledger rows of what it makes live, and only it does while this process lives.
    /// So once a transaction of ours has gone through, a missing row says committed and a present one says it never
    /// will be.
    func settle(_ state: inout State) throws -> Settlement {
        guard let open = state.open else { return try settleRemote() }
        let committed: Bool
        do {
            committed = try core.database.settle { database in
                if let object = open.objects.last {
                    return try database.queryRow("SELECT 1 FROM firn_ledger WHERE path = ?", [.text(object)]) == nil
                }
                return try MarkStore.position(tableUUID, in: database) >= (open.position ?? 0)
            }
        } catch let error as FirnError {
            throw FirnError(
                .outcomeUnknown, "commit_outcome_unknown",
                "the catalog cannot tell yet whether the last commit happened",
                context: ["table": identifier.description], cause: error)
        }
        state.open = nil
        if !committed { abandon(open.objects) }
        return committed ? .committed : .notCommitted
    }

    /// The same for a commit that is open at another catalog, of this process or of one that is gone.
    private func settleRemote() throws -> Settlement {
        guard try core.database.read({ try OpenCommit.exists(tableUUID, in: $0) }) else { return .nothingOpen }
        let attachment = try core.attachment(identifier)
        let properties = try core.lastKnownTable(identifier).metadata.tableProperties
        do {
            return try RemoteCommit(attachment: attachment, core: core).settle(properties)
        } catch let error as FirnError where error.code == "remote_commit_open" {
            return .nothingOpen
        }
    }

    /// Files that a commit deletes in passing at most; each costs a fraction of a millisecond.
    private static let retiredAtOnceMax = 256
    /// Files remembered for the next commits; the ledger knows them all, so the others wait for a collection.
    private static let retiredMax = 16_384

    /// Deletes what the last commits made garbage, metadata files that fell off the log and files of expired snapshots:
    /// a batch at a time and best effort. Their rows say garbage, so what fails here is left to the next collection.
    func retire(_ state: inout State) {
        guard state.retired.count >= 16 else { return }
        let batch = Array(state.retired.prefix(Self.retiredAtOnceMax))
        _ = try? core.ledger.collect(batch)
        state.retired.removeFirst(batch.count)
        state.retired.removeLast(max(0, state.retired.count - Self.retiredMax))
    }
}
