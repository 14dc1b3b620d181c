import Base
import Synchronization

/// The durable queue in front of all tables: a record is acknowledged when it is here (guarantee G1).
///
/// One thread owns the files. Appenders hand it records and go on; it writes everything that is queued as one group,
/// syncs once, and calls back in position order. While a sync runs the next group gathers, so the group grows with the
/// load and one sync serves all.
///
/// ```swift
/// let log = try WriteAheadLog.open(directory: "/w/wal", environment: .live) { record in … }
/// try log.append(LogEntry(payload: bytes)) { result in … }
/// log.release(through: position)
/// log.close()
/// ```
///
/// Format: Docs/formats/log.md.
public final class WriteAheadLog: Sendable {
    private struct State {
        var pending: [PendingAppend] = []
        var queuedBytes = 0
        var usage: LogUsage
        var stats = LogStats()
        var unavailable: (error: FirnError, untilNanos: Int64)?
        var isSleeping = false
        var isClosing = false
    }

    private let state: Mutex<State>
    private let wake = Semaphore()
    private let finished = Semaphore()
    private let writer: LogWriter
    private let environment: Environment
    private let options: LogOptions
    /// Held until the log is closed.
    private let lock: Mutex<(any FileLock)?>
    /// The first record that opening replayed; nil when there was none.
    public let firstReplayedPosition: UInt64?

    /// Opens the log in `directory`, creating it if needed, and replays every record it holds, in order, on the calling
    /// thread. Records at or below a position released earlier may be replayed again.
    ///
    /// Throws `.conflict` (`log_locked`) when another process has it open; `.corrupted` (`log_corrupted`) when an
    /// acknowledged record is damaged, and (`log_behind`) when the log ends below `options.startPosition`;
    /// `.storageFull` (`log_storage_full`) when the tail can not be secured; and whatever `replay` throws.
    public static func open(
        directory: String, environment: Environment, options: LogOptions = LogOptions(),
        replay: (LogRecord) throws -> Void
    ) throws -> WriteAheadLog {
        let place = LogDirectory(path: directory, files: environment.files)
        try environment.files.createDirectories(directory)
        guard let lock = try environment.files.lock(directory + "/lock") else {
            throw FirnError(
                .conflict, "log_locked", "another process has the write-ahead log open; only one may ingest",
                context: ["file": directory])
        }
        let recovered = try recover(place, environment, options, replay)
        return WriteAheadLog(place, environment, options, recovered, lock)
    }

    static func recover(
        _ directory: LogDirectory, _ environment: Environment, _ options: LogOptions,
        _ replay: (LogRecord) throws -> Void
    ) throws -> RecoveredLog {
        // What is there may stem from a process that was killed before it synced the entries.
        try directory.files.syncDirectory(directory.path.parentDirectory)
        try directory.files.syncDirectory(directory.path)
        return try withoutActuallyEscaping(replay) { replay in
            var recovery = LogRecovery(
                directory: directory, environment: environment, options: options, replay: replay)
            try recovery.run()
            return recovery.result
        }
    }

    private init(
        _ directory: LogDirectory, _ environment: Environment, _ options: LogOptions, _ recovered: RecoveredLog,
        _ lock: any FileLock
    ) {
        self.environment = environment
        self.options = options
        self.lock = Mutex(lock)
        firstReplayedPosition = recovered.firstPosition
        writer = LogWriter(recovered: recovered, directory: directory, environment: environment, options: options)
        state = Mutex(State(usage: recovered.usage))
        publish()
        Thread.spawn(name: "firn-log") { [self] in run() }
    }

    // MARK: Callers' side

    /// Queues a record. `onDurable` is called exactly once, on the log's thread, in position order: with the record's
    /// position once it is synced, or with the error that keeps it from being acknowledged (`.storageFull`, `.io`); a
    /// record that failed may still turn up in a replay after a crash. It must be quick and must not wait for the log.
    ///
    /// Throws, and then never calls back: `.limitExceeded` (`log_record_too_large`), `.overloaded` (`log_full`) past
    /// `maxBytes`, `.storageFull` (`log_storage_full`) or `.io` while the log can not write, `.cancelled`
    /// (`log_closed`).
    public func append(
        _ record: LogEntry, onDurable: @escaping @Sendable (Result<UInt64, FirnError>) -> Void
    ) throws(FirnError) {
        guard record.count <= options.payloadBytesMax else {
            throw FirnError(
                .limitExceeded, "log_record_too_large",
                "a batch of \(record.count) bytes does not fit the log; at most \(options.payloadBytesMax) do")
        }
        let bytes = record.frameBytes
        let mustWake = try state.withLock { (state) throws(FirnError) -> Bool in
            try admit(bytes, &state)
            state.queuedBytes += bytes
            state.pending.append(PendingAppend(entry: record, onDurable: onDurable))
            defer { state.isSleeping = false }
            return state.isSleeping
        }
        if mustWake { wake.signal() }
    }

