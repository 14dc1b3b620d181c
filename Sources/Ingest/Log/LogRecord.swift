import Base

/// What a caller appends: an opaque payload and its checksum, computed here so that it costs the caller's thread and
/// not the log's.
///
/// The payload may come in two parts, so that a large body need not be copied behind its header.
public struct LogEntry: Sendable {
    let head: [UInt8]
    let body: [UInt8]
    let checksum: UInt32

    public init(payload: [UInt8]) { self.init(head: [], body: payload) }

    /// The payload is `head` followed by `body`.
    public init(head: [UInt8], body: [UInt8]) {
        self.head = head
        self.body = body
        checksum = CRC32C.checksum(body, seed: CRC32C.checksum(head))
    }

    /// Bytes of the payload.
    var count: Int { head.count + body.count }

    /// Bytes this entry takes in a segment.
    var frameBytes: Int { FrameHeader.frameBytes(payloadBytes: count) }
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
