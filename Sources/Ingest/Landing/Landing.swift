import Base
import Columnar

/// Where the records of one body go: rows of the table, dead letters, or back to their sender.
///
/// A function of body, format, schema and settings alone: accepting a batch and replaying it call the same one. Only
/// what moves the watermark also depends on the time.
struct Landing: Sendable {
    let batch: RecordBatch
    /// Records for the dead-letter table; empty unless the settings name one.
    let deadLetters: [RejectedRecord]
    /// Why records were refused: the first `DecoderOptions.rejectionsReportedMax`.
    let rejections: [Rejection]
    let rejectedCount: Int
    /// Rows behind the cutoff, wherever they went.
    let lateCount: Int
    /// The highest event time of the rows, in microseconds.
    let maxEventMicros: Int64?

    /// - Parameters:
    ///   - nowMs: when the request arrived.
    ///   - decoders: reused where they fit, so that small bodies do not pay for building one.
    init(
        _ body: [UInt8], format: RecordFormat, schema: Schema, settings: LandingSettings, nowMs: Int64,
        memoryBytesMax: Int? = nil, decoders: DecoderCache? = nil
    ) throws(FirnError) {
        var options = DecoderOptions()
        if let memoryBytesMax { options.batchBytesMax = min(options.batchBytesMax, memoryBytesMax) }
        options.keepsRejected = settings.deadLetters != nil
        let decoded: DecodedBatch
        if let decoders, format == .ndjson || format == .json {
            decoded = try decoders.decode(
                body, format: format, schema: schema, settings: settings.decode, options: options)
        } else {
            decoded = try decode(body, format: format, schema: schema, settings: settings.decode, options: options)
        }
        rejections = decoded.rejections
        guard let policy = settings.eventTime, decoded.batch.rowCount > 0 else {
            batch = decoded.batch
            deadLetters = decoded.rejected
            rejectedCount = decoded.rejectedCount
            (lateCount, maxEventMicros) = (0, nil)
            return
        }
        let outcome = policy.apply(decoded.batch, cutoff: settings.cutoff, nowMs: nowMs)
        let late =
            policy.late == .deadLetter ? Self.letters(outcome.late, of: decoded.batch, cutoff: settings.cutoff) : []
        batch = outcome.kept
        deadLetters = decoded.rejected + late
        rejectedCount = decoded.rejectedCount + late.count
        lateCount = outcome.late.count
        maxEventMicros = outcome.maxEventMicros
    }

    /// Records that neither the table nor its dead letters take.
    var refusedCount: Int { rejectedCount - deadLetters.count }

    /// Late rows as dead letters: their bytes are gone, so they are written out again.
    private static func letters(_ rows: [Int], of batch: RecordBatch, cutoff: Int64?) -> [RejectedRecord] {
        let limit = cutoff.map { CivilTime.formatTimestamp(micros: $0, utc: true) } ?? "the watermark"
        return rows.map { row in
            var payload: [UInt8] = []
            batch.appendJSON(row: row, into: &payload)
            return RejectedRecord(
                rejection: Rejection(
                    line: row + 1, column: nil, code: RejectionCode.lateRecord,
                    message: "The event time is before \(limit)."),
                payload: payload)
        }
    }
}
