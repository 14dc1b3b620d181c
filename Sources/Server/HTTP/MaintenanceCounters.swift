import Maintenance
import Synchronization

/// What background maintenance has done since start.
final class MaintenanceCounters: Sendable {
    struct Totals: Sendable {
        var compactions = 0
        var filesMerged = 0
        var bytesMerged: Int64 = 0
        var bytesWritten: Int64 = 0
        var commits = 0
        var conflicts = 0
        var durationMs: Int64 = 0
        /// By the wall clock; nil before the first.
        var lastMs: Int64?
        var filesCollected = 0
        var failures = 0
    }

    private let state = Mutex(Totals())

    var totals: Totals { state.withLock { $0 } }

    func count(_ event: MaintenanceEvent, nowMs: Int64) {
        state.withLock { totals in
            switch event {
            case .compacted(let report, _):
                guard report.groups > 0 else { return }
                totals.compactions += 1
                totals.filesMerged += report.filesBefore
                totals.bytesMerged += report.bytesBefore
                totals.bytesWritten += report.bytesAfter
                totals.commits += report.commits
                totals.conflicts += report.conflicts
                totals.durationMs += report.durationMs
                totals.lastMs = nowMs
            // Counted with the commits that do it, most of which are not made for expiry.
            case .expired, .ran: break
            case .collected(let report): totals.filesCollected += report.deleted
            case .failed: totals.failures += 1
            }
        }
    }
}
