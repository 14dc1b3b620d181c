import Base
import Catalog

/// Runs maintenance as jobs: one at a time per table among all processes, each with a row that tells how it went.
///
/// 1. Take the table's lease. While another process works under it, nothing happens.
/// 2. Take up the job of the same kind that a dead process left at this table, under its id and with one attempt more;
///    else insert a new one. Groups that were committed stay committed, so taking up means planning again.
/// 3. Run, with a `JobCheckpoint` on the way; store the outcome and give the lease back.
///
/// The lease saves work, it is not what makes a commit safe: of two compactions of the same files the second is
/// refused by the committer.
///
/// `firn compact` and the server's routes come through here. The scheduler keeps leases and jobs for longer, in
/// `StandingJobs`, and shares the rest.
public struct MaintenanceJobs: Sendable {
    public static let compactKind = ScheduleSpec.Action.compact.rawValue
    public static let expireKind = ScheduleSpec.Action.expire.rawValue
    /// Processes that may die of a job before it counts as failed.
    static let attemptsMax = 5

    public let warehouse: Warehouse
    /// How long a process that died keeps others out.
    public var leaseTtlMs: Int64 = 60_000
    /// How hard ingest is pressed, 0 to 1; runs step back under pressure.
    public var load: @Sendable () -> Double = { 0 }
    var pause: @Sendable (Int) -> Void = { _ = Semaphore().wait(milliseconds: $0) }

    public init(warehouse: Warehouse) {
        self.warehouse = warehouse
    }

    /// Compacts a table now. Throws what `CompactionRun.run` throws, `.cancelled` (`job_cancelled`), and `.overloaded`
    /// (`maintenance_busy`) when another job is at this table for longer than `waitMs`.
    public func compact(
        _ table: TableIdentifier, request: CompactionRequest = CompactionRequest(), reason: String = "requested",
        waitMs: Int64 = 0, limits: RunLimits = RunLimits(),
        onProgress: @escaping (CompactionProgress) -> Void = { _ in },
        isStopping: @escaping @Sendable () -> Bool = { false }
    ) throws -> CompactionReport {
        let work = JobWork(action: .compact, compaction: request, onProgress: onProgress)
        let result = try perform(work, table, reason, waitMs, limits, isStopping)
        guard case .compacted(let report) = result else { preconditionFailure("a compaction reports one") }
        return report
    }

    /// Expires snapshots of a table now and collects garbage. Throws as `compact` and `SnapshotExpiry.run` do.
    public func expire(
        _ table: TableIdentifier, request: TableCommitter.ExpiryRequest = .init(),
        reason: String = "requested", waitMs: Int64 = 0, onProgress: @escaping (CleanUpProgress) -> Void = { _ in }
    ) throws -> SnapshotExpiry.Report {
        let work = JobWork(action: .expire, expiry: request, onStep: onProgress)
        let result = try perform(work, table, reason, waitMs, RunLimits(), { false })
        guard case .expired(let report) = result else { preconditionFailure("an expiry reports one") }
        return report
    }

    /// Rewrites manifests of a table now. Throws as `compact` and `ManifestRewrite.run` do.
    public func rewriteManifests(
        _ table: TableIdentifier, isForced: Bool = false, reason: String = "requested", waitMs: Int64 = 0,
        onProgress: @escaping (CleanUpProgress) -> Void = { _ in }
    ) throws -> ManifestRewrite.Report {
        let work = JobWork(action: .manifests, forcesManifests: isForced, onStep: onProgress)
        let result = try perform(work, table, reason, waitMs, RunLimits(), { false })
        guard case .rewroteManifests(let report) = result else { preconditionFailure("a rewrite reports one") }
        return report
    }

    /// Tidies a table up now. Throws as `compact` and `TableCleanUp.run` do.
    public func clean(
        _ table: TableIdentifier, checksOrphans: Bool = true, reason: String = "requested", waitMs: Int64 = 0,
        onProgress: @escaping (CleanUpProgress) -> Void = { _ in }
    ) throws -> TableCleanUp.Report {
        let work = JobWork(action: .clean, checksOrphans: checksOrphans, onStep: onProgress)
        let result = try perform(work, table, reason, waitMs, RunLimits(), { false })
        guard case .cleaned(let report) = result else { preconditionFailure("a clean-up reports one") }
        return report
    }

