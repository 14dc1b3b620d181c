// What the background threads do, each of them, over and over:
//
// 1. See whether the catalog has changed, which costs a look at shared memory `pollIntervalMs` apart. Only then read
//    the schedules and where the tables are. So a commit is noticed within that time, whoever made it.
// 2. Take the next turn from the agenda: one table, for one schedule, for the policy, or for its own properties. What
//    is due by the clock is decided by `Timetable`, which states how missed starts are made up for.
// 3. For a compaction, look whether the policy has plans, from metadata alone; mostly it has none, and the turn ends
//    without a job. Looking at a table takes at most one part in `lookShare` of the time.
// 4. Run the turn as part of the table's standing job (`StandingJobs`).
// 5. A table that failed is left alone for a time that doubles with each failure in a row; one whose job was cancelled,
//    for `cancelRestMs`.
// 6. At fixed intervals: recover dead processes and delete garbage files; expire by the properties of tables; have the
//    policy look where time alone may change its answer; see to jobs that another process left; forget old jobs.
//
// Stopping ends running work at its next checkpoint. A job that others know of is left as planned, and the next process
// takes it up; anything else is found again by 1 or 2.

import Base
import Catalog
import Iceberg
import Synchronization

/// What the scheduler did to a table, for logs and metrics.
public enum MaintenanceEvent: Sendable {
    case compacted(CompactionReport, reason: String)
    case expired(SnapshotExpiry.Report, reason: String)
    /// Any other kind of maintenance, with its report.
    case ran(kind: String, table: TableIdentifier, report: JSONValue, reason: String)
    case collected(CollectionReport)
    /// `table` is nil when the failure is not about one.
    case failed(table: String?, kind: String, FirnError)
}

/// Keeps tables compact and disks clean, on background threads.
public final class MaintenanceScheduler: Sendable {
    public struct Options: Sendable {
        /// Threads, and tables at once. A table that is alone is worked at by as many threads.
        public var jobsMax = max(1, min(8, ProcessorTime.count / 2))
        /// How far the threads give way to those of ingest that want the same processor.
        public var niceness = 5
        /// How hard ingest is pressed, 0 to 1; see `IngestYield`.
        public var load: @Sendable () -> Double = { 0 }
        public var processors = ProcessorTime.count
        public var pollIntervalMs: Int64 = 250
        /// A table is looked at this often at most.
        public var lookIntervalMs: Int64 = 500
        /// Tables for which time alone matters are found this often.
        public var relookIntervalMs: Int64 = 1000
        public var garbageIntervalMs: Int64 = 60_000
        public var expiryIntervalMs: Int64 = 600_000
        public var resumeIntervalMs: Int64 = 30_000
        /// After the first failure of a table; doubles up to `failureWaitMsMax`.
        public var failureWaitMsMin: Int64 = 10_000
        public var failureWaitMsMax: Int64 = 3_600_000
        public var cancelRestMs: Int64 = 600_000
        /// Finished jobs are forgotten after this long, and the oldest beyond this many.
        public var jobHistoryMs: Int64 = 30 * 86_400_000
        public var jobHistoryMax = 10_000

        public init() {}
    }

    private enum Phase { case idle, running, stopping }

    /// Looking at a table takes at most this part of the time: five percent.
    static let lookShare: Int64 = 20
    static let busyRetryMs: Int64 = 1000

    public let warehouse: Warehouse
    public let jobs: MaintenanceJobs
    let options: Options
    let standing: StandingJobs
    private let onEvent: @Sendable (MaintenanceEvent) -> Void
    private let agenda = Mutex(MaintenanceAgenda())
    private let isCollecting = Atomic(false)
    private let phase = Mutex(Phase.idle)
    private let wake = Semaphore()
    private let ended = Semaphore()

