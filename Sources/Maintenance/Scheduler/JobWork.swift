import Base
import Catalog
import Iceberg

/// What a job is to do to its table.
struct JobWork {
    var action: ScheduleSpec.Action
    var compaction = CompactionRequest()
    var expiry = TableCommitter.ExpiryRequest()
    /// Manifests are rewritten where that gains anything, not only where it is worth it.
    var forcesManifests = false
    /// A clean-up lists the table's folders too.
    var checksOrphans = true
    var onProgress: (CompactionProgress) -> Void = { _ in }
    /// Of everything else.
    var onStep: (CleanUpProgress) -> Void = { _ in }

    /// Does it. The one place that knows how each kind of maintenance is run.
    func run(
        _ warehouse: Warehouse, _ table: TableIdentifier, _ limits: RunLimits, _ checkpoint: JobCheckpoint
    ) throws -> JobResult {
        let hooks = CleanUpHooks(checkpoint: { try checkpoint.pass($0) }, onProgress: onStep)
        switch action {
        case .compact: return .compacted(try compact(warehouse, table, limits, checkpoint))
        case .expire:
            return .expired(try SnapshotExpiry.run(warehouse, table: table, request: expiry, hooks: hooks))
        case .manifests:
            return .rewroteManifests(
                try ManifestRewrite.run(warehouse, table: table, isForced: forcesManifests, hooks: hooks))
        case .clean:
            return .cleaned(
                try TableCleanUp.run(warehouse, table: table, checksOrphans: checksOrphans, hooks: hooks))
        }
    }

    private func compact(
        _ warehouse: Warehouse, _ table: TableIdentifier, _ limits: RunLimits, _ checkpoint: JobCheckpoint
    ) throws -> CompactionReport {
        var run = CompactionRun(warehouse: warehouse, table: table)
        run.request = compaction
        run.properties = limits.options
        run.width = limits.width
        run.sliceMs = limits.sliceMs
        run.mayBeginGroup = { checkpoint.mayBeginGroup }
        run.onProgress = onProgress
        run.checkpoint = { try checkpoint.pass($0, givesWay: !$1) }
        return try run.run()
    }
}

/// What came of a run.
enum JobResult {
    case compacted(CompactionReport)
    case expired(SnapshotExpiry.Report)
    case rewroteManifests(ManifestRewrite.Report)
    case cleaned(TableCleanUp.Report)

    var json: JSONValue {
        switch self {
        case .compacted(let report): report.json
        case .expired(let report): report.json
        case .rewroteManifests(let report): report.json
        case .cleaned(let report): report.json
        }
    }

    /// Whether anything was changed; a run that found nothing to do is not worth a line of history.
    var hasChanged: Bool {
        switch self {
        case .compacted(let report): report.groups > 0
        case .expired(let report): report.snapshotsExpired > 0
        case .rewroteManifests(let report): report.commits > 0
        case .cleaned(let report):
            report.deletes.commits + report.manifests.commits + report.garbageDeleted + report.metadata.deleted > 0
        }
    }

    func event(reason: String) -> MaintenanceEvent {
        switch self {
        case .compacted(let report): .compacted(report, reason: reason)
        case .expired(let report): .expired(report, reason: reason)
        case .rewroteManifests(let report):
            .ran(kind: ScheduleSpec.Action.manifests.rawValue, table: report.table, report: json, reason: reason)
        case .cleaned(let report):
            .ran(kind: ScheduleSpec.Action.clean.rawValue, table: report.table, report: json, reason: reason)
        }
    }
}
