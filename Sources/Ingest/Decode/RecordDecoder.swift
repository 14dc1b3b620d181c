import Base
import CPlatform
import Columnar

/// Turns JSON records, and those of CSV, into the columns of a schema: one strict pass, no tree in between, no
/// allocation per value.
///
/// 1. The body is scanned where it lies; only what stands in its last 64 bytes is copied behind a padding, so that
///    wide loads never leave the memory.
/// 2. Each record is parsed straight into the columns' buffers. The next key is predicted from the record before, so
///    that records of one shape cost one comparison a key.
/// 3. A record that breaks the grammar or does not fit the schema is taken back and reported with its line, column
///    path and code; the records around it stand.
///
/// Deterministic: the same bytes, schema and options give the same rows and rejections, which replaying the log
/// relies on. An instance may move between threads but is used by one at a time; it remembers the shape of what it
/// has seen, which affects speed only.
///
/// How types are written. Null is null, and refused where the field is required; absence is the column's default, and
/// null where it has none:
///
/// | column | JSON |
/// |---|---|
/// | boolean | `true`, `false` |
/// | int, long | a number without a fractional part (`1`, `1.0`, `1e3`) |
/// | float, double | a number, or `"NaN"`, `"Infinity"`, `"-Infinity"`; rounded to nearest, out of range refused |
/// | decimal | a number or the same in a string; never rounded |
/// | date, time | `"YYYY-MM-DD"`, `"HH:MM:SS[.ffffff]"` |
/// | timestamp | `"YYYY-MM-DDTHH:MM:SS[.ffffff]"`, or a space for the T; no offset |
/// | timestamptz | the same with `Z`, `±HH:MM`, `±HHMM` or `±HH` |
/// | timestamp_ns, timestamptz_ns | the same with up to nine fraction digits |
/// | all four, given an epoch unit | also a number of seconds, milliseconds, microseconds or nanoseconds |
/// | string | a string |
/// | uuid | `"8-4-4-4-12"` hexadecimal digits |
/// | binary, fixed | padded base64 of the standard alphabet |
/// | struct, map | an object; the keys of a map are written like strings or numbers of their type |
/// | list | an array |
/// | variant | any value; see `RecordParser+Variant.swift` |
/// | unknown | `null` |
public final class RecordDecoder: @unchecked Sendable {
    public let schema: Schema
    public let options: DecoderOptions
    private let tree: DecodeTree
    private let state: UnsafeMutablePointer<RecordParser.State>
    private let touched: UnsafeMutablePointer<Int32>
    private var scratch = Buffer<UInt8>(capacity: 256)
    private var bytesPerRow = 0

    public init(schema: Schema, options: DecoderOptions = DecoderOptions()) {
        self.schema = schema
        self.options = options
        tree = DecodeTree(schema, epochUnits: options.epochUnits)
        state = .allocate(capacity: 1)
        state.initialize(to: RecordParser.State(scratch: ByteSink(scratch, capacity: 256)))
        state.pointee.ignoreUnknown = options.unknownColumns == .ignore
        touched = .allocate(capacity: schema.fields.count + 1)
    }

    static func bodyTooLarge(_ bytes: Int) -> FirnError {
        FirnError(
            .limitExceeded, "body_too_large",
            "The body has \(bytes) bytes; at most \(DecodeLimits.bodyBytesMax) can be decoded at once. Send it in parts."
        )
    }

    deinit {
        state.deallocate()
        touched.deallocate()
    }

    /// Decodes a whole body.
    ///
    /// An empty NDJSON body is no rows. A `.json` body that breaks the grammar anywhere is refused as a whole.
    /// - Throws: `.invalidInput` with a syntax code of `RejectionCode` and the `line` and `offset` for such a body;
    ///   `.limitExceeded` `body_too_large` or `batch_too_large`.
    public func decode(_ body: [UInt8], format: RecordFormat) throws(FirnError) -> DecodedBatch {
        let result = body.withUnsafeBytes { bytes in
            Result { () throws(FirnError) in try decode(bytes, format: format) }
        }
        return try result.get()
    }