    /// - Parameter onEvent: called on the scheduler's threads.
    public init(
        warehouse: Warehouse, options: Options = .init(),
        onEvent: @escaping @Sendable (MaintenanceEvent) -> Void = { _ in }
    ) {
        self.warehouse = warehouse
        self.options = options
        self.onEvent = onEvent
        var jobs = MaintenanceJobs(warehouse: warehouse)
        jobs.load = options.load
        self.jobs = jobs
        standing = StandingJobs(jobs)
    }

    /// Starts the threads. Call once.
    public func start() {
        phase.withLock { phase in
            precondition(phase == .idle, "the scheduler was started before")
            phase = .running
        }
        for index in 0..<options.jobsMax {
            Thread.spawn(name: "maintenance-\(index)") { [self] in
                if options.niceness > 0 { Thread.giveWay(options.niceness) }
                while !isStopping {
                    runDue()
                    _ = wake.wait(milliseconds: Int(options.pollIntervalMs))
                }
                ended.signal()
            }
        }
    }

    /// Stops and waits for the threads: a running compaction ends at its next batch, uncommitted outputs are deleted.
    public func stop() {
        let wasRunning = phase.withLock { phase in
            defer { phase = .stopping }
            return phase == .running
        }
        for _ in 0..<options.jobsMax { wake.signal() }
        if wasRunning { for _ in 0..<options.jobsMax { ended.wait() } }
        standing.closeAll()
    }

    var isStopping: Bool { phase.withLock { $0 == .stopping } }

    /// Does everything that is due by the environment's clock, on the caller's thread. The threads call it; tests do.
    public func runDue() {
        while !isStopping {
            guarded(nil, "schedule") { try refresh() }
            collectIfDue()
            guard let task = nextTask() else { break }
            guarded(task.table.description, task.action.rawValue) { try run(task) }
        }
        guarded(nil, "jobs") { try standing.tend() }
    }

    // MARK: deciding

    private func refresh() throws {
        let nowNanos = clock.monotonicNanos()
        try agenda.withLock { agenda in
            if agenda.refreshDue.isDue(nowNanos, every: options.pollIntervalMs) {
                let version = try warehouse.catalogVersion()
                if version != agenda.version { try read(&agenda, version) }
            }
            if agenda.resumeDue.isDue(nowNanos, every: options.resumeIntervalMs) {
                agenda.take(left: try jobsLeft())
            }
            if agenda.expiryDue.isDue(nowNanos, every: options.expiryIntervalMs) { agenda.expireAll() }
            if agenda.relookDue.isDue(nowNanos, every: options.relookIntervalMs) {
                agenda.lookAgain(nowMs: clock.nowMs())
            }
        }
        let ended = agenda.withLock { $0.endedFires(nowMs: clock.nowMs()) }
        guard !ended.isEmpty else { return }
        for fire in ended {
            do {
                try warehouse.updateSchedule(table: fire.key.table, name: fire.key.name) { row in
                    row.lastRunMs = fire.startMs
                    row.nextRunMs = fire.table.next(after: fire.startMs)
                }
            } catch let error as FirnError where error.kind == .notFound {
                // Removed meanwhile.
            }
        }
        try agenda.withLock { try read(&$0, try warehouse.catalogVersion()) }
    }

    private func read(_ agenda: inout MaintenanceAgenda, _ version: Int64) throws {
        agenda.update(
            tables: try warehouse.tableLocations(), schedules: try warehouse.listSchedules(),
            files: warehouse.environment.files, processors: options.processors
        ) { row, error in
            report(error, row.table, "schedule")
        }
        agenda.version = version
    }

    /// Jobs that no process is at. Those that cannot be taken up are closed.
    private func jobsLeft() throws -> [JobRow] {
        let open = try warehouse.openJobs()
        guard !open.isEmpty else { return [] }
        let tables = Set(try warehouse.listTables().map(\.description))
        return try open.filter { job in
            guard tables.contains(job.table) else {
                var job = job
                job.state = .failed
                job.finishedMs = clock.nowMs()
                job.error = "the table is gone"
                try warehouse.updateJob(job)
                return false
            }
            return try !jobs.giveUp(job, epoch: job.epoch)
        }
    }

