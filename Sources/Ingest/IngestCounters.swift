import Synchronization

/// Running totals of the ingest path since start, and the spread of acknowledgement times.
public final class IngestCounters: Sendable {
    public struct Totals: Sendable {
        public var requests = 0
        public var records = 0
        public var bytes = 0
        public var rejected = 0
        /// Of those, the ones that answers listed, by code.
        public var rejectedByCode: [String: Int] = [:]
        /// Of the rejected records, those kept as dead letters.
        public var deadLettered = 0
        /// Records behind the watermark, wherever they went.
        public var late = 0
        public var duplicates = 0
        public var refused = 0
        /// Acknowledgements by time: bucket `i` counts those below 2^i × 64 µs; the last one is open.
        public var ackBuckets = [Int](repeating: 0, count: 20)

        public var ackNanosTotal: Int64 = 0

        public var commits = 0
        public var commitFailures = 0
        public var commitRows = 0
        /// Where the time of successful flushes went.
        public var writeNanos: Int64 = 0
        public var metadataNanos: Int64 = 0
        public var catalogNanos: Int64 = 0

        /// Upper edge in microseconds of the bucket that holds the given share (0 to 1) of acknowledgements.
        public func ackMicros(quantile: Double) -> Int {
            let total = ackBuckets.reduce(0, +)
            guard total > 0 else { return 0 }
            var seen = 0
            for (index, count) in ackBuckets.enumerated() {
                seen += count
                if Double(seen) >= quantile * Double(total) { return 64 << index }
            }
            return 64 << (ackBuckets.count - 1)
        }
    }

    private let state = Mutex(Totals())

    public var totals: Totals { state.withLock { $0 } }

    func acknowledged(_ answers: [StoredAnswer], bytes: Int, late: Int, nanos: Int64) {
        state.withLock { totals in
            totals.requests += 1
            for answer in answers {
                totals.records += answer.accepted
                totals.rejected += answer.rejectedCount
                totals.deadLettered += answer.deadLettered
                for rejection in answer.rejections { totals.rejectedByCode[rejection.code, default: 0] += 1 }
            }
            totals.bytes += bytes
            totals.late += late
            totals.ackNanosTotal += nanos
            var bucket = 0
            while bucket < totals.ackBuckets.count - 1, nanos >= Int64(64_000) << bucket { bucket += 1 }
            totals.ackBuckets[bucket] += 1
        }
    }

    func flushed(_ report: FlushReport) {
        state.withLock { totals in
            totals.commits += 1
            totals.commitRows += report.rows
            totals.writeNanos += report.writeNanos
            totals.metadataNanos += report.times.metadataNanos
            totals.catalogNanos += report.times.catalogNanos
        }
    }

    func flushFailed() { state.withLock { $0.commitFailures += 1 } }
    func duplicate() { state.withLock { $0.duplicates += 1 } }
    func refused() { state.withLock { $0.refused += 1 } }
}
