import Catalog

/// How far in event time the records of one table have come.
///
/// Each producer has the highest event time seen from it; records without a producer count as one producer with an
/// empty name. The table's watermark is the lowest of the producers that are not idle. It never moves back: a producer
/// that is new, or comes back from idleness, finds it where the others have brought it. While all are idle it stays.
public struct Watermarks: Sendable, Equatable {
    /// Producers that are remembered; beyond them the ones longest silent are forgotten.
    static let producersMax = 10_000

    private struct Producer: Sendable, Equatable {
        var eventMicros: Int64
        var seenMs: Int64
    }

    private var producers: [String: Producer] = [:]
    /// The table's watermark in microseconds as it was last advanced to; nil before the first event time.
    public private(set) var table: Int64?

    public init() {}

    /// Restores what the catalog holds, and the watermark that the current snapshot carries, if any.
    public init(marks: [WatermarkMark], table: Int64?) {
        for mark in marks { producers[mark.producer] = Producer(eventMicros: mark.eventMicros, seenMs: mark.seenMs) }
        self.table = table
        forgetExcess()
    }

    /// Takes in a batch of one producer. `maxEventMicros` is what `EventTimePolicy.apply` answered; nil, for a batch
    /// without a plausible event time, only says that the producer is alive.
    public mutating func observe(producer: String, maxEventMicros: Int64?, nowMs: Int64) {
        if var known = producers[producer] {
            known.seenMs = max(known.seenMs, nowMs)
            if let maxEventMicros { known.eventMicros = max(known.eventMicros, maxEventMicros) }
            producers[producer] = known
        } else if let maxEventMicros {
            producers[producer] = Producer(eventMicros: maxEventMicros, seenMs: nowMs)
            forgetExcess()
        }
    }

    /// Moves the table's watermark to where it is at `nowMs`, and answers it.
    @discardableResult
    public mutating func advance(nowMs: Int64, policy: EventTimePolicy) -> Int64? {
        let active = producers.values.filter { nowMs - $0.seenMs <= policy.idleMs }
        if let lowest = active.map(\.eventMicros).min() { table = max(table ?? lowest, lowest) }
        return table
    }

    /// Records with an event time below this are late; nil while there is no watermark.
    public func cutoff(_ policy: EventTimePolicy) -> Int64? {
        table.map { EventTime.adding($0, -policy.allowedLatenessMs) }
    }

    /// What an ingest commit stores, by producer.
    public var marks: [WatermarkMark] {
        producers.map { WatermarkMark(producer: $0.key, eventMicros: $0.value.eventMicros, seenMs: $0.value.seenMs) }
            .sorted { $0.producer < $1.producer }
    }

    private mutating func forgetExcess() {
        guard producers.count > Self.producersMax else { return }
        let oldest = producers.sorted { ($0.value.seenMs, $0.key) < ($1.value.seenMs, $1.key) }
        for (producer, _) in oldest.prefix(producers.count - Self.producersMax * 9 / 10) { producers[producer] = nil }
    }
}
