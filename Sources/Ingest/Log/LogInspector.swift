import Base

/// What stands in one segment file of the log, for people.
public struct LogInspector: Sendable {
    public struct Frame: Sendable {
        public let offset: Int
        public let position: UInt64
        public let payloadBytes: Int
        /// The batches, where the payload is a request of ours.
        public let batches: [BatchRecord]
    }

    public let segment: UInt64
    public let basePosition: UInt64
    /// Where the last valid frame ends.
    public private(set) var validBytes = 0

    /// True when the bytes begin as a segment does.
    public static func recognises(_ head: [UInt8]) -> Bool {
        withUnsafeBytes(of: SegmentHeader.magic.littleEndian) { head.starts(with: $0) }
    }

    /// Reads the frames of a segment in order and hands each to `body`.
    ///
    /// Throws `.corrupted` (`log_corrupted`) when the file's header is damaged.
    public init(
        _ path: String, environment: Environment, _ body: (Frame) throws -> Void
    ) throws {
        let file = try environment.files.open(path, .read)
        defer { file.close() }
        let header = try SegmentHeader.decode(
            try file.read(at: 0, count: SegmentHeader.byteCount), source: path)
        var reader = try SegmentReader(file: file, number: header.number)
        segment = header.number
        basePosition = header.basePosition
        while true {
            let offset = reader.offset
            guard case .record(let record, _) = try reader.next() else { break }
            validBytes = reader.offset
            try body(
                Frame(
                    offset: offset, position: record.position, payloadBytes: record.payload.count,
                    batches: (try? LoggedRequest.decode(record.payload, source: path)) ?? []))
        }
    }
}

extension LogInspector {
    /// Whether the log of a warehouse that no server works on has records that `isMissing` says a table does not have,
    /// by its log position.
    ///
    /// Throws what `isMissing` throws, `.corrupted` (`log_corrupted`) and `.io`: what cannot be read may hold some.
    public static func holdsRecords(
        in directory: String, environment: Environment, isMissing: (_ table: UUID, _ position: UInt64) throws -> Bool
    ) throws -> Bool {
        let log = LogDirectory(path: directory, files: environment.files)
        guard try environment.files.status(directory) != nil else { return false }
        var isFound = false
        for number in try log.list().segments where !isFound {
            _ = try LogInspector(log.segmentPath(number), environment: environment) { frame in
                isFound = try isFound || frame.batches.contains { try isMissing($0.table, frame.position) }
            }
        }
        return isFound
    }
}
