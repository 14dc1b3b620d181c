/// How the ingest path behaves; the defaults suit a small machine.
public struct IngestOptions: Sendable {
    /// A micro-batch is committed when its oldest record is this old.
    public var flushIntervalMs = 1000
    /// … or holds this many bytes in memory.
    public var flushBytes = 64 << 20
    /// … or this many rows.
    public var flushRows = 1 << 20
    /// Bytes of accepted, uncommitted records over all tables; past it senders get 429.
    public var memoryBytesMax = 512 << 20
    /// Bytes of log over all tables; past it senders get 429.
    public var logBytesMax = 4 << 30
    /// How long an idempotency key is remembered.
    public var idempotencyWindowMs: Int64 = 7 * 24 * 3600 * 1000
    /// Threads that decode request bodies.
    public var decodeThreads = 2
    /// Threads that write data files and commit.
    public var flushThreads = 2

    public init() {}
}
