/// How the front door treats connections; the bounds that keep one client from taking what is everybody's (G7).
public struct FrontOptions: Sendable {
    /// Connections at a time, of both protocols; more are answered 503 and closed.
    public var connectionsMax = 1024
    /// Ingest requests that are complete and not answered, over all tables; more are answered 429.
    public var requestsInFlightMax = 1024
    /// Bytes of ingest bodies in the same time; more are answered 429.
    public var bytesInFlightMax = 256 << 20
    /// How long stopping waits for requests under way.
    public var drainMs = 30_000

    /// Requests of one connection that are read ahead of their answers.
    static let pipelinedMax = 32
    /// From the first byte of a head to its last.
    static let headNanosMax: Int64 = 10_000_000_000
    /// A body may come as slowly as it likes for this long, then it needs `bodyBytesPerSecondMin` on average.
    static let bodyGraceNanos: Int64 = 10_000_000_000
    static let bodyBytesPerSecondMin = 1024
    /// Between two requests.
    static let idleNanosMax: Int64 = 75_000_000_000
    /// How long an answer may wait for a peer that does not read.
    static let sendNanosMax: Int64 = 30_000_000_000
    /// How long, and how many bytes, are swallowed after an answer that ends a connection.
    static let lingerNanosMax: Int64 = 2_000_000_000
    /// A streamed answer pauses above this many bytes that the peer has not taken.
    static let streamBytesMax = 256 << 10
    /// One `recv`.
    static let receiveBytes = 64 << 10
    static let sweepNanos: Int64 = 500_000_000

    public init() {}
}
