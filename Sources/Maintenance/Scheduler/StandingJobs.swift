// Jobs of the scheduler. A busy table is merged every few seconds; a lease, a row and a release for each merge, four
// transactions with a sync each, would cost more than the merge.
//
// 1. The lease of a table is kept between runs, until nothing ran under it for `idleMs` or somebody else wants it.
// 2. The runs of one kind and reason within `rowMs` are one job. Its row gathers their figures and is written when a
//    run lasts, when one fails, and else every `writeMs` at most. A kill loses the figures of that time, no work.
// 3. `tend` closes what is due: the last figures and the release are one transaction.
//
// So a table that is merged every second costs a transaction every ten seconds.

import Base
import Catalog
import Synchronization

/// Keeps the leases and gathers the runs of the scheduler's jobs.
final class StandingJobs: Sendable {
    struct Options: Sendable {
        var rowMs: Int64 = 60_000
        var idleMs: Int64 = 10_000
        var writeMs: Int64 = 10_000
    }

    private struct Key: Hashable, Sendable {
        let kind: String
        let reason: String
    }

    /// A table's lease and its open jobs. Whoever runs the table has taken it out of `sessions`.
    private struct Session: Sendable {
        let keeper: LeaseKeeper
        var records: [Key: JobRecord] = [:]
        var usedNanos: Int64
    }

    private struct State: Sendable {
        var sessions: [TableIdentifier: Session] = [:]
        var version: Int64?
    }

    private let jobs: MaintenanceJobs
    private let options: Options
    private let state = Mutex(State())

    init(_ jobs: MaintenanceJobs, options: Options = Options()) {
        self.jobs = jobs
        self.options = options
    }

    /// Runs one piece of work as part of the table's standing job, or takes up an interrupted job.
    ///
    /// One run at a time for each table. Throws as `MaintenanceJobs.compact` does; `maintenance_busy` at once.
    func run(
        _ work: JobWork, _ table: TableIdentifier, reason: String, limits: RunLimits, resuming: JobRow? = nil,
        isStopping: @escaping @Sendable () -> Bool
    ) throws -> JobResult {
        var session = try take(table, isStopping)
        var isLost = false
        defer {
            session.usedNanos = clock.monotonicNanos()
            let used = isLost ? nil : session
            state.withLock { $0.sessions[table] = used }
        }
        let lease = session.keeper.lease
        let key = Key(kind: work.action.rawValue, reason: reason)
        let record: JobRecord
        if let resuming {
            record = JobRecord(jobs.warehouse, resuming: resuming, lease: lease)
            try record.markRunning()
        } else if let known = session.records[key], clock.nowMs() - known.createdMs < options.rowMs {
            record = known
        } else {
            try session.records.removeValue(forKey: key)?.store()
            record = JobRecord(jobs.warehouse, table: table, kind: key.kind, reason: reason, lease: lease)
        }
        do {
            let result = try jobs.execute(work, table, record, session.keeper, limits, isStopping)
            guard result.hasChanged || record.isStored else { return result }
            if resuming == nil { session.records[key] = record }
            try record.store(afterMs: resuming == nil ? options.writeMs : 0)
            return result
        } catch {
            session.records[key] = nil
            isLost = (error as? FirnError)?.kind == .fenced
            // Stopped before anybody heard of it: the policy or the schedule finds it again. The first error is the
            // one to tell.
            let isStopped = (error as? FirnError)?.code == JobCheckpoint.stoppedCode
            if record.isStored || !isStopped { try? record.store() }
            throw error
        }
    }

    /// Closes jobs that are old, and gives back leases that are idle or wanted.
    func tend() throws {
        let now = clock.monotonicNanos()
        guard state.withLock({ !$0.sessions.isEmpty }) else { return }
        let version = try jobs.warehouse.catalogVersion()
        let idle = state.withLock { state -> [TableIdentifier: Session] in
            let mayBeWanted = state.version != version
            state.version = version
            let due = state.sessions.filter { mayBeWanted || now - $0.value.usedNanos >= options.idleMs * 1_000_000 }
            for table in due.keys { state.sessions[table] = nil }
            return due
        }
        for (table, session) in idle {
            let isIdle = now - session.usedNanos >= options.idleMs * 1_000_000
            if try isIdle || jobs.warehouse.isLeaseWanted(session.keeper.lease) {
                try close(session)
            } else {
                state.withLock { $0.sessions[table] = session }
            }
        }
    }

    /// Closes all. Call when nothing runs any more.
    func closeAll() {
        let sessions = state.withLock { state in
            defer { state.sessions = [:] }
            return state.sessions
        }
        // What cannot be written is as lost as after a kill: figures, no work.
        for session in sessions.values { try? close(session) }
    }

    private var clock: any Clock { jobs.warehouse.environment.clock }

    private func take(_ table: TableIdentifier, _ isStopping: () -> Bool) throws -> Session {
        if let known = state.withLock({ $0.sessions.removeValue(forKey: table) }) {
            do {
                try known.keeper.keep()
                return known
            } catch let error as FirnError where error.kind == .fenced {
                // Slept for longer than the lease lasts.
            }
        }
        return Session(
            keeper: try jobs.acquire(table, waitMs: 0, isStopping), usedNanos: clock.monotonicNanos())
    }

    private func close(_ session: Session) throws {
        try jobs.warehouse.closeJobs(session.records.values.compactMap(\.unstored), lease: session.keeper.lease)
    }
}
