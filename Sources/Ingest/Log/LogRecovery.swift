import Base

/// A segment that exists on disk.
struct LogSegment: Sendable, Equatable {
    var number: UInt64
    var basePosition: UInt64
    /// False after a failure on the file: it is then deleted, not recycled.
    var isSound = true
    /// False when the file may be missing, because naming it failed.
    var isNamed = true
}

/// What recovery found.
struct RecoveredLog: Sendable {
    /// Oldest first.
    var segments: [LogSegment] = []
    /// Paths of files to reuse.
    var recycled: [String] = []
    var usage = LogUsage()
    /// All records up to here are durable.
    var durablePosition: UInt64 = 0
    var firstPosition: UInt64?
    var nextNumber: UInt64 = 1
}

/// Reads a log back after a crash.
///
/// 1. Segments in number order; in each, frames until one does not verify. A segment's records end where the base
///    position of the next segment says: what lies at or above it failed to sync and was never acknowledged.
/// 2. Frames missing below the next segment's base, or missing while a later frame says they were durable, were
///    acknowledged and are damaged: the log is not opened. Anything else that is missing is a torn tail.
/// 3. Records that a later frame or segment proves durable are replayed as they come. The rest, one group at most, may
///    be in the page cache only, perhaps after a failed sync which no later sync repairs; they are first written and
///    synced in a segment of their own, and replayed then. So what replay has seen can not be lost any more.
struct LogRecovery {
    private let directory: LogDirectory
    private let environment: Environment
    private let options: LogOptions
    private let replay: (LogRecord) throws -> Void

    private(set) var result = RecoveredLog()
    /// Read but not proven durable.
    private var unproven: [LogRecord] = []

    init(
        directory: LogDirectory, environment: Environment, options: LogOptions,
        replay: @escaping (LogRecord) throws -> Void
    ) {
        self.directory = directory
        self.environment = environment
        self.options = options
        self.replay = replay
    }

    /// Throws `.corrupted` (`log_corrupted`, `log_behind`), `.unsupported`, `.io`, `.storageFull` when the tail can not
    /// be made durable, and whatever `replay` throws.
    mutating func run() throws {
        let listing = try directory.list()
        for path in listing.leftovers { try directory.files.remove(path) }
        for path in listing.recycled {
            let fits = try directory.files.size(path) == options.segmentBytes
            if fits && result.recycled.count < options.recycledSegmentsMax {
                result.recycled.append(path)
            } else {
                try directory.files.remove(path)
            }
        }
        let headers = try readHeaders(listing.segments)
        result.durablePosition = (headers.first?.basePosition ?? options.startPosition) - 1
        for (index, header) in headers.enumerated() {
            let isLast = index + 1 == headers.count
            try read(header, end: isLast ? nil : headers[index + 1].basePosition)
        }
        result.nextNumber = (headers.last?.number ?? 0) + 1
        try checkEnd(isEmpty: headers.isEmpty)
        try rescueTail()
    }

    private mutating func readHeaders(_ numbers: [UInt64]) throws(FirnError) -> [SegmentHeader] {
        var headers: [SegmentHeader] = []
        for number in numbers {
            let file = try directory.files.open(directory.segmentPath(number), .read)
            defer { file.close() }
            let header = try SegmentReader(file: file, number: number).header
            guard header.basePosition >= headers.last?.basePosition ?? 1 else {
                throw .logCorrupted(
                    "the segment's base position is below its predecessor's", file: file.path, offset: 0)
            }
            headers.append(header)
            result.segments.append(LogSegment(number: number, basePosition: header.basePosition))
        }
        return headers
    }

    /// Replays one segment. `end` is the base position of the next one.
    private mutating func read(_ header: SegmentHeader, end: UInt64?) throws {
        let file = try directory.files.open(directory.segmentPath(header.number), .read)
        defer { file.close() }
        var reader = try SegmentReader(file: file, number: header.number)
        var position = header.basePosition
        while position != end {
            let offset = reader.offset
            switch try reader.next() {
            case .record(let record, let durable):
                guard record.position == position, durable < position else {
                    throw FirnError.logCorrupted("positions are out of order", file: reader.path, offset: offset)
                }
                unproven.append(record)
                position += 1
                try prove(through: durable)
            case .seal(let next, let durable):
                guard next == position, durable == position - 1 else {
                    throw FirnError.logCorrupted("a seal is out of order", file: reader.path, offset: offset)
                }
                try prove(through: durable)
            case .nothing:
                if let end {
                    throw FirnError.logCorrupted(
                        "records \(position) to \(end - 1) are missing or damaged", file: reader.path, offset: offset)
                }
                if let proof = try reader.proof(ofDurable: position) {
                    throw FirnError.logCorrupted(
                        "record \(position) is damaged, and the frame at offset \(proof) tells that it was durable",
                        file: reader.path, offset: offset)
                }
                return
            }
        }
        try prove(through: position - 1)
    }

