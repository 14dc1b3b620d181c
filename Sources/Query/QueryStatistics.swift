import Synchronization

/// What a statement read. Counters only grow while it runs.
public final class QueryStatistics: Sendable {
    /// One moment's counters.
    public struct Counters: Hashable, Sendable {
        /// Data files of the snapshots that were scanned.
        public var filesTotal = 0
        /// Files left out because of partition values or column bounds.
        public var filesSkipped = 0
        /// Data manifests of those snapshots, and those left out.
        public var manifestsTotal = 0
        public var manifestsSkipped = 0
        /// Files whose entries in the manifests told all that was asked of them.
        public var filesAnswered = 0
        /// Files opened.
        public var filesRead = 0
        /// Row groups decoded.
        public var rowGroupsRead = 0
        /// Bytes fetched from the store, manifests included.
        public var bytesRead = 0
        /// SELECTs whose groups were computed on column batches, or from manifests, rather than by SQLite.
        public var selectsAggregated = 0
        /// Rows that passed the filters of their scans.
        public var rowsRead = 0
    }

    private let counters = Mutex(Counters())

    /// Of one statement, which may scan the inner table of a join for every row.
    private static let recordsMax = 1000
    private let records = Mutex<[ScanRecord]>([])

    public init() {}

    /// The scans of tables, in the order in which they began.
    var scans: [ScanRecord] { records.withLock { $0 } }

    func add(_ record: ScanRecord) {
        records.withLock { if $0.count < Self.recordsMax { $0.append(record) } }
    }

    public var current: Counters { counters.withLock { $0 } }

    func add(_ change: (inout Counters) -> Void) { counters.withLock { change(&$0) } }
}
