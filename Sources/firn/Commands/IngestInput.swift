import Base
import Glibc
import Ingest

/// Cuts a file or standard input into the bodies of requests.
///
/// NDJSON is cut between lines. CSV is cut between records, where the quotes so far are even, and every part but the
/// first is given the header again. Everything else is one body.
struct IngestInput {
    struct Batch {
        let bytes: [UInt8]
        /// What to add to the number of a record that an answer names, to number it in the whole input.
        let linesBefore: Int
        /// What these numbers count.
        let place: String
        /// Offset in the input just past this batch.
        let endOffset: Int
    }

    /// Where an earlier run got to: a batch ends there, however it was cut then.
    var resumeAt = 0
    /// Bytes of the file; nil where they tell nothing of how far reading has come.
    let totalBytes: Int?
    private let format: RecordFormat
    /// Nil reads standard input.
    private let file: (any File)?
    private let batchBytes: Int
    /// What was read and not yet sent begins at `start`.
    private var rest: [UInt8] = []
    private var start = 0
    private var readBytes = 0
    private var offset = 0
    private var lines = 0
    private var header: [UInt8] = []
    private var headerLines = 0
    private var ended = false

    init(path: String?, format: RecordFormat, coding: String?, batchBytes: Int) throws {
        self.format = format
        self.batchBytes = batchBytes
        let file = try path.map { try Environment.live.files.open($0, .read) }
        guard let coding, let path else {
            self.file = file
            totalBytes = try file?.size()
            return
        }
        let packed = try Environment.live.files.readAll(path)
        rest =
            coding == "gz"
            ? try Deflate.decompress(packed, wrapping: .gzip, limit: Limits.wholeFileBytesMax)
            : try Zstd.decompress(packed, limit: Limits.wholeFileBytesMax)
        self.file = nil
        totalBytes = rest.count
        ended = true
    }

    /// The format that a file's name tells, and the coding around it.
    static func format(ofFile name: String) -> (format: RecordFormat?, coding: String?) {
        if name == "-" { return (.ndjson, nil) }
        var parts = name.lowercased().split(separator: "/").last?.split(separator: ".").map(String.init) ?? []
        let coding = parts.last.flatMap { $0 == "gz" || $0 == "zst" ? $0 : nil }
        if coding != nil { parts.removeLast() }
        switch parts.last {
        case "ndjson", "jsonl": return (.ndjson, coding)
        case "json": return (.json, coding)
        case "csv": return (.csv, coding)
        case "avro": return (.avro, coding)
        case "arrow", "arrows": return (.arrow, coding)
        case "parquet": return (.parquet, coding)
        default: return (nil, coding)
        }
    }

    private mutating func read() throws {
        let room = 1 << 18
        let piece = try file?.read(at: readBytes, count: room) ?? Self.readStandardInput(room)
        readBytes += piece.count
        rest.removeFirst(start)
        start = 0
        if piece.isEmpty { ended = true } else { rest += piece }
    }

    /// Up to `count` bytes, none at the end. A read that fails is not taken for the end: half a file would be ingested.
    private static func readStandardInput(_ count: Int) throws -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, used in
            var got = 0
            repeat { got = Glibc.read(STDIN_FILENO, room.baseAddress, count) } while got < 0 && errno == EINTR
            if got < 0 { failure = errno }
            used = max(0, got)
        }
        guard failure == 0 else {
            throw FirnError(.io, "input_failed", "cannot read standard input: \(String(cString: strerror(failure)))")
        }
        return bytes
    }

    mutating func next() throws -> Batch? {
        switch format {
        case .ndjson, .csv: return try nextPart()
        case .json, .avro, .arrow, .parquet:
            while !ended, rest.count <= Limits.bodyBytesDefault { try read() }
            guard rest.count <= Limits.bodyBytesDefault else {
                throw FirnError(
                    .limitExceeded, "body_too_large",
                    "a \(format.rawValue) file is sent as one body of at most \(Limits.bodyBytesDefault) bytes; "
                        + "write it as several files")
            }
            return start == rest.count ? nil : cut(rest.count)
        }
    }

    private mutating func nextPart() throws -> Batch? {
        var scanned = start
        var quotes = 0
        while true {
            // A line end counts outside of quotes; in NDJSON every one does.
            for index in scanned..<rest.count {
                let byte = rest[index]
                if byte == UInt8(ascii: "\n"), quotes & 1 == 0 {
                    if format == .csv, header.isEmpty { takeHeader(index + 1) }
                    let count = index + 1 - start
                    if count >= batchBytes || offset + count == resumeAt { return cut(index + 1) }
                } else if byte == UInt8(ascii: "\""), format == .csv {
                    quotes += 1
                }
            }
            scanned = rest.count - start
            if ended { return start == rest.count ? nil : cut(rest.count) }
            guard rest.count - start <= Limits.bodyBytesDefault else {
                throw FirnError(
                    .limitExceeded, "record_too_large", "a record is longer than \(Limits.bodyBytesDefault) bytes")
            }
            try read()
        }
    }

    private mutating func takeHeader(_ count: Int) {
        header = Array(rest[..<count])
        headerLines = Self.lines(header[...])
    }

    private static func lines(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.count { $0 == UInt8(ascii: "\n") } + (bytes.last == UInt8(ascii: "\n") ? 0 : 1)
    }

    /// Takes what stands before `end`.
    private mutating func cut(_ end: Int) -> Batch {
        let isText = format == .ndjson || format == .csv
        let part = rest[start..<end]
        let isFirst = offset == 0
        let bytes = isFirst ? Array(part) : header + part
        let before = isText ? lines - (isFirst ? 0 : headerLines) : 0
        if isText { lines += Self.lines(part) }
        offset += part.count
        start = end
        return Batch(bytes: bytes, linesBefore: before, place: isText ? "line" : "record", endOffset: offset)
    }
}

extension RecordFormat {
    var contentType: String {
        switch self {
        case .ndjson: "application/x-ndjson"
        case .json: "application/json"
        case .csv: "text/csv"
        case .avro: "application/vnd.apache.avro"
        case .arrow: "application/vnd.apache.arrow.stream"
        case .parquet: "application/vnd.apache.parquet"
        }
    }
}
