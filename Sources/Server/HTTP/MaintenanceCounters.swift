import Maintenance
import Synchronization

/// What background maintenance has done since start.
final class MaintenanceCounters: Sendable {
    struct Totals: Sendable {
        var compactions = 0
        var filesMerged = 0
        var bytesMerged: Int64 = 0
        var filesCollected = 0
        var failures = 0
    }

    private let state = Mutex(Totals())

    var totals: Totals { state.withLock { $0 } }

    func count(_ event: MaintenanceEvent) {
        state.withLock { totals in
            switch event {
            case .compacted(let report, _):
                guard report.groups > 0 else { return }
                totals.compactions += 1
                totals.filesMerged += report.filesBefore
                totals.bytesMerged += report.bytesBefore
            // Counted with the commits that do it, most of which are not made for expiry.
            case .expired, .ran: break
            case .collected(let report): totals.filesCollected += report.deleted
            case .failed: totals.failures += 1
            }
        }
    }
}
