import Synchronization

/// What a statement read. Counters only grow while it runs.
public final class QueryStatistics: Sendable {
    /// One moment's counters.
    public struct Counters: Hashable, Sendable {
        /// Data files of the snapshots that were scanned.
        public var filesTotal = 0
        /// Files left out because of partition values or column bounds.
        public var filesSkipped = 0
        /// Files opened.
        public var filesRead = 0
        /// Row groups decoded.
        public var rowGroupsRead = 0
        /// Bytes fetched from the store, manifests included.
        public var bytesRead = 0
        /// Rows that passed the filters of their scans.
        public var rowsRead = 0
    }

    private let counters = Mutex(Counters())

    public init() {}

    public var current: Counters { counters.withLock { $0 } }

    func add(_ change: (inout Counters) -> Void) { counters.withLock { change(&$0) } }
}
