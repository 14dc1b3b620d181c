import Base

/// What a caller appends: an opaque payload and its checksum, computed here so that it costs the caller's thread and
/// not the log's.
public struct LogEntry: Sendable {
    public let payload: [UInt8]
    let checksum: UInt32

    public init(payload: [UInt8]) {
        self.payload = payload
        checksum = CRC32C.checksum(payload)
    }

    /// Bytes this entry takes in a segment.
    var frameBytes: Int { FrameHeader.frameBytes(payloadBytes: payload.count) }
}

/// What replay hands back.
public struct LogRecord: Sendable, Equatable {
    /// 1 for the first record of a log, then one more for each.
    public let position: UInt64
    public let payload: [UInt8]

    public init(position: UInt64, payload: [UInt8]) {
        self.position = position
        self.payload = payload
    }
}
