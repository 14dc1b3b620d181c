import Base
import Catalog

/// What the ingest path holds at one moment, for metrics and health.
public struct IngestFigures: Sendable {
    public struct OpenTable: Sendable {
        public let table: TableIdentifier
        /// Durable and not yet in a snapshot.
        public let uncommittedRows: Int
        public let uncommittedBytes: Int
        /// Age of the oldest of them; nil when there is none.
        public let oldestNanos: Int64?
        /// Since the last commit of this process, or since it opened the table.
        public let sinceCommitNanos: Int64
        /// Records and bytes that landed since the table was opened.
        public let landedRows: Int
        public let landedBytes: Int
        /// Event time up to which the table has come; nil without an event-time column.
        public let watermarkMicros: Int64?
        /// Flushes that failed since the last one that did not.
        public let failures: Int
    }

    public let tables: [OpenTable]
    public let log: LogStats
    public let logBytesMax: Int
    public let memoryBytes: Int
    public let memoryBytesMax: Int
    /// Requests that wait for a decode thread.
    public let decodeQueue: Int
    public let isClosed: Bool
}

extension IngestService {
    public var figures: IngestFigures {
        let (open, isClosed) = tables.withLock { ($0.registry.all, $0.closed) }
        return IngestFigures(
            tables: open.filter { $0.condition != .dropped }.map { $0.figures($0.identifier) },
            log: log.stats, logBytesMax: options.logBytesMax, memoryBytes: budget.bytesUsed,
            memoryBytesMax: budget.limit, decodeQueue: decodePool.queued, isClosed: isClosed)
    }
}

extension TableIngestor {
    fileprivate func figures(_ table: TableIdentifier) -> IngestFigures.OpenTable {
        let now = now
        return state.withLock { state in
            IngestFigures.OpenTable(
                table: table, uncommittedRows: state.rows, uncommittedBytes: state.bytes,
                oldestNanos: state.chunks.first.map { now - $0.arrivedNanos },
                sinceCommitNanos: now - state.lastCommitNanos, landedRows: state.landedRows,
                landedBytes: state.landedBytes, watermarkMicros: state.watermarks.table, failures: state.failures)
        }
    }
}