    private func admit(_ bytes: Int, _ state: inout State) throws(FirnError) {
        guard !state.isClosing else { throw FirnError(.cancelled, "log_closed", "the write-ahead log is closed") }
        if let (error, until) = state.unavailable, environment.clock.monotonicNanos() < until { throw error }
        guard state.usage.bytesInUse + state.queuedBytes + bytes <= options.maxBytes else {
            throw FirnError(
                .overloaded, "log_full",
                "the write-ahead log holds \(options.maxBytes) bytes that are not committed yet; try again later")
        }
    }

    /// Says that every record up to `position` is committed elsewhere. Their space counts as free at once; files are
    /// recycled by the log's thread.
    public func release(through position: UInt64) {
        let mustWake = state.withLock { state in
            state.usage.release(through: position)
            defer { state.isSleeping = false }
            return state.isSleeping
        }
        if mustWake { wake.signal() }
    }

    /// Bytes of records that are queued or not released.
    public var bytesInUse: Int { state.withLock { $0.usage.bytesInUse + $0.queuedBytes } }

    public var stats: LogStats {
        state.withLock { state in
            var stats = state.stats
            stats.bytesInUse = state.usage.bytesInUse + state.queuedBytes
            stats.releasedPosition = state.usage.releasedPosition
            stats.isAvailable = state.unavailable == nil
            return stats
        }
    }

    /// Waits until everything queued is answered, seals the log and ends its thread. Later calls do nothing.
    public func close() {
        let (isFirst, mustWake) = state.withLock { state in
            defer {
                state.isClosing = true
                state.isSleeping = false
            }
            return (!state.isClosing, state.isSleeping)
        }
        if mustWake { wake.signal() }
        finished.wait()
        finished.signal()
        if isFirst { lock.withLock { $0 = nil } }
    }

    // MARK: The log's thread

    private func run() {
        var group: [PendingAppend] = []
        while true {
            let (released, isClosing) = state.withLock { state in
                swap(&group, &state.pending)
                return (state.usage.releasedPosition, state.isClosing)
            }
            writer.release(through: released)
            let worked = !group.isEmpty
            if worked {
                write(group)
                group.removeAll(keepingCapacity: group.capacity <= 4096)
            }
            let hasMore = writer.housekeep(prepare: !isClosing)
            if hasMore || worked { publish() }
            if hasMore { continue }
            let next = state.withLock { state -> Next in
                if !state.pending.isEmpty { return .work }
                if state.isClosing { return .stop }
                if state.usage.releasedPosition > released { return .work }
                state.isSleeping = true
                return .sleep
            }
            if next == .stop { break }
            if next == .sleep { wake.wait() }
        }
        writer.close()
        finished.signal()
    }

    private enum Next { case work, sleep, stop }

    private func write(_ appends: [PendingAppend]) {
        var start = 0
        while start < appends.count {
            let (count, failure) = writer.writeGroup(appends, from: start)
            let group = appends[start..<start + count]
            let bytes = group.reduce(0) { $0 + $1.entry.frameBytes }
            let last = writer.durablePosition
            settle(count: count, bytes: bytes, last: last, failure: failure)
            if let failure {
                for append in group { append.onDurable(.failure(failure)) }
            } else {
                var position = last - UInt64(count)
                for append in group {
                    position += 1
                    append.onDurable(.success(position))
                }
            }
            start += count
        }
    }

    /// Books a group before its callbacks run: they may release at once.
    private func settle(count: Int, bytes: Int, last: UInt64, failure: FirnError?) {
        let unavailable = writer.unavailable
        state.withLock { state in
            state.queuedBytes -= bytes
            state.unavailable = unavailable
            guard failure == nil else {
                state.stats.failedGroups += 1
                return
            }
            state.usage.append(through: last, bytes: bytes)
            state.stats.groups += 1
            state.stats.records += count
            state.stats.bytes += bytes
            state.stats.largestGroup = max(state.stats.largestGroup, count)
            state.stats.lastDurablePosition = last
        }
    }

    private func publish() {
        let (segments, recycled) = (writer.segments.count, writer.recycledCount)
        let (last, unavailable) = (writer.durablePosition, writer.unavailable)
        state.withLock { state in
            state.stats.segments = segments
            state.stats.recycledSegments = recycled
            state.stats.lastDurablePosition = last
            state.stats.queuedRecords = state.pending.count
            state.unavailable = unavailable
        }
    }
}
