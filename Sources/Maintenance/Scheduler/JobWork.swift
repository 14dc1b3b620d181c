import Base
import Catalog
import Iceberg

/// What a job is to do to its table.
struct JobWork {
    var action: ScheduleSpec.Action
    /// Of a compaction: merges whatever is small.
    var isForced = false
    /// Of an expiry.
    var request = TableCommitter.ExpiryRequest()
    var onProgress: (CompactionProgress) -> Void = { _ in }

    /// Does it. The one place that knows how each kind of maintenance is run.
    func run(
        _ warehouse: Warehouse, _ table: TableIdentifier, _ limits: RunLimits, _ checkpoint: JobCheckpoint
    ) throws -> JobResult {
        switch action {
        case .compact: .compacted(try compact(warehouse, table, limits, checkpoint))
        case .expire: .expired(try SnapshotExpiry.run(warehouse, table: table, request: request))
        }
    }

    private func compact(
        _ warehouse: Warehouse, _ table: TableIdentifier, _ limits: RunLimits, _ checkpoint: JobCheckpoint
    ) throws -> CompactionReport {
        var run = CompactionRun(warehouse: warehouse, table: table, isForced: isForced)
        run.properties = limits.options
        run.mayBeginGroup = { checkpoint.mayBeginGroup }
        run.onProgress = onProgress
        run.checkpoint = checkpoint.pass
        return try run.run()
    }
}

/// What came of a run.
enum JobResult {
    case compacted(CompactionReport)
    case expired(SnapshotExpiry.Report)

    var json: JSONValue {
        switch self {
        case .compacted(let report): report.json
        case .expired(let report): report.json
        }
    }

    /// Whether anything was changed; a run that found nothing to do is not worth a line of history.
    var hasChanged: Bool {
        switch self {
        case .compacted(let report): report.groups > 0
        case .expired(let report): report.snapshotsExpired > 0
        }
    }

    func event(reason: String) -> MaintenanceEvent {
        switch self {
        case .compacted(let report): .compacted(report, reason: reason)
        case .expired(let report): .expired(report, reason: reason)
        }
    }
}