    /// Replays the records up to `position`, which are durable.
    private mutating func prove(through position: UInt64) throws {
        guard position > result.durablePosition else { return }
        var done = 0
        while done < unproven.count, unproven[done].position <= position {
            try deliver(unproven[done])
            done += 1
        }
        unproven.removeFirst(done)
        result.durablePosition = position
    }

    private mutating func deliver(_ record: LogRecord) throws {
        if result.firstPosition == nil { result.firstPosition = record.position }
        let bytes = FrameHeader.frameBytes(payloadBytes: record.payload.count)
        result.usage.append(through: record.position, bytes: bytes)
        try replay(record)
    }

    private func checkEnd(isEmpty: Bool) throws(FirnError) {
        let last = unproven.last?.position ?? result.durablePosition
        guard !isEmpty, last + 1 < options.startPosition else { return }
        throw FirnError(
            .corrupted, "log_behind",
            "the write-ahead log ends at position \(last), but position \(options.startPosition - 1) was committed "
                + "from it: the log was replaced or damaged. Restore it; or move all its files away to start a new log",
            context: ["file": directory.path])
    }

    // MARK: The tail

    private mutating func rescueTail() throws {
        guard let last = unproven.last else { return }
        let rescueBytes = unproven.reduce(SegmentHeader.byteCount) {
            $0 + FrameHeader.frameBytes(payloadBytes: $1.payload.count)
        }
        let header = SegmentHeader(
            number: result.nextNumber, basePosition: result.durablePosition + 1,
            salt: LogWriter.salt(environment.random), fileBytes: UInt64(rescueBytes),
            createdMicros: environment.clock.nowMicros())
        result.nextNumber += 1
        try place(encode(unproven, header), at: directory.segmentPath(header.number))
        result.segments.append(LogSegment(number: header.number, basePosition: header.basePosition))
        try prove(through: last.position)
    }

    /// Makes a durable segment file of just these bytes; on a full disk, of a recycled file.
    private mutating func place(_ bytes: [UInt8], at path: String) throws(FirnError) {
        var source = directory.rescuePath
        if let failure = tryWrite(bytes, to: source, .replace) {
            try? directory.files.remove(source)
            guard failure.kind == .storageFull else { throw failure }
            guard bytes.count <= options.segmentBytes, let reused = result.recycled.popLast() else {
                throw FirnError(
                    .storageFull, "log_storage_full",
                    "the disk is too full to open the write-ahead log; free \(bytes.count) bytes and start again",
                    context: ["file": directory.path], cause: failure)
            }
            source = reused
            if let failure = tryWrite(bytes, to: source, .update) { throw failure }
        }
        try directory.files.rename(source, to: path)
        try directory.files.syncDirectory(directory.path)
    }

    private func encode(_ records: [LogRecord], _ header: SegmentHeader) -> [UInt8] {
        var bytes = header.encode()
        for record in records {
            let start = bytes.count
            let frame = FrameHeader(
                kind: .record, payloadBytes: record.payload.count, segment: header.number,
                position: record.position, durablePosition: header.basePosition - 1)
            bytes += [UInt8](repeating: 0, count: FrameHeader.byteCount)
            bytes.withUnsafeMutableBytes {
                frame.encode(
                    to: $0.baseAddress! + start, payloadChecksum: CRC32C.checksum(record.payload), salt: header.salt)
            }
            bytes.append(contentsOf: record.payload)
            bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
        }
        return bytes
    }

    private func tryWrite(_ bytes: [UInt8], to path: String, _ mode: FileMode) -> FirnError? {
        do throws(FirnError) {
            let file = try directory.files.open(path, mode)
            defer { file.close() }
            try file.write(bytes, at: 0)
            try file.sync()
            return nil
        } catch {
            return error
        }
    }
}
