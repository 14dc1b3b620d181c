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
        if let decoders, format.isText {
            decoded = try decoders.decode(
                body, format: format, schema: schema, settings: settings.decode, options: options)
        } else {
            decoded = try decode(body, format: format, schema: schema, settings: settings.decode, options: options)
        }
        let place = Placement(settings)
        guard let policy = settings.eventTime, decoded.batch.rowCount > 0 else {
            batch = decoded.batch
            deadLetters = decoded.rejected.map(place.callAsFunction)
            rejections = decoded.rejections.map(place.callAsFunction)
            rejectedCount = decoded.rejectedCount
            (lateCount, maxEventMicros) = (0, nil)
            return
        }
        let outcome = policy.apply(decoded.batch, cutoff: settings.cutoff, nowMs: nowMs)
        var late: [RejectedRecord] = []
        if policy.late == .deadLetter, !outcome.late.isEmpty {
            late = LateRecords(body: body, format: format, decoded: decoded).letters(
                outcome.late, cutoff: settings.cutoff)
        }
        batch = outcome.kept
        deadLetters = (decoded.rejected + late).map(place.callAsFunction)
        rejections = (decoded.rejections + late.map(\.rejection)).prefix(options.rejectionsReportedMax)
            .map(place.callAsFunction)
        rejectedCount = decoded.rejectedCount + late.count
        lateCount = outcome.late.count
        maxEventMicros = outcome.maxEventMicros
    }

    /// No records at all.
    init(empty schema: Schema) throws(FirnError) {
        try self.init([], format: .ndjson, schema: schema, settings: LandingSettings(), nowMs: 0)
    }

    /// What the sender is told, at the batch's position in the log.
    func answer(at position: UInt64) -> StoredAnswer {
        StoredAnswer(
            accepted: batch.rowCount, rejections: rejections, rejectedCount: rejectedCount,
            deadLettered: deadLetters.count, position: position)
    }

    /// Records that neither the table nor its dead letters take.
    var refusedCount: Int { rejectedCount - deadLetters.count }
}

/// Gives rejections of a part the place in the whole request for several tables.
private struct Placement {
    private let settings: LandingSettings

    init(_ settings: LandingSettings) { self.settings = settings }

    func callAsFunction(_ rejection: Rejection) -> Rejection {
        guard let table = settings.tableName else { return rejection }
        let index = rejection.line - 1
        return Rejection(
            line: settings.lines.indices.contains(index) ? Int(settings.lines[index]) : rejection.line,
            column: rejection.column, code: rejection.code, message: "\(table): \(rejection.message)")
    }

    func callAsFunction(_ record: RejectedRecord) -> RejectedRecord {
        settings.tableName == nil ? record : RejectedRecord(rejection: self(record.rejection), payload: record.payload)
    }
}

/// Finds the records again that late rows came from.
private struct LateRecords {
    let body: [UInt8]
    let format: RecordFormat
    let decoded: DecodedBatch

    /// - Parameter rows: of the decoded batch, rising.
    func letters(_ rows: [Int], cutoff: Int64?) -> [RejectedRecord] {
        let limit = cutoff.map { CivilTime.formatTimestamp(micros: $0, utc: true) } ?? "the watermark"
        let lines = acceptedLines
        let isText = format == .ndjson || format == .json
        let texts = isText ? RecordSlices.take(rows.map { lines[$0] }, of: body, format: format) : []
        return rows.enumerated().map { index, row in
            var payload: [UInt8] = []
            if isText { payload = texts[index] } else { decoded.batch.appendJSON(row: row, into: &payload) }
            return RejectedRecord(
                rejection: Rejection(
                    line: lines[row], column: nil, code: RejectionCode.lateRecord,
                    message: "The event time is before \(limit)."),
                payload: payload)
        }
    }

    /// The number that a rejection would give the record of each row.
    private var acceptedLines: [Int] {
        let rejected = Set(decoded.rejected.map(\.rejection.line))
        guard format == .ndjson else {
            return (1...decoded.batch.rowCount + rejected.count).filter { !rejected.contains($0) }
        }
        var lines: [Int] = []
        var isBlank = true
        var line = 1
        for byte in body + [Byte.newline] {
            if byte == Byte.newline {
                if !isBlank, !rejected.contains(line) { lines.append(line) }
                line += 1
                isBlank = true
            } else if byte > Byte.space {
                isBlank = false
            }
        }
        return lines
    }
}
