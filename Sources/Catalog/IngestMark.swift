import Base
import SQLiteKit

/// What an ingest commit moves beside the table's pointer, in the same transaction.
public struct IngestMark: Sendable, Hashable {
    /// The committed log position before; the guard. Another value in the catalog means that somebody else committed
    /// from this table's log, and the commit fails as `.fenced` (`log_position_mismatch`).
    public var expectedPosition: UInt64
    /// The committed log position after; not below `expectedPosition`.
    public var position: UInt64
    public var producers: [ProducerMark]
    public var keys: [IdempotencyMark]
    public var watermarks: [WatermarkMark]
    /// The table's watermark with this commit, in microseconds; only stamped in the snapshot's summary.
    public var watermark: Int64?
    /// When the newest records came. The snapshot is stamped with it, since it is the table's state as of then: readers
    /// that look for the state of when they began, as DuckDB does, find what was acknowledged before.
    public var arrivedMs: Int64?

    public init(
        expectedPosition: UInt64, position: UInt64, producers: [ProducerMark] = [], keys: [IdempotencyMark] = [],
        watermarks: [WatermarkMark] = [], watermark: Int64? = nil, arrivedMs: Int64? = nil
    ) {
        self.expectedPosition = expectedPosition
        self.position = position
        self.producers = producers
        self.keys = keys
        self.watermarks = watermarks
        self.watermark = watermark
        self.arrivedMs = arrivedMs
    }
}

/// How far one producer's batches are committed.
public struct ProducerMark: Sendable, Hashable {
    public var producer: String
    public var epoch: Int64
    public var sequence: Int64
    /// Log position of the batch.
    public var position: UInt64
    /// Records of the batch that were accepted.
    public var accepted: Int
    /// What the producer was answered; opaque here.
    public var answer: [UInt8]

    public init(
        producer: String, epoch: Int64, sequence: Int64, position: UInt64, accepted: Int, answer: [UInt8]
    ) {
        self.producer = producer
        self.epoch = epoch
        self.sequence = sequence
        self.position = position
        self.accepted = accepted
        self.answer = answer
    }
}

/// A committed request that carried an idempotency key.
public struct IdempotencyMark: Sendable, Hashable {
    public var key: String
    public var position: UInt64
    /// What the client was answered; opaque here.
    public var answer: [UInt8]
    public var createdMs: Int64

    public init(key: String, position: UInt64, answer: [UInt8], createdMs: Int64) {
        self.key = key
        self.position = position
        self.answer = answer
        self.createdMs = createdMs
    }
}

/// The highest event time that a producer's committed records have.
public struct WatermarkMark: Sendable, Hashable {
    /// Empty for records without a producer.
    public var producer: String
    /// Microseconds from 1970-01-01T00:00:00Z.
    public var eventMicros: Int64
    /// When the server took the producer's latest records.
    public var seenMs: Int64

    public init(producer: String, eventMicros: Int64, seenMs: Int64) {
        self.producer = producer
        self.eventMicros = eventMicros
        self.seenMs = seenMs
    }
}

extension SQLValue {
    /// Log positions are counters; none reaches 2^63.
    init(position: UInt64) throws(FirnError) {
        guard let value = Int64(exactly: position) else {
            throw FirnError(.internal, "position_out_of_range", "log position \(position) is out of range")
        }
        self = .integer(value)
    }
}
