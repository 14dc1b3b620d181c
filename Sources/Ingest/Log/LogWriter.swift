import Base

/// A record on its way into the log.
struct PendingAppend: Sendable {
    let entry: LogEntry
    let onDurable: @Sendable (Result<UInt64, FirnError>) -> Void
}

/// The part of the log that owns the files: writes groups, begins segments, retires released ones.
///
/// 1. A group is written behind the last one with as few writes as possible, then synced once. Only then do its records
///    have positions that count.
/// 2. A failed write or sync poisons the segment: it is closed, never synced again, and nothing written since the last
///    success counts. The next group begins a new segment whose base position voids what may lie in the poisoned one.
/// 3. While no segment can be begun, groups fail at once; an attempt is made again after a pause.
///
/// Belongs to one thread at a time (the log's), which is what makes `@unchecked Sendable` true.
final class LogWriter: @unchecked Sendable {
    private struct Active {
        let file: any File
        let header: SegmentHeader
        /// Behind the last record.
        var offset = SegmentHeader.byteCount
        /// Where `staging` begins: always the start of a page.
        var stagingOffset = SegmentHeader.byteCount
        var byteCount: Int { Int(header.fileBytes) }
    }

    private let environment: Environment
    private let options: LogOptions
    private let directory: LogDirectory
    private var pool: SegmentPool
    /// Every segment that may exist on disk, oldest first. The last one that surely does is never retired: it keeps
    /// the count of positions.
    private(set) var segments: [LogSegment]
    private var active: Active?
    private var nextNumber: UInt64
    private(set) var durablePosition: UInt64
    private var releasedPosition: UInt64 = 0
    /// What is to be written next, from the page on in which the last group ended.
    private let staging = PageBuffer(capacity: LogOptions.stagingBytes)

    private var failures = 0
    private var retryAtNanos = Int64.min
    private var lastFailure: FirnError?
    private var housekeepingRetryAtNanos = Int64.min

    init(recovered: RecoveredLog, directory: LogDirectory, environment: Environment, options: LogOptions) {
        self.environment = environment
        self.options = options
        self.directory = directory
        pool = SegmentPool(directory: directory, options: options, recycled: recovered.recycled)
        segments = recovered.segments
        nextNumber = recovered.nextNumber
        durablePosition = recovered.durablePosition
    }

    var recycledCount: Int { pool.recycled.count }
    /// Set while no segment can be begun, with the time of the next attempt.
    var unavailable: (error: FirnError, untilNanos: Int64)? {
        guard active == nil, let lastFailure, failures > 0 else { return nil }
        return (lastFailure, retryAtNanos)
    }

    /// A salt whose low half, which opens every frame, is not the zero of an unwritten page.
    static func salt(_ random: any RandomSource) -> UInt64 {
        while true {
            let salt = random.next()
            if UInt32(truncatingIfNeeded: salt) != 0 { return salt }
        }
    }

    // MARK: Groups

    /// Writes and syncs as many of `appends[start...]` as make one group, and returns how many those were. With an
    /// error they all failed; without, the last of them has `durablePosition`.
    func writeGroup(_ appends: [PendingAppend], from start: Int) -> (count: Int, failure: FirnError?) {
        do throws(FirnError) {
            try ensureSegment(frameBytes: appends[start].entry.frameBytes)
        } catch {
            return (appends.count - start, error)
        }
        let count = groupCount(appends, from: start)
        do throws(FirnError) {
            try write(appends[start..<start + count])
            durablePosition += UInt64(count)
            failures = 0
            return (count, nil)
        } catch {
            poison(error)
            return (count, error)
        }
    }

    private func groupCount(_ appends: [PendingAppend], from start: Int) -> Int {
        let room = min(active!.byteCount - active!.offset, LogOptions.groupBytesMax)
        var bytes = appends[start].entry.frameBytes
        var end = start + 1
        while end < appends.count {
            bytes += appends[end].entry.frameBytes
            if bytes > room { break }
            end += 1
        }
        return end - start
    }

    /// Whole pages only, so that they can go past the page cache: the page that a group ends in is filled up with
    /// zeros, which also end what replay will read, and written again with the next group.
    private func write(_ appends: ArraySlice<PendingAppend>) throws(FirnError) {
        var position = durablePosition
        for append in appends {
            position += 1
            try stage(append.entry, position: position)
        }
        try syncStaging()
    }

    private func syncStaging() throws(FirnError) {
        let end = active!.stagingOffset + staging.count
        let open = staging.openBytes
        staging.padPage()
        try active!.file.write(staging.bytes, at: active!.stagingOffset)
        try active!.file.sync()
        staging.keep(from: open == 0 ? staging.count : staging.count - PageBuffer.pageBytes, count: open)
        active!.stagingOffset = end - open
        active!.offset = end
    }

    private func stage(_ entry: LogEntry, position: UInt64) throws(FirnError) {
        try stageHeader(.record, payloadBytes: entry.count, checksum: entry.checksum, position: position)
        try stage(entry.head)
        try stage(entry.body)
        let padding = entry.frameBytes - FrameHeader.byteCount - entry.count
        if padding > 0 { try stage([UInt8](repeating: 0, count: padding)) }
    }

