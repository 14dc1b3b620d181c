import Base
import Columnar

/// What event time makes of a batch.
public struct EventTimeResult: Sendable {
    /// The rows that go on to the table; under `mark` with the mark column filled.
    public let kept: RecordBatch
    /// Rows of the batch, rising, whose event time lies before the cutoff. Under `dead-letter` they are not in `kept`.
    public let late: [Int]
    /// The highest plausible event time in microseconds; nil when no row has one.
    public let maxEventMicros: Int64?
    /// Rows whose event time is too far ahead to be believed; they land and move no watermark.
    public let implausible: Int
}

extension EventTimePolicy {
    /// Splits or marks the rows of a batch. A row without an event time is not late.
    ///
    /// `kept` and `late` depend on the batch, the policy and the cutoff alone, which a replay relies on.
    /// - Parameters:
    ///   - cutoff: see `Watermarks.cutoff`; nil when nothing is late.
    ///   - nowMs: the server's time, which decides what is plausible.
    ///
    /// A batch of a schema without the event-time column is kept as it is; without the mark column, nothing is marked.
    public func apply(_ batch: RecordBatch, cutoff: Int64?, nowMs: Int64) -> EventTimeResult {
        guard let times = EventTime.micros(of: columnId, in: batch) else {
            return EventTimeResult(kept: batch, late: [], maxEventMicros: nil, implausible: 0)
        }
        let horizon = EventTime.adding(EventTime.adding(0, nowMs), maxAheadMs)
        var late: [Int] = []
        var (highest, implausible): (Int64?, Int) = (nil, 0)
        for (row, time) in times.enumerated() {
            guard let time else { continue }
            if let cutoff, time < cutoff { late.append(row) }
            if time > horizon { implausible += 1 } else { highest = max(highest ?? time, time) }
        }
        return EventTimeResult(
            kept: keep(batch, late), late: late, maxEventMicros: highest, implausible: implausible)
    }

    private func keep(_ batch: RecordBatch, _ late: [Int]) -> RecordBatch {
        switch self.late {
        case .land: return batch
        case .deadLetter:
            guard !late.isEmpty else { return batch }
            var lateRows = Set(late)
            return batch.taking((0..<batch.rowCount).filter { lateRows.remove($0) == nil }.map(Int32.init))
        case .mark:
            guard let index = batch.schema.fields.firstIndex(where: { $0.id == markColumnId }) else { return batch }
            let marks = Buffer<UInt8>(repeating: 0, count: batch.rowCount)
            for row in late { marks[row] = 1 }
            var columns = batch.columns
            columns[index] = Column(
                type: .boolean, rowCount: batch.rowCount, validity: nil, nullCount: 0, storage: .boolean(marks))
            return RecordBatch(schema: batch.schema, columns: columns, rowCount: batch.rowCount)
        }
    }
}

/// Event times as microseconds from 1970-01-01T00:00:00Z; what has no zone counts as UTC.
enum EventTime {
    /// The event time of every row, nil for null; nil when the batch has no such column.
    static func micros(of columnId: Int, in batch: RecordBatch) -> [Int64?]? {
        guard let chain = batch.schema.chain(to: columnId), let top = chain.first,
            let index = batch.schema.fields.firstIndex(where: { $0.id == top.id })
        else { return nil }
        var column = batch.columns[index]
        var present = validity(column)
        for field in chain.dropFirst() {
            guard case .structure(let children) = column.storage, case .structure(let type) = column.type,
                let place = type.fields.firstIndex(where: { $0.id == field.id })
            else { return nil }
            column = children[place]
            for (row, isThere) in validity(column).enumerated() where !isThere { present[row] = false }
        }
        return values(column).map { values in zip(values, present).map { $1 ? $0 : nil } }
    }

    private static func validity(_ column: Column) -> [Bool] {
        column.validity.map { bits in bits.values.map { $0 != 0 } } ?? Array(repeating: true, count: column.rowCount)
    }

    private static func values(_ column: Column) -> [Int64]? {
        switch column.storage {
        case .int32(let days) where column.type == .date:
            days.values.map { Int64($0) * CivilTime.microsPerDay }
        case .int64(let nanos) where column.type.isNanoseconds:
            nanos.values.map { CivilTime.floorDivide($0, 1000).quotient }
        case .int64(let micros) where column.type.isTimestamp: Array(micros.values)
        default: nil
        }
    }

    /// `micros` moved by milliseconds; stays at the end of the range rather than past it.
    static func adding(_ micros: Int64, _ milliseconds: Int64) -> Int64 {
        let (delta, tooFar) = milliseconds.multipliedReportingOverflow(by: 1000)
        let step = tooFar ? (milliseconds < 0 ? Int64.min : Int64.max) : delta
        let (sum, overflow) = micros.addingReportingOverflow(step)
        return overflow ? (step < 0 ? Int64.min : Int64.max) : sum
    }
}
