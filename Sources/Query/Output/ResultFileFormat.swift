import Arrow
import Base
import Columnar
import Parquet

/// The forms in which a result leaves Firn: text of a kind, or typed columns.
public enum ResultFormat: Hashable, Sendable {
    case text(OutputFormat)
    case parquet
    /// An Arrow IPC file.
    case arrow
    /// An Arrow IPC stream.
    case arrowStream

    /// By the name that `--output` takes: that of a text format, `parquet`, `arrow` or `arrows`.
    public init?(name: String) {
        switch name {
        case "parquet": self = .parquet
        case "arrow": self = .arrow
        case "arrows": self = .arrowStream
        default:
            guard let format = OutputFormat(rawValue: name) else { return nil }
            self = .text(format)
        }
    }

    /// By the extension of a file's name. Throws `.invalidInput` (`unknown_extension`).
    public init(fileName: String) throws(FirnError) {
        let name = fileName.split(separator: "/").last ?? ""
        let suffix = name.contains(".") ? name.split(separator: ".").last.map { $0.lowercased() } ?? "" : ""
        let names = ["jsonl": "ndjson", "feather": "arrow", "ipc": "arrow", "txt": "table", "md": "markdown"]
        guard let format = ResultFormat(name: suffix) ?? names[suffix].flatMap({ ResultFormat(name: $0) }) else {
            throw FirnError(
                .invalidInput, "unknown_extension",
                "the name \"\(name)\" does not say a format; name the file .parquet, .arrow, .csv, .ndjson, .json or "
                    + ".md, or choose one with --output")
        }
        self = format
    }

    public static let names = OutputFormat.allCases.map(\.rawValue) + ["parquet", "arrow", "arrows"]

    public var contentType: String {
        switch self {
        case .text(let format): format.contentType
        case .parquet: "application/vnd.apache.parquet"
        case .arrow: "application/vnd.apache.arrow.file"
        case .arrowStream: "application/vnd.apache.arrow.stream"
        }
    }

    /// True for bytes that a terminal should not get.
    public var isBinary: Bool { if case .text = self { false } else { true } }
}

/// Writes record batches as Parquet or Arrow.
///
/// Memory holds one batch and, for Parquet, one row group of at most `rowGroupBytes`.
public final class ResultEncoder {
    private static let rowGroupBytes = 32 << 20

    private enum Form {
        case parquet(ParquetFileWriter)
        case arrow(ArrowWriter)
    }

    private var form: Form
    private let sink: ([UInt8]) throws -> Void

    /// `sink` gets the bytes in order. Precondition: the format is one of columns.
    public init(schema: Schema, format: ResultFormat, sink: @escaping ([UInt8]) throws -> Void) throws {
        self.sink = sink
        guard format != .parquet else {
            var options = ParquetWriteOptions()
            options.rowGroupBytesTarget = Self.rowGroupBytes
            form = .parquet(ParquetFileWriter(schema: schema, options: options, sink: sink))
            return
        }
        precondition(format.isBinary, "rows of text have no columns")
        var writer = ArrowWriter(schema: schema, form: format == .arrow ? .file : .stream)
        try sink(writer.start())
        form = .arrow(writer)
    }

    /// Precondition: the batch has the encoder's schema. Throws as `ParquetFileWriter.write`, and what the sink throws.
    public func write(_ batch: RecordBatch) throws {
        switch form {
        case .parquet(let writer): try writer.write(batch)
        case .arrow(var writer):
            try sink(writer.write(batch))
            form = .arrow(writer)
        }
    }

    /// Writes what belongs behind the last batch.
    public func finish() throws {
        switch form {
        case .parquet(let writer): _ = try writer.close()
        case .arrow(let writer): try sink(writer.finish())
        }
    }
}

/// A query's rows as bytes in any format, a piece at a time.
///
/// Not thread-safe; one caller after the other may use it.
public final class ResultStream: @unchecked Sendable {
    private static let pieceBytes = 64 << 10
    private static let pieceBytesMax = 1 << 20

    private let result: QueryResult
    private let format: ResultFormat
    private let text: QueryStream?
    private let pending = Pending()
    private var columns: (batches: ResultBatches, encoder: ResultEncoder)?
    private var isOver = false

    /// What is encoded and not handed out: a row group comes all at once.
    private final class Pending {
        var pieces: [[UInt8]] = []

        func append(_ bytes: [UInt8]) {
            if let count = pieces.last?.count, count + bytes.count <= ResultStream.pieceBytesMax {
                pieces[pieces.count - 1] += bytes
            } else {
                pieces.append(bytes)
            }
        }
    }

    /// Of every row.
    public var outputColumns: [OutputColumn] { result.columns.map { OutputColumn($0) } }

    public init(_ result: QueryResult, format: ResultFormat) {
        self.result = result
        self.format = format
        if case .text(let form) = format {
            text = QueryStream(result, format: form)
        } else {
            text = nil
        }
    }

    /// The next piece; nil at the end. Throws what `QueryResult.nextRow` and `ResultBatches` throw.
    public func next() throws -> [UInt8]? {
        if let text { return try text.next() }
        while pending.pieces.count < 2, pending.pieces.first?.count ?? 0 < Self.pieceBytes, !isOver { try goOn() }
        return pending.pieces.isEmpty ? nil : pending.pieces.removeFirst()
    }

    private func goOn() throws {
        guard let (batches, encoder) = columns else {
            let batches = try ResultBatches(result)
            columns = (
                batches,
                try ResultEncoder(schema: batches.schema, format: format) { [pending] in pending.append($0) }
            )
            return
        }
        if let batch = try batches.next() { return try encoder.write(batch) }
        isOver = true
        try encoder.finish()
    }

    public func close() { result.close() }
}