    private func nextTask() -> MaintenanceTask? {
        agenda.withLock { agenda in
            agenda.next(nowMs: clock.nowMs(), nowNanos: clock.monotonicNanos()) { kind in
                (try? warehouse.lastJobs(kind: kind)) ?? [:]
            }
        }
    }

    // MARK: doing

    private func run(_ given: MaintenanceTask) throws {
        var task = given
        defer { agenda.withLock { $0.end(task) } }
        do {
            guard try isWanted(&task) else { return }
            // Threads without a table of their own help at this one.
            task.limits.width = max(1, options.jobsMax / max(1, agenda.withLock { $0.runningCount }))
            let result = try standing.run(
                JobWork(action: task.action), task.table, reason: task.reason, limits: task.limits,
                resuming: task.job, isStopping: { [self] in isStopping })
            task.watch.failures = 0
            task.watch.retryNanos = 0
            onEvent(result.event(reason: task.reason))
        } catch let error as FirnError where error.code == "maintenance_busy" {
            // Another process is at it.
            rest(&task, ms: Self.busyRetryMs)
        } catch let error as FirnError where error.kind == .cancelled {
            if error.code == JobCheckpoint.cancelledCode { rest(&task, ms: options.cancelRestMs) }
        } catch {
            let failures = min(Int64(task.watch.failures), 20)
            task.watch.failures += 1
            rest(&task, ms: min(options.failureWaitMsMin << failures, options.failureWaitMsMax))
            throw error
        }
    }

    private func rest(_ task: inout MaintenanceTask, ms: Int64) {
        task.watch.retryNanos = clock.monotonicNanos() + ms * 1_000_000
        let table = task.table
        if task.action == .compact { agenda.withLock { $0.lookLater([table]) } }
    }

    /// Whether there is something to do, as far as metadata tells.
    private func isWanted(_ task: inout MaintenanceTask) throws -> Bool {
        let table = try warehouse.loadTable(task.table)
        if case .properties = task.cause { return table.metadata.tableProperties.allowsExpiry }
        guard task.needsLook else { return true }
        let started = clock.monotonicNanos()
        let isAsked = task.key != nil
        let hasPlans = try task.watch.hasPlans(
            table.overriding(task.limits.options), warehouse, isAsked: isAsked)
        let now = clock.monotonicNanos()
        task.watch.lookNanos = now + max(options.lookIntervalMs * 1_000_000, (now - started) * Self.lookShare)
        if !hasPlans, isAsked {
            onEvent(.compacted(CompactionReport(table: task.table), reason: task.reason))
        }
        return hasPlans
    }

    private func collectIfDue() {
        let isDue = agenda.withLock { $0.garbageDue.isDue(clock.monotonicNanos(), every: options.garbageIntervalMs) }
        guard isDue, !isCollecting.exchange(true, ordering: .acquiringAndReleasing) else { return }
        defer { isCollecting.store(false, ordering: .releasing) }
        guarded(nil, "collect") {
            onEvent(.collected(try warehouse.collectGarbage()))
            try warehouse.forgetJobs(
                olderThanMs: clock.nowMs() - options.jobHistoryMs, countMax: options.jobHistoryMax)
        }
    }

    private var clock: any Clock { warehouse.environment.clock }

    private func guarded(_ table: String?, _ kind: String, _ body: () throws -> Void) {
        do {
            try body()
        } catch {
            report(error, table, kind)
        }
    }

    private func report(_ error: any Error, _ table: String?, _ kind: String) {
        // A table that was dropped or replaced meanwhile needs no maintenance.
        if let known = error as? FirnError, ["table_not_found", "table_replaced"].contains(known.code) { return }
        let known =
            error as? FirnError
            ?? FirnError(.internal, "maintenance_failed", "maintenance failed: \(error)", cause: error)
        onEvent(.failed(table: table, kind: kind, known))
    }
}