    /// Decodes a whole body, which must not change meanwhile.
    public func decode(_ body: UnsafeRawBufferPointer, format: RecordFormat) throws(FirnError) -> DecodedBatch {
        precondition(format.isText, "no text format")
        guard body.count <= DecodeLimits.bodyBytesMax else { throw Self.bodyTooLarge(body.count) }
        tree.begin(rows: estimatedRows(body))
        state.pointee.budget = options.batchBytesMax
        let parser = RecordParser(
            tree: tree.handle, state: state, touched: touched, scan: JSONScan(multiline: format != .ndjson))
        let rejections: RejectionList
        do throws(FirnError) {
            rejections = try format == .csv ? records(body, parser) : texts(body, parser, format)
        } catch {
            tree.abandon()
            shrinkScratch()
            throw error
        }
        let rows = tree.nodes[0].rows
        if rows > 0 { bytesPerRow = max(1, body.count / rows) }
        let batch = RecordBatch(schema: schema, columns: tree.finish(), rowCount: rows)
        shrinkScratch()
        return DecodedBatch(
            batch: batch, rejections: rejections.rejections, rejectedCount: rejections.count,
            rejected: rejections.rejected)
    }

    private func texts(
        _ body: UnsafeRawBufferPointer, _ parser: RecordParser, _ format: RecordFormat
    ) throws(FirnError) -> RejectionList {
        var run = DecodeRun(parser: parser, paths: tree.paths, types: tree.types, options: options)
        if format == .ndjson { try lines(body, &run) } else { try whole(body, &run) }
        return run.rejections
    }

    private func records(_ body: UnsafeRawBufferPointer, _ parser: RecordParser) throws(FirnError) -> RejectionList {
        let text = padded(body)
        var run = CSVRun(
            parser: parser, schema: schema, paths: tree.paths, types: tree.types, options: options,
            end: UnsafePointer(text.pointer) + text.count)
        try run.records(UnsafePointer(text.pointer))
        withExtendedLifetime(text) {}
        return run.rejections
    }

    private func lines(_ body: UnsafeRawBufferPointer, _ run: inout DecodeRun) throws(FirnError) {
        // Lines that end at least 64 bytes before the body does are scanned in place.
        var split = 0
        if body.count > 64 {
            let start = body.baseAddress!.assumingMemoryBound(to: UInt8.self)
            split = firn_behind_last_newline(start, body.count - 64)
            try run.lines(start, start + split)
        }
        let tail = padded(UnsafeRawBufferPointer(rebasing: body[split...]))
        try run.lines(UnsafePointer(tail.pointer), UnsafePointer(tail.pointer) + tail.count)
        withExtendedLifetime(tail) {}
    }

    private func whole(_ body: UnsafeRawBufferPointer, _ run: inout DecodeRun) throws(FirnError) {
        let text = padded(body)
        try run.whole(UnsafePointer(text.pointer), UnsafePointer(text.pointer) + text.count)
        withExtendedLifetime(text) {}
    }

    /// A copy followed by at least 64 zero bytes.
    private func padded(_ bytes: UnsafeRawBufferPointer) -> Buffer<UInt8> {
        let copy = Buffer<UInt8>(capacity: bytes.count)
        copy.append(bytes.bindMemory(to: UInt8.self))
        return copy
    }

    /// Rows to make room for: as dense as the last body, at first as dense as this one's beginning, and never more
    /// memory than four times the body.
    private func estimatedRows(_ body: UnsafeRawBufferPointer) -> Int {
        if bytesPerRow == 0 {
            let sample = body.prefix(4096)
            bytesPerRow = max(2, sample.count / (sample.count { $0 == Byte.newline } + 1))
        }
        let slots = (0..<tree.nodeCount).reduce(1) { $0 + tree.nodes[$1].width }
        return min(body.count / bytesPerRow + 1, max(body.count * 4, 1 << 16) / slots)
    }

    /// A single large value must not be paid for ever after.
    private func shrinkScratch() {
        guard state.pointee.scratch.capacity > 1 << 20 else { return }
        scratch = Buffer(capacity: 256)
        state.pointee.scratch = ByteSink(scratch, capacity: 256)
    }
}