    private func stageHeader(
        _ kind: FrameHeader.Kind, payloadBytes: Int, checksum: UInt32, position: UInt64
    ) throws(FirnError) {
        let header = active!.header
        let frame = FrameHeader(
            kind: kind, payloadBytes: payloadBytes, segment: header.number, position: position,
            durablePosition: durablePosition)
        try stage(
            [UInt8](unsafeUninitializedCapacity: FrameHeader.byteCount) { room, count in
                frame.encode(to: room.baseAddress!, payloadChecksum: checksum, salt: header.salt)
                count = FrameHeader.byteCount
            })
    }

    private func stage(_ bytes: [UInt8]) throws(FirnError) {
        do {
            try bytes.withUnsafeBytes { try stage($0) }
        } catch { throw error as! FirnError }
    }

    private func stage(_ bytes: UnsafeRawBufferPointer) throws(FirnError) {
        var done = 0
        while true {
            done += staging.append(UnsafeRawBufferPointer(rebasing: bytes[done...]))
            if done == bytes.count { return }
            try active!.file.write(staging.bytes, at: active!.stagingOffset)
            active!.stagingOffset += staging.count
            staging.removeAll()
        }
    }

    // MARK: Segments

    private func ensureSegment(frameBytes: Int) throws(FirnError) {
        if let active {
            if active.offset + frameBytes <= active.byteCount { return }
            active.file.close()
            self.active = nil
        }
        if let lastFailure, failures > 0, environment.clock.monotonicNanos() < retryAtNanos { throw lastFailure }
        var header = SegmentHeader(
            number: nextNumber, basePosition: durablePosition + 1, salt: Self.salt(environment.random), fileBytes: 0,
            createdMicros: environment.clock.nowMicros())
        var wasNamed = false
        do throws(FirnError) {
            let file = try pool.begin(&header, frameBytes: frameBytes, wasNamed: &wasNamed)
            active = Active(file: file, header: header)
            staging.removeAll()
            use(header, isSound: true)
        } catch {
            if wasNamed { use(header, isSound: false) }
            let failure = Self.noSegment(error)
            fail(failure, pause: true)
            throw failure
        }
    }

    private func use(_ header: SegmentHeader, isSound: Bool) {
        nextNumber += 1
        segments.append(
            LogSegment(number: header.number, basePosition: header.basePosition, isSound: isSound, isNamed: isSound))
    }

    private static func noSegment(_ error: FirnError) -> FirnError {
        if error.kind == .storageFull {
            return FirnError(
                .storageFull, "log_storage_full",
                "the disk is full: nothing can be accepted until space is freed; ingest then resumes by itself",
                context: error.context, cause: error)
        }
        return FirnError(
            .io, "log_unavailable", "the write-ahead log can not begin a segment: \(error.message)",
            context: error.context, cause: error)
    }

    private func poison(_ error: FirnError) {
        active?.file.close()
        active = nil
        segments[segments.count - 1].isSound = false
        // A single failure is answered with a new segment at once; a disk that keeps failing gets pauses.
        fail(error, pause: failures > 0)
    }

    private func fail(_ error: FirnError, pause: Bool) {
        lastFailure = error
        failures += 1
        guard pause else {
            retryAtNanos = Int64.min
            return
        }
        retryAtNanos = environment.clock.monotonicNanos() + pauseNanos
    }

    private var pauseNanos: Int64 {
        min(LogOptions.retryPauseNanosMax, LogOptions.retryPauseNanos << Int64(min(max(failures - 1, 0), 10)))
    }

    // MARK: Housekeeping

    func release(through position: UInt64) { releasedPosition = max(releasedPosition, position) }

    /// One bounded step of work that nobody waits for: takes a released segment out, or prepares a slice of the next
    /// when `prepare`. Returns false when there is nothing to do for now.
    func housekeep(prepare: Bool) -> Bool {
        let now = environment.clock.monotonicNanos()
        guard now >= housekeepingRetryAtNanos else { return false }
        do {
            if canRetire {
                try pool.retire(segments[0].number, reuse: segments[0].isSound)
                segments.removeFirst()
                return true
            }
            if prepare && needsSpare {
                try pool.prepareSlice()
                return true
            }
            return false
        } catch {
            housekeepingRetryAtNanos = now + LogOptions.retryPauseNanos
            return false
        }
    }

    private var canRetire: Bool {
        segments.count > 1 && segments[1].basePosition - 1 <= releasedPosition
            && segments.dropFirst().contains(where: \.isNamed)
    }

    private var needsSpare: Bool {
        guard !pool.isReady, let active else { return false }
        return active.offset > active.byteCount / 2
    }

    /// Seals the active segment, so that the next start knows every record in it to be durable. Best effort.
    func close() {
        defer {
            active?.file.close()
            active = nil
            pool.close()
        }
        guard let current = active, current.offset + FrameHeader.byteCount <= current.byteCount else { return }
        do {
            try stageHeader(.seal, payloadBytes: 0, checksum: 0, position: durablePosition + 1)
            try syncStaging()
        } catch {
            // Without a seal the next start rewrites the last group: slower, not wrong.
        }
    }
}