    /// A job that somebody waits for.
    private func perform(
        _ work: JobWork, _ table: TableIdentifier, _ reason: String, _ waitMs: Int64, _ limits: RunLimits,
        _ isStopping: @escaping @Sendable () -> Bool
    ) throws -> JobResult {
        let keeper = try acquire(table, waitMs: waitMs, isStopping)
        var closing: [JobRow] = []
        // A lease that cannot be given back runs out by itself, and a row that cannot be written is taken up again.
        defer { try? warehouse.closeJobs(closing, lease: keeper.lease) }
        let record =
            try interrupted(work.action.rawValue, table, keeper.lease).map {
                JobRecord(warehouse, resuming: $0, lease: keeper.lease)
            }
            ?? JobRecord(
                warehouse, table: table, kind: work.action.rawValue, reason: reason, lease: keeper.lease)
        defer { closing += record.unstored.map { [$0] } ?? [] }
        try record.markRunning()
        return try execute(work, table, record, keeper, limits, isStopping)
    }

    /// One run of a job whose table's lease is held. The record knows the outcome, the catalog not yet.
    func execute(
        _ work: JobWork, _ table: TableIdentifier, _ record: JobRecord, _ keeper: LeaseKeeper, _ limits: RunLimits,
        _ isStopping: @escaping @Sendable () -> Bool
    ) throws -> JobResult {
        let checkpoint = JobCheckpoint(
            JobCheckpoint.World(
                warehouse: warehouse, keeper: keeper, record: record, limits: limits, load: load, pause: pause,
                isStopping: isStopping))
        func figures(_ report: JSONValue) -> JobFigures {
            let usage = checkpoint.usage
            var figures = JobFigures(json: report)
            figures.runs = 1
            figures.bytesRead = usage.bytes
            figures.runMs = checkpoint.elapsedNanos / 1_000_000
            figures.cpuMs = usage.processorNanos / 1_000_000
            figures.waitedMs = usage.waitedNanos / 1_000_000
            return figures
        }
        do {
            let result = try work.run(warehouse, table, limits, checkpoint)
            record.ended(figures(result.json), report: result.json)
            return result
        } catch {
            let known =
                error as? FirnError
                ?? FirnError(.internal, "maintenance_failed", "maintenance failed: \(error)", cause: error)
            record.ended(figures(.null), error: known)
            throw known
        }
    }

    /// The lease of a table. Throws `.overloaded` (`maintenance_busy`).
    func acquire(
        _ table: TableIdentifier, waitMs: Int64, _ isStopping: () -> Bool
    ) throws -> LeaseKeeper {
        let name = "maintenance/\(try warehouse.loadTable(table).metadata.tableUUID)"
        let clock = warehouse.environment.clock
        let deadline = clock.monotonicNanos() + waitMs * 1_000_000
        // Every job is a holder of its own, so that two jobs of one process keep apart too.
        let holder = try warehouse.processId() + "/" + warehouse.environment.uuid().description
        var recoveredNanos: Int64?
        while true {
            if let lease = try warehouse.acquireLease(name, owner: holder, ttlMs: leaseTtlMs, isWaiting: waitMs > 0) {
                return LeaseKeeper(warehouse: warehouse, lease: lease, ttlMs: leaseTtlMs)
            }
            let now = clock.monotonicNanos()
            if recoveredNanos.map({ now - $0 > 1_000_000_000 }) ?? true {
                // The holder may have died; then its lease is free at once.
                recoveredNanos = now
                try warehouse.recover()
                continue
            }
            guard clock.monotonicNanos() < deadline, !isStopping() else {
                throw FirnError(
                    .overloaded, "maintenance_busy", "another job is maintaining the table",
                    context: ["table": table.description])
            }
            pause(100)
        }
    }

    /// The job of a kind that dead processes left at a table. One that they died of too often is closed as failed.
    private func interrupted(_ kind: String, _ table: TableIdentifier, _ lease: Lease) throws -> JobRow? {
        try warehouse.openJobs().first { job in
            guard job.table == table.description, job.kind == kind else { return false }
            return try !giveUp(job, epoch: lease.epoch)
        }
    }

    /// Closes a job that too many processes died of; false for any other.
    func giveUp(_ job: JobRow, epoch: Int64) throws -> Bool {
        guard job.attempts >= Self.attemptsMax else { return false }
        var job = job
        job.state = .failed
        job.epoch = max(epoch, job.epoch)
        job.finishedMs = warehouse.environment.clock.nowMs()
        job.error = "interrupted \(job.attempts) times: each process that ran it ended before it did"
        try warehouse.updateJob(job)
        return true
    }
}
