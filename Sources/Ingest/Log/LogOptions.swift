import Base

public struct LogOptions: Sendable {
    /// Size of a segment file, a multiple of 4096. A record must fit one.
    public var segmentBytes: Int
    /// Bound on the bytes of records that are queued or not yet released; past it appends are refused.
    public var maxBytes: Int
    /// Segment files kept for reuse: about what a second of ingest at full speed fills, so that a steady stream only
    /// overwrites.
    public var recycledSegmentsMax: Int
    /// Position of the first record when the directory holds no segment: one above the highest that the catalog knows.
    /// A log that ends below it has lost records and is not opened.
    public var startPosition: UInt64

    public init(
        segmentBytes: Int = 64 << 20, maxBytes: Int = 4 << 30, recycledSegmentsMax: Int = 8, startPosition: UInt64 = 1
    ) {
        precondition(segmentBytes >= 2 * SegmentHeader.byteCount && segmentBytes % SegmentHeader.byteCount == 0)
        precondition(maxBytes > 0 && recycledSegmentsMax >= 0 && startPosition >= 1)
        self.segmentBytes = segmentBytes
        self.maxBytes = maxBytes
        self.recycledSegmentsMax = recycledSegmentsMax
        self.startPosition = startPosition
    }

    /// The longest payload a segment takes.
    public var payloadBytesMax: Int {
        min(segmentBytes - SegmentHeader.byteCount - FrameHeader.byteCount, Int(UInt32.max))
    }

    /// Bytes of one group; more wait for the next sync. Bounds the log thread's memory and what recovery holds.
    static let groupBytesMax = 8 << 20
    /// Bytes gathered for one write.
    static let stagingBytes = 1 << 20
    /// Bytes reserved and synced at a time while a new segment is prepared: a file system that cannot reserve fills
    /// them with zeros.
    static let allocatedBytes = 4 << 20
    /// Least length of a segment made in a hurry: a few groups of small records.
    static let shortSegmentBytes = 8 << 10
    /// First and longest pause between attempts to create a segment after a failure.
    static let retryPauseNanos: Int64 = 100_000_000
    static let retryPauseNanosMax: Int64 = 1_600_000_000
}

/// Counters of one log since it was opened, except where they say otherwise.
public struct LogStats: Sendable, Equatable {
    /// Bytes of records queued or not released, including those found at opening.
    public var bytesInUse = 0
    /// Segment files with records, and files waiting for reuse.
    public var segments = 0
    public var recycledSegments = 0
    /// The highest position that is synced; 0 before the first record of a log.
    public var lastDurablePosition: UInt64 = 0
    public var releasedPosition: UInt64 = 0
    /// Groups synced, the records and bytes in them, and the largest by records.
    public var groups = 0
    public var records = 0
    public var bytes = 0
    public var largestGroup = 0
    /// Groups whose write or sync failed, or that found no segment.
    public var failedGroups = 0
    public var queuedRecords = 0
    /// False while no segment can be created.
    public var isAvailable = true
}
