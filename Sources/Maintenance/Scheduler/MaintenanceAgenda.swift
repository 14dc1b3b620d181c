import Base
import Catalog
import Iceberg

/// What the scheduler remembers between two looks. All times are of the monotonic clock.
struct MaintenanceAgenda: Sendable {
    /// Something done at a fixed rate, for the first time at once.
    struct Periodic: Sendable {
        private var nextNanos: Int64?

        /// True when it is time; then the next time is one interval away.
        mutating func isDue(_ nowNanos: Int64, every intervalMs: Int64) -> Bool {
            guard nowNanos >= nextNanos ?? nowNanos else { return false }
            nextNanos = nowNanos + intervalMs * 1_000_000
            return true
        }
    }

    private struct Watch: Sendable {
        var scan = LiveFileScan()
        /// The snapshot at which the policy had no plans, and the properties it went by.
        var quiet: (snapshotId: Int64?, options: CompactionOptions)?
        /// By the wall clock; from then on the policy may want a quiet table though no commit came.
        var quietUntilMs: Int64?
        var failures = 0
        var retryNanos: Int64 = 0
    }

    var policyDue = Periodic()
    var garbageDue = Periodic()
    var expiryDue = Periodic()
    /// Parsed schedules by their text; nil for one that cannot be read.
    private var specs: [String: ScheduleSpec?] = [:]
    private var watches: [TableIdentifier: Watch] = [:]

    /// The schedule that a row's text says. Throws the first time for a text that says none, then answers nil.
    mutating func spec(_ text: String) throws(FirnError) -> ScheduleSpec? {
        if let known = specs[text] { return known }
        specs[text] = .some(nil)
        let spec = try ScheduleSpec(row: text)
        specs[text] = spec
        return spec
    }

    /// Forgets schedules whose rows are gone.
    mutating func keepSpecs(_ texts: [String]) {
        let known = Set(texts)
        specs = specs.filter { known.contains($0.key) }
    }

    /// Forgets tables that are gone.
    mutating func keep(_ tables: [TableIdentifier]) {
        let known = Set(tables)
        watches = watches.filter { known.contains($0.key) }
    }

    func mayTry(_ table: TableIdentifier, _ nowNanos: Int64) -> Bool {
        nowNanos >= watches[table]?.retryNanos ?? nowNanos
    }

    /// Whether the default policy wants the table compacted. Tables that cannot be rewritten count as quiet.
    mutating func hasPlans(_ table: Table, _ warehouse: Warehouse) throws -> Bool {
        let options = CompactionOptions(table.metadata.tableProperties)
        var watch = watches[table.identifier] ?? Watch()
        defer { watches[table.identifier] = watch }
        let snapshotId = table.metadata.currentSnapshotId
        let nowMs = warehouse.environment.clock.nowMs()
        if let quiet = watch.quiet, quiet == (snapshotId, options), nowMs < watch.quietUntilMs ?? Int64.max {
            return false
        }
        guard options.isEnabled, snapshotId != nil else { return false }
        let live = try watch.scan.read(table, store: warehouse.store)
        let isRewritable = (try? live.requireRewritable(table)) != nil
        let hasPlans = try isRewritable && !CompactionPolicy.plans(live.state, options: options, nowMs: nowMs).isEmpty
        watch.quiet = hasPlans ? nil : (snapshotId, options)
        watch.quietUntilMs = CompactionPolicy.nextLookMs(live.state, options: options, nowMs: nowMs)
        return hasPlans
    }

    mutating func succeeded(_ table: TableIdentifier) {
        watches[table]?.failures = 0
        watches[table]?.retryNanos = 0
    }

    mutating func failed(_ table: TableIdentifier, _ nowNanos: Int64, _ options: MaintenanceScheduler.Options) {
        var watch = watches[table] ?? Watch()
        let wait = min(options.failureWaitMsMin << min(Int64(watch.failures), 20), options.failureWaitMsMax)
        watch.failures += 1
        watch.retryNanos = nowNanos + wait * 1_000_000
        watches[table] = watch
    }
}

/// The tables a schedule is for: an identifier, or a pattern in which `*` stands for any text (`events.*`, `*`).
enum TablePattern {
    static func matches(_ pattern: String, _ table: TableIdentifier) -> Bool {
        matches(Array(pattern.utf8)[...], Array(table.description.utf8)[...])
    }

    /// Greedy with one point to go back to, so that the time is bounded by the product of the lengths.
    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        var (p, t) = (pattern.startIndex, text.startIndex)
        var star: (pattern: Int, text: Int)?
        while t < text.endIndex {
            if p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") {
                star = (p + 1, t)
                p += 1
            } else if p < pattern.endIndex, pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let back = star {
                star = (back.pattern, back.text + 1)
                (p, t) = (back.pattern, back.text + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
