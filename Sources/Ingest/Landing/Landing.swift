import Base
import Columnar

/// Where the records of one body go: rows of the table, dead letters, or back to their sender.
///
/// A function of body, format, schema and settings alone: accepting a batch and replaying it call the same one.
struct Landing: Sendable {
    let batch: RecordBatch
    /// Records for the dead-letter table; empty unless the settings name one.
    let deadLetters: [RejectedRecord]
    /// Why records were refused: the first `DecoderOptions.rejectionsReportedMax`.
    let rejections: [Rejection]
    let rejectedCount: Int

    /// - Parameter decoder: reused where it fits, so that small bodies do not pay for building one.
    init(
        _ body: [UInt8], format: RecordFormat, schema: Schema, settings: LandingSettings, memoryBytesMax: Int? = nil,
        decoders: DecoderCache? = nil
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
        batch = decoded.batch
        deadLetters = decoded.rejected
        rejections = decoded.rejections
        rejectedCount = decoded.rejectedCount
    }

    /// Records that neither the table nor its dead letters take.
    var refusedCount: Int { deadLetters.isEmpty ? rejectedCount : 0 }
}
