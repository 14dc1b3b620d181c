import Base
import Catalog

/// The table or pattern and the name that a schedule is stored under.
struct ScheduleKey: Hashable, Sendable {
    let table: String
    let name: String
}

/// One table's turn.
struct MaintenanceTask: Sendable {
    enum Cause: Sendable {
        /// The table was committed to.
        case policy
        /// The table's own properties ask for expiry.
        case properties
        case schedule(ScheduleKey)
        /// A job that another process did not end.
        case resumed(JobRow)

        var reason: String {
            switch self {
            case .policy: "policy"
            case .properties: "properties"
            case .schedule(let key): "schedule \(key.name)"
            case .resumed(let job): job.reason ?? "resumed"
            }
        }
    }

    let table: TableIdentifier
    let action: ScheduleSpec.Action
    let cause: Cause
    var limits = RunLimits()
    /// What is known of the table's files; only one task at a time has it.
    var watch: TableWatch

    var reason: String { cause.reason }

    var key: ScheduleKey? {
        if case .schedule(let key) = cause { key } else { nil }
    }

    /// The job to take up.
    var job: JobRow? {
        if case .resumed(let job) = cause { job } else { nil }
    }

    /// Whether there may be nothing to do, which a look at the table's metadata tells.
    var needsLook: Bool { action == .compact && job == nil }
}

/// What the scheduler knows of one table. All times are of the monotonic clock.
struct TableWatch: Sendable {
    var scan = LiveFileScan()
    /// The snapshot at which the policy had no plans, and what it went by.
    var quiet: (snapshotId: Int64?, options: CompactionOptions)?
    /// By the wall clock; from then on the policy may want a quiet table though no commit came.
    var quietUntilMs: Int64?
    var failures = 0
    /// Not before then, after a failure.
    var retryNanos: Int64 = 0
    /// Not before then, so that looking stays cheap beside what is looked at.
    var lookNanos: Int64 = 0

    /// Whether the policy wants the table compacted. Tables that cannot be rewritten count as quiet.
    ///
    /// - Parameter isAsked: a schedule asks, so that the property `firn.compaction.enabled` does not matter.
    mutating func hasPlans(_ table: Table, _ warehouse: Warehouse, isAsked: Bool) throws -> Bool {
        let options = CompactionOptions(table.metadata.tableProperties)
        let snapshotId = table.metadata.currentSnapshotId
        let nowMs = warehouse.environment.clock.nowMs()
        if let quiet, quiet == (snapshotId, options), nowMs < quietUntilMs ?? .max { return false }
        guard options.isEnabled || isAsked, snapshotId != nil else { return false }
        let live = try scan.read(table, store: warehouse.store)
        let isRewritable = (try? live.requireRewritable(table)) != nil
        let hasPlans = try isRewritable && !CompactionPolicy.plans(live.state, options: options, nowMs: nowMs).isEmpty
        quiet = hasPlans ? nil : (snapshotId, options)
        quietUntilMs = CompactionPolicy.nextLookMs(live.state, options: options, nowMs: nowMs)
        return hasPlans
    }
}
