// How a change becomes a commit.
//
// 1. One commit of a table runs at a time in this process.
// 2. Load the catalog row and the metadata it points to: the base.
// 3. Build manifests, manifest list and metadata file for the change on that base.
// 4. Record their paths in the ledger, write them, durable.
// 5. One catalog transaction: the pointer moves from the base to the new metadata file, the log position from the one
//    the caller built on to the new one, producer marks and idempotency keys with it; ledger rows of files that become
//    live go, rows for files that become unreachable come.
// 6. Committed: done. Pointer moved by somebody else: delete the files of step 4, wait, go to 2 with the same change
//    and the same preconditions. Anything else before COMMIT: delete and fail. COMMIT unclear: settle it first.

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
    private let state = Mutex(State())

    struct State: Sendable {
        /// The last attempt whose COMMIT was unclear.
        var open: OpenAttempt?
        /// Metadata files that fell off the log; deleted a few at a time.
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
        try state.withLock { state in
            _ = try settle(&state)
            let started = core.environment.clock.monotonicNanos()
            var attempt = 1
            while true {
                let base = try loadBase()
                if let table = try attemptOnce(change, on: base, attempt: attempt, state: &state) {
                    retire(&state)
                    return CommitResult(snapshotId: table.snapshotId, table: table.table, attempts: attempt)
                }
                let elapsedMs = Int((core.environment.clock.monotonicNanos() - started) / 1_000_000)
                let policy = RetryPolicy(base.metadata.tableProperties)
                guard
                    let waitMs = policy.waitMs(
                        afterAttempt: attempt, elapsedMs: elapsedMs, random: core.environment.random.next())
                else {
                    throw FirnError(
                        .conflict, "commit_conflict", "other writers won \(attempt) times in a row",
                        context: ["table": identifier.description])
                }
                _ = Semaphore().wait(milliseconds: waitMs)
                attempt += 1
            }
        }
    }

    private func loadBase() throws -> Table {
        let table = try core.loadTable(identifier)
        guard table.metadata.tableUUID == tableUUID else {
            throw FirnError(
                .conflict, "table_replaced", "\(identifier) is another table than before",
                context: ["table": identifier.description])
        }
        return table
    }

    /// One attempt; nil when another writer moved the pointer first.
    private func attemptOnce(
        _ change: TableChange, on base: Table, attempt: Int, state: inout State
    ) throws -> (table: Table, snapshotId: Int64?)? {
        if let mark = change.mark {
            try core.database.read { try MarkStore.check(mark, table: tableUUID, in: $0) }
        }
        guard let prepared = try change.prepare(base, context(on: base, attempt: attempt)) else {
            return try moveMarksOnly(change, base: base, state: &state)
        }
        let objects = prepared.commit.objects.map(\.location)
        do {
            try core.ledger.record(objects, table: tableUUID)
            try core.store.putAll(prepared.commit.objects)
        } catch {
            abandon(objects)
            throw error
        }
        let transaction = CommitTransaction(
            identifier: identifier, tableUUID: tableUUID, base: base, prepared: prepared, change: change,
            nowMs: core.nowMs, folders: TableFolders(base.metadata, warehouse: core.directory))
        do {
            guard try transaction.run(in: core) else {
                abandon(objects)
                return nil
            }
        } catch let error as FirnError where error.kind == .outcomeUnknown {
            state.open = OpenAttempt(objects: objects, position: change.mark?.position)
            guard try settle(&state) == .committed else { throw notCommitted(error) }
        } catch {
            abandon(objects)
            throw error
        }
        core.remember(prepared.commit.metadata, at: prepared.commit.metadataLocation)
        state.retired += transaction.retired
        let table = Table(
            identifier: identifier, metadataLocation: prepared.commit.metadataLocation,
            metadata: prepared.commit.metadata)
        return (table, prepared.commit.snapshot?.snapshotId)
    }

    private func moveMarksOnly(
        _ change: TableChange, base: Table, state: inout State
    ) throws -> (table: Table, snapshotId: Int64?) {
        guard let mark = change.mark else { return (base, nil) }
        do {
            try core.database.write { database in
                try MarkStore.check(mark, table: tableUUID, in: database)
                try MarkStore.apply(mark, table: tableUUID, in: database)
            }
        } catch let error as FirnError where error.kind == .outcomeUnknown {
            state.open = OpenAttempt(objects: [], position: mark.position)
            guard try settle(&state) == .committed else { throw notCommitted(error) }
        }
        return (base, nil)
    }

    /// Times rise with every commit, so that "as of" queries have one answer even when the clock steps back.
    private func context(on base: Table, attempt: Int) -> CommitContext {
        let environment = core.environment
        var snapshotId = environment.snapshotId()
        while base.metadata.snapshot(id: snapshotId) != nil { snapshotId = environment.snapshotId() }
        return CommitContext(
            snapshotId: snapshotId, commitUUID: environment.uuid(), metadataUUID: environment.uuid(),
            nowMs: max(core.nowMs, base.metadata.lastUpdatedMs + 1), attempt: attempt)
    }

    /// Files that stay behind here are still pending in the ledger, and go with the next recovery.
    private func abandon(_ objects: [String]) { try? core.ledger.abandon(objects) }

    private func notCommitted(_ cause: FirnError) -> FirnError {
        FirnError(
            .io, "commit_failed", "the commit failed in the catalog and did not happen",
            context: ["table": identifier.description], cause: cause)
    }
}

extension TableCommitter {
    /// The commit transaction removes the ledger rows of what it makes live, and only it does while this process lives.
    /// So once a transaction of ours has gone through, a missing row says committed and a present one says it never
    /// will be.
    private func settle(_ state: inout State) throws -> Settlement {
        guard let open = state.open else { return .nothingOpen }
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

    /// Deletes metadata files that fell off the log, a batch at a time and best effort: their rows say garbage, so what
    /// fails here is left to the next collection.
    private func retire(_ state: inout State) {
        guard state.retired.count >= 16 else { return }
        try? core.ledger.collect(state.retired)
        state.retired = []
    }
}
