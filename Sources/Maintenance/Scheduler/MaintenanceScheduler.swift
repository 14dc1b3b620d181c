// What the background thread does.
//
// 1. Every `pollIntervalMs`: run the schedules of the catalog that are due. A schedule is due when its next start (the
//    first one after the last start, or after its creation) is not in the future. So of all runs missed while no
//    process was up, exactly one is made up for, at once; then the schedule goes on from there.
// 2. Every `policyIntervalMs`: look at each table without a compaction schedule of its own, unless its property
//    `firn.compaction.enabled` is false, and compact it if the policy has plans. A table whose snapshot has not changed
//    since it had none costs one catalog row.
// 3. Every `garbageIntervalMs`: recover dead processes and delete garbage files.
// 4. Every `expiryIntervalMs`: expire snapshots by the properties of each table without an expiry schedule of its own.
// 5. A table that failed is left alone for a time that doubles with each failure in a row.
//
// Jobs run one after the other on the one thread: maintenance takes at most one core from ingestion.

import Base
import Catalog
import Iceberg
import Synchronization

/// What the scheduler did to a table, for logs and metrics.
public enum MaintenanceEvent: Sendable {
    case compacted(CompactionReport, reason: String)
    case expired(SnapshotExpiry.Report, reason: String)
    case collected(CollectionReport)
    /// `table` is nil when the failure is not about one.
    case failed(table: String?, kind: String, FirnError)
}

/// Keeps tables compact and disks clean, on one background thread.
public final class MaintenanceScheduler: Sendable {
    public struct Options: Sendable {
        public var pollIntervalMs: Int64 = 1000
        public var policyIntervalMs: Int64 = 10_000
        public var garbageIntervalMs: Int64 = 60_000
        public var expiryIntervalMs: Int64 = 600_000
        /// After the first failure of a table; doubles up to `failureWaitMsMax`.
        public var failureWaitMsMin: Int64 = 10_000
        public var failureWaitMsMax: Int64 = 3_600_000
        /// Finished jobs are forgotten after this long.
        public var jobHistoryMs: Int64 = 30 * 86_400_000

        public init() {}
    }

    private enum Phase { case idle, running, stopping }

    public let warehouse: Warehouse
    public let jobs: MaintenanceJobs
    let options: Options
    private let onEvent: @Sendable (MaintenanceEvent) -> Void
    private let agenda = Mutex(MaintenanceAgenda())
    private let phase = Mutex(Phase.idle)
    private let wake = Semaphore()
    private let ended = Semaphore()

    /// - Parameter onEvent: called on the scheduler's thread.
    public init(
        warehouse: Warehouse, options: Options = .init(),
        onEvent: @escaping @Sendable (MaintenanceEvent) -> Void = { _ in }
    ) {
        self.warehouse = warehouse
        self.options = options
        self.onEvent = onEvent
        jobs = MaintenanceJobs(warehouse: warehouse)
    }

    /// Starts the thread. Call once.
    public func start() {
        phase.withLock { phase in
            precondition(phase == .idle, "the scheduler was started before")
            phase = .running
        }
        Thread.spawn(name: "maintenance") { [self] in
            while !isStopping {
                runDue()
                _ = wake.wait(milliseconds: Int(options.pollIntervalMs))
            }
            ended.signal()
        }
    }

    /// Stops and waits for the thread: a running compaction ends at its next batch, uncommitted outputs are deleted.
    public func stop() {
        let wasRunning = phase.withLock { phase in
            defer { phase = .stopping }
            return phase == .running
        }
        wake.signal()
        if wasRunning { ended.wait() }
    }

    var isStopping: Bool { phase.withLock { $0 == .stopping } }

