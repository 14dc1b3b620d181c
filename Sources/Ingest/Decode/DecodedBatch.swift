import Base
import Columnar

/// The shape of a request body.
public enum RecordFormat: String, Sendable, CaseIterable {
    /// One JSON object a line; lines end with LF or CRLF, blank lines are skipped. Each line stands for itself.
    case ndjson
    /// One JSON object, or one array of objects.
    case json
    /// RFC 4180 with a header line.
    case csv
    /// An Avro object container file.
    case avro
    /// An Arrow IPC stream.
    case arrow
    /// A Parquet file.
    case parquet

    /// A body names its columns once, before its records, so that one that does not fit refuses the whole body.
    var hasColumns: Bool { self != .ndjson && self != .json }

    /// Read as characters: a record can be cut out of the body as it stands.
    public var isText: Bool { self == .ndjson || self == .json || self == .csv }
}

/// Why one record did not become a row.
public struct Rejection: Sendable, Equatable {
    /// 1-based: the line of an NDJSON or CSV body on which the record begins, its position in a body of another format.
    public let line: Int
    /// Dotted path of the column, nil when the record as a whole is at fault.
    public let column: String?
    /// One of `RejectionCode`.
    public let code: String
    public let message: String

    public init(line: Int, column: String?, code: String, message: String) {
        self.line = line
        self.column = column
        self.code = code
        self.message = message
    }
}

/// A record that did not become a row, with its own bytes, so that it can be kept and sent again.
public struct RejectedRecord: Sendable, Equatable {
    public let rejection: Rejection
    /// The record as it stood in the body where its format is text; as JSON otherwise.
    public let payload: [UInt8]

    /// What a kept record takes in memory beside its payload, about.
    static let bytesBeside = 256

    public init(rejection: Rejection, payload: [UInt8]) {
        self.rejection = rejection
        self.payload = payload
    }
}

/// The good records of a body as rows, and the others with their reasons.
public struct DecodedBatch: Sendable {
    public let batch: RecordBatch
    /// The first `DecoderOptions.rejectionsReportedMax` rejections in line order.
    public let rejections: [Rejection]
    /// All rejected records, reported or not.
    public let rejectedCount: Int
    /// Every rejected record, when `DecoderOptions.keepsRejected` asks for them.
    public let rejected: [RejectedRecord]

    public init(
        batch: RecordBatch, rejections: [Rejection], rejectedCount: Int, rejected: [RejectedRecord] = []
    ) {
        self.batch = batch
        self.rejections = rejections
        self.rejectedCount = rejectedCount
        self.rejected = rejected
    }
}

public struct DecoderOptions: Sendable {
    /// What happens to a record with a key that names no field.
    public enum UnknownColumns: Sendable {
        /// The record is rejected with `unknown_column`.
        case reject
        /// The value is checked as JSON and dropped.
        case ignore
    }

    public var unknownColumns: UnknownColumns
    public var recordBytesMax: Int
    public var rejectionsReportedMax: Int
    /// Memory one batch may take; see `DecodeLimits.batchBytesMax`.
    public var batchBytesMax: Int
    /// Whether `DecodedBatch.rejected` is filled; their bytes count against `batchBytesMax`.
    public var keepsRejected = false
    /// Timestamp columns that also take numbers, by field id.
    public var epochUnits: [Int: EpochUnit] = [:]

    public init(
        unknownColumns: UnknownColumns = .reject, recordBytesMax: Int = Limits.recordBytesMax,
        rejectionsReportedMax: Int = Limits.rejectionsReportedMax, batchBytesMax: Int = DecodeLimits.batchBytesMax
    ) {
        self.unknownColumns = unknownColumns
        self.recordBytesMax = recordBytesMax
        self.rejectionsReportedMax = rejectionsReportedMax
        self.batchBytesMax = batchBytesMax
    }
}

/// Bounds of the decoder beside those in `Limits`.
public enum DecodeLimits {
    /// Characters of one number: far above the 770 that can matter to a double.
    public static let numberBytesMax = 1024
    /// One body: the offsets of a column's bytes are 32-bit.
    public static let bodyBytesMax = 1 << 30
    /// Fixed-width slots of one batch, nulls included: `{}` costs three bytes on the wire and a slot in every column
    /// of the table, so the size of a body does not bound the size of its batch.
    public static let batchBytesMax = 1 << 30
    /// Records that schema inference looks at, and bytes.
    public static let inferenceRecordsMax = 1000
    public static let inferenceBytesMax = 4 << 20
}
