import Base
import Catalog

/// Runs maintenance as jobs: one at a time per table among all processes, each with a row that tells how it went.
///
/// 1. Take the table's lease. While another process holds it, nothing happens.
/// 2. Whoever holds the lease knows that rows still marked running belong to dead processes: they become failed.
/// 3. Insert the job's row, run, renew the lease on the way, store the outcome, give the lease back.
///
/// The lease saves work, it is not what makes a commit safe: of two compactions of the same files the second is
/// refused by the committer.
///
/// `firn compact`, the server's routes and the scheduler all come through here.
public struct MaintenanceJobs: Sendable {
    public static let compactKind = "compact"
    public static let expireKind = "expire"

    public let warehouse: Warehouse
    /// How long a process that died keeps others out.
    public var leaseTtlMs: Int64 = 60_000

    public init(warehouse: Warehouse) {
        self.warehouse = warehouse
    }

    /// Compacts a table now. Throws what `CompactionRun.run` throws, and `.overloaded` (`maintenance_busy`) when
    /// another job is at this table for longer than `waitMs`.
    public func compact(
        _ table: TableIdentifier, isForced: Bool = false, reason: String = "requested", waitMs: Int64 = 0,
        onProgress: @escaping (CompactionProgress) -> Void = { _ in }, isCancelled: @escaping () -> Bool = { false }
    ) throws -> CompactionReport {
        try run(Self.compactKind, on: table, reason: reason, waitMs: waitMs, isCancelled: isCancelled) { checkpoint in
            var run = CompactionRun(warehouse: warehouse, table: table, isForced: isForced)
            run.onProgress = onProgress
            run.checkpoint = { _ in
                guard try checkpoint() else { return }
                throw FirnError(
                    .cancelled, "compaction_cancelled", "the compaction was cancelled",
                    context: ["table": table.description])
            }
            let report = try run.run()
            return (report, report.json)
        }
    }

    /// Expires snapshots of a table now and collects garbage. Throws as `compact` and `SnapshotExpiry.run` do.
    public func expire(
        _ table: TableIdentifier, request: TableCommitter.ExpiryRequest = .init(), reason: String = "requested",
        waitMs: Int64 = 0, onProgress: @escaping (CleanUpProgress) -> Void = { _ in }
    ) throws -> SnapshotExpiry.Report {
        try run(Self.expireKind, on: table, reason: reason, waitMs: waitMs, isCancelled: { false }) { checkpoint in
            let hooks = CleanUpHooks(checkpoint: { _ in _ = try checkpoint() }, onProgress: onProgress)
            let report = try SnapshotExpiry.run(warehouse, table: table, request: request, hooks: hooks)
            return (report, report.json)
        }
    }

    /// - Parameter body: gets a function to call now and then, which keeps the lease and answers whether to stop.
    private func run<Report>(
        _ kind: String, on table: TableIdentifier, reason: String, waitMs: Int64,
        isCancelled: @escaping () -> Bool, _ body: (@escaping () throws -> Bool) throws -> (Report, JSONValue)
    ) throws -> Report {
        let uuid = try warehouse.loadTable(table).metadata.tableUUID
        let lease = try LeaseKeeper(
            warehouse: warehouse, lease: acquire("maintenance/\(uuid)", table, waitMs, isCancelled), ttlMs: leaseTtlMs)
        defer { lease.release() }
        try failInterruptedJobs(of: table, before: lease.epoch)
        let clock = warehouse.environment.clock
        let now = clock.nowMs()
        var job = JobRow(
            id: warehouse.environment.uuid().description, table: table.description, kind: kind, state: .running,
            owner: lease.owner, epoch: lease.epoch, createdMs: now, startedMs: now,
            detail: JSONValue.object([.init("reason", .string(reason))]).text)
        try warehouse.insertJob(job)
        do {
            let (report, json) = try body {
                try lease.keep()
                return isCancelled()
            }
            job.state = .done
            job.finishedMs = clock.nowMs()
            job.detail = JSONValue.object([.init("reason", .string(reason)), .init("report", json)]).text
            try warehouse.updateJob(job)
            return report
        } catch {
            job.state = (error as? FirnError)?.kind == .cancelled ? .cancelled : .failed
            job.finishedMs = clock.nowMs()
            job.error = "\(error)"
            // The first error is the one to tell; a row that cannot be written is closed by the next holder.
            try? warehouse.updateJob(job)
            throw error
        }
    }

    private func acquire(
        _ name: String, _ table: TableIdentifier, _ waitMs: Int64, _ isCancelled: () -> Bool
    ) throws -> Lease {
        let clock = warehouse.environment.clock
        let deadline = clock.monotonicNanos() + waitMs * 1_000_000
        // Every job is a holder of its own, so that two jobs of one process keep apart too.
        let holder = try warehouse.processId() + "/" + warehouse.environment.uuid().description
        var recoveredNanos: Int64?
        while true {
            if let lease = try warehouse.acquireLease(name, owner: holder, ttlMs: leaseTtlMs) { return lease }
            let now = clock.monotonicNanos()
            if recoveredNanos.map({ now - $0 > 1_000_000_000 }) ?? true {
                // The holder may have died; then its lease is free at once.
                recoveredNanos = now
                try warehouse.recover()
                continue
            }
            guard clock.monotonicNanos() < deadline, !isCancelled() else {
                throw FirnError(
                    .overloaded, "maintenance_busy", "another job is maintaining the table",
                    context: ["table": table.description])
            }
            _ = Semaphore().wait(milliseconds: 100)
        }
    }

    private func failInterruptedJobs(of table: TableIdentifier, before epoch: Int64) throws {
        for var job in try warehouse.listJobs(table: table.description, state: .running) where job.epoch < epoch {
            job.state = .failed
            job.finishedMs = warehouse.environment.clock.nowMs()
            job.error = "interrupted: the process that ran it has ended"
            try warehouse.updateJob(job)
        }
    }
}

/// Holds a lease through a long job. Used by the job's thread only.
private final class LeaseKeeper {
    private let warehouse: Warehouse
    private var lease: Lease
    private let ttlMs: Int64
    private var renewedNanos: Int64

    init(warehouse: Warehouse, lease: Lease, ttlMs: Int64) {
        self.warehouse = warehouse
        self.lease = lease
        self.ttlMs = ttlMs
        renewedNanos = warehouse.environment.clock.monotonicNanos()
    }

    var epoch: Int64 { lease.epoch }
    var owner: String { lease.owner }

    /// Renews after a third of the time. Throws `.fenced` (`lease_lost`).
    func keep() throws {
        let now = warehouse.environment.clock.monotonicNanos()
        guard now - renewedNanos > ttlMs * 1_000_000 / 3 else { return }
        lease = try warehouse.renewLease(lease, ttlMs: ttlMs)
        renewedNanos = now
    }

    /// A lease that cannot be given back runs out by itself.
    func release() { try? warehouse.releaseLease(lease) }
}