    /// Does everything that is due by the environment's clock, on the caller's thread. The thread calls it; tests do.
    public func runDue() {
        agenda.withLock { agenda in
            let nowNanos = warehouse.environment.clock.monotonicNanos()
            guarded(nil, "schedule") { try runSchedules(&agenda) }
            if agenda.policyDue.isDue(nowNanos, every: options.policyIntervalMs) {
                guarded(nil, MaintenanceJobs.compactKind) { try runPolicies(&agenda) }
            }
            if agenda.expiryDue.isDue(nowNanos, every: options.expiryIntervalMs) {
                guarded(nil, MaintenanceJobs.expireKind) { try runExpiry(&agenda) }
            }
            if agenda.garbageDue.isDue(nowNanos, every: options.garbageIntervalMs) {
                guarded(nil, "collect") {
                    onEvent(.collected(try warehouse.collectGarbage()))
                    let now = warehouse.environment.clock.nowMs()
                    try warehouse.forgetJobs(olderThanMs: now - options.jobHistoryMs)
                }
            }
        }
    }

    private func runSchedules(_ agenda: inout MaintenanceAgenda) throws {
        let rows = try warehouse.listSchedules()
        agenda.keepSpecs(rows.map(\.spec))
        let now = warehouse.environment.clock.nowMs()
        for row in rows where !row.paused && !isStopping {
            guarded(row.table, "schedule") {
                guard let spec = try agenda.spec(row.spec),
                    row.nextRunMs ?? spec.next(after: row.lastRunMs ?? row.createdMs) <= now
                else { return }
                for table in try warehouse.listTables() where TablePattern.matches(row.table, table) {
                    run(spec.action, on: table, reason: "schedule \(row.name)", &agenda)
                }
                // Stopped half-way: due again when the next process starts.
                guard !isStopping else { return }
                try warehouse.updateSchedule(table: row.table, name: row.name) { row in
                    row.lastRunMs = now
                    row.nextRunMs = spec.next(after: now)
                }
            }
        }
    }

    private func runPolicies(_ agenda: inout MaintenanceAgenda) throws {
        let scheduled = try tablesScheduled(for: .compact, &agenda)
        let tables = try warehouse.listTables()
        agenda.keep(tables)
        for table in tables where !isStopping && !scheduled.contains(where: { TablePattern.matches($0, table) }) {
            guard agenda.mayTry(table, warehouse.environment.clock.monotonicNanos()) else { continue }
            guarded(table.description, MaintenanceJobs.compactKind) {
                do {
                    guard try agenda.hasPlans(try warehouse.loadTable(table), warehouse) else { return }
                } catch {
                    agenda.failed(table, warehouse.environment.clock.monotonicNanos(), options)
                    throw error
                }
                run(.compact, on: table, reason: "policy", &agenda)
            }
        }
    }

    private func runExpiry(_ agenda: inout MaintenanceAgenda) throws {
        let scheduled = try tablesScheduled(for: .expire, &agenda)
        for table in try warehouse.listTables()
        where !isStopping && !scheduled.contains(where: { TablePattern.matches($0, table) }) {
            guarded(table.description, MaintenanceJobs.expireKind) {
                let properties = try warehouse.loadTable(table).metadata.tableProperties
                guard properties.allowsExpiry else { return }
                run(.expire, on: table, reason: "properties", &agenda)
            }
        }
    }

    /// The tables or patterns of schedules that are not paused; a paused one does not bring the default back.
    private func tablesScheduled(
        for action: ScheduleSpec.Action, _ agenda: inout MaintenanceAgenda
    ) throws -> [String] {
        try warehouse.listSchedules().filter { (try? agenda.spec($0.spec))??.action == action }.map(\.table)
    }

    private func run(
        _ action: ScheduleSpec.Action, on table: TableIdentifier, reason: String, _ agenda: inout MaintenanceAgenda
    ) {
        do {
            switch action {
            case .compact:
                let report = try jobs.compact(table, reason: reason, isCancelled: { self.isStopping })
                onEvent(.compacted(report, reason: reason))
            case .expire:
                onEvent(.expired(try jobs.expire(table, reason: reason), reason: reason))
            }
            agenda.succeeded(table)
        } catch let error as FirnError where error.code == "maintenance_busy" || error.kind == .cancelled {
            // Another process is at it, or this one stops.
        } catch {
            agenda.failed(table, warehouse.environment.clock.monotonicNanos(), options)
            report(error, table.description, action.rawValue)
        }
    }

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
