import Base
import Synchronization
import TestSupport
import Testing

@testable import Ingest

/// Collects what a log calls back, and replays.
final class LogProbe: Sendable {
    private let answers = Mutex<[(payload: [UInt8], result: Result<UInt64, FirnError>)]>([])
    private let arrived = Semaphore()

    /// Appends and waits for the answer.
    @discardableResult
    func append(_ payload: [UInt8], to log: WriteAheadLog) -> Result<UInt64, FirnError> {
        do {
            try log.append(LogEntry(payload: payload)) { [self] result in
                answers.withLock { $0.append((payload, result)) }
                arrived.signal()
            }
        } catch {
            answers.withLock { $0.append((payload, .failure(error))) }
            return .failure(error)
        }
        arrived.wait()
        return answers.withLock { $0.last!.result }
    }

    /// Acknowledged payloads by position.
    var acknowledged: [UInt64: [UInt8]] {
        answers.withLock { answers in
            var found: [UInt64: [UInt8]] = [:]
            for case (let payload, .success(let position)) in answers { found[position] = payload }
            return found
        }
    }
}

extension Result<UInt64, FirnError> {
    var position: UInt64? { try? get() }
    var failureCode: String? {
        guard case .failure(let error) = self else { return nil }
        return error.code
    }
}

extension LogOptions {
    static let small = LogOptions(segmentBytes: 16 << 10)
}

/// Opens the log and returns it with what it replayed.
func openLog(
    _ world: SimulatedEnvironment, _ options: LogOptions = .small
) throws -> (log: WriteAheadLog, replayed: [LogRecord]) {
    var replayed: [LogRecord] = []
    let log = try WriteAheadLog.open(directory: "/w/wal", environment: world.environment, options: options) {
        replayed.append($0)
    }
    return (log, replayed)
}

func failure(_ body: () throws -> Void) -> FirnError? {
    do {
        try body()
        return nil
    } catch {
        return error as? FirnError
    }
}

@Suite struct LogTests {
    @Test func acknowledgedRecordsReplayInOrderAfterACleanClose() throws {
        let world = SimulatedEnvironment.make(seed: 1)
        let (log, empty) = try openLog(world)
        #expect(empty.isEmpty && log.firstReplayedPosition == nil)
        let probe = LogProbe()
        let payloads = (0..<200).map { world.random.bytes($0 * 7 % 900) }
        for (index, payload) in payloads.enumerated() {
            #expect(probe.append(payload, to: log).position == UInt64(index + 1))
        }
        #expect(log.stats.lastDurablePosition == 200 && log.stats.records == 200 && log.stats.segments > 3)
        log.close()
        log.close()
        #expect(failure { try log.append(LogEntry(payload: [])) { _ in } }?.code == "log_closed")
        let (again, replayed) = try openLog(world)
        #expect(replayed.map(\.payload) == payloads && replayed.map(\.position) == Array(1...200))
        #expect(again.firstReplayedPosition == 1)
        #expect(probe.append([1], to: again).position == 201)
        again.close()
    }

    @Test func secondOpenIsRefusedUntilTheFirstCloses() throws {
        let world = SimulatedEnvironment.make(seed: 2)
        let (log, _) = try openLog(world)
        #expect(failure { _ = try openLog(world) }?.code == "log_locked")
        log.close()
        try openLog(world).log.close()
    }

    @Test func recordsOfTheGreatestLengthFitAndLongerOnesAreRefused() throws {
        let world = SimulatedEnvironment.make(seed: 3)
        let (log, _) = try openLog(world)
        let probe = LogProbe()
        let longest = LogOptions.small.payloadBytesMax
        #expect(longest == 16384 - 4096 - 40)
        let payloads = (0..<3).map { _ in world.random.bytes(longest) }
        for payload in payloads { #expect(probe.append(payload, to: log).position != nil) }
        #expect(probe.append([UInt8](repeating: 0, count: longest + 1), to: log).failureCode == "log_record_too_large")
        log.close()
        let (again, replayed) = try openLog(world)
        #expect(replayed.map(\.payload) == payloads)
        again.close()
    }

    /// Groups that fill the buffer several times, end on a page and in the middle of one, whole and in two parts.
    @Test func largePayloadsPassThroughTheBuffer() throws {
        let world = SimulatedEnvironment.make(seed: 4)
        let options = LogOptions(segmentBytes: 4 << 20)
        let (log, _) = try openLog(world, options)
        let inPage = PageBuffer.pageBytes - FrameHeader.byteCount
        let payloads = [100, inPage, 1 << 20, 70_001, 3, 2_500_000, inPage].map { world.random.bytes($0) }
        let done = Semaphore()
        for (index, payload) in payloads.enumerated() {
            let cut = index % 2 * 40
            let entry = LogEntry(head: Array(payload.prefix(cut)), body: Array(payload.dropFirst(cut)))
            #expect(entry.checksum == CRC32C.checksum(payload))
            try log.append(entry) { _ in done.signal() }
        }
        for _ in payloads { done.wait() }
        log.close()
        let (again, replayed) = try openLog(world, options)
        #expect(replayed.map(\.payload) == payloads)
        again.close()
    }

    @Test func aFullLogRefusesUntilRecordsAreReleased() throws {
        let world = SimulatedEnvironment.make(seed: 5)
        let (log, _) = try openLog(world, LogOptions(segmentBytes: 16 << 10, maxBytes: 20 << 10))
        let probe = LogProbe()
        let payload = world.random.bytes(984)
        for _ in 0..<20 { #expect(probe.append(payload, to: log).position != nil) }
        #expect(log.bytesInUse == 20 * 1024)
        let refused = failure { try log.append(LogEntry(payload: payload)) { _ in } }
        #expect(refused?.code == "log_full" && refused?.kind == .overloaded)
        log.release(through: 20)
        #expect(log.bytesInUse == 0)
        #expect(probe.append(payload, to: log).position == 21)
        log.close()
    }

    @Test func releasedSegmentsAreRecycledAndNeverReplayStaleRecords() throws {
        let world = SimulatedEnvironment.make(seed: 6)
        var (log, _) = try openLog(world)
        let probe = LogProbe()
        for round in 0..<12 {
            for _ in 0..<25 { #expect(probe.append(world.random.bytes(900), to: log).position != nil) }
            let last = log.stats.lastDurablePosition
            log.release(through: last - 3)
            if round % 3 == 2 {
                if round % 2 == 0 { world.files.powerOff() }
                log.close()
                world.files.restart()
                let replayed: [LogRecord]
                (log, replayed) = try openLog(world)
                #expect(replayed.last?.position == last)
                for record in replayed { #expect(probe.acknowledged[record.position] == record.payload) }
                let positions = replayed.map(\.position)
                #expect(positions == Array(positions[0]...last) && positions[0] <= last - 2)
                log.release(through: last - 3)
            }
        }
        log.close()
        #expect(world.files.trace.contains { $0.hasPrefix("rename") && $0.hasSuffix(".free") })
        // Live segments and the bounded pool, nothing else.
        #expect(world.files.contents.count <= 1 + 2 + 4)
    }

    @Test func startPositionSetsTheCountOfAnEmptyLogAndChecksAnOldOne() throws {
        let world = SimulatedEnvironment.make(seed: 7)
        let (log, _) = try openLog(world, LogOptions(segmentBytes: 16 << 10, startPosition: 500))
        #expect(LogProbe().append([1], to: log).position == 500)
        log.close()
        try openLog(world, LogOptions(segmentBytes: 16 << 10, startPosition: 501)).log.close()
        let behind = failure { _ = try openLog(world, LogOptions(segmentBytes: 16 << 10, startPosition: 502)) }
        #expect(behind?.code == "log_behind" && behind?.kind == .corrupted)
    }

    @Test func anErrorOfTheReplayClosesTheLogAgain() throws {
        let world = SimulatedEnvironment.make(seed: 8)
        let (log, _) = try openLog(world)
        LogProbe().append([1, 2, 3], to: log)
        log.close()
        let error = failure {
            _ = try WriteAheadLog.open(directory: "/w/wal", environment: world.environment, options: .small) { _ in
                throw FirnError(.invalidInput, "mine", "mine")
            }
        }
        #expect(error?.code == "mine")
        let (again, replayed) = try openLog(world)
        #expect(replayed.count == 1)
        again.close()
    }

    @Test func usageCountsByMarksAndEndsAtZero() {
        var usage = LogUsage()
        for position in 1...1000 as ClosedRange<UInt64> { usage.append(through: position, bytes: 1000) }
        #expect(usage.bytesInUse == 1_000_000)
        usage.release(through: 500)
        #expect((500_000...500_000 + LogUsage.markBytes + 1000).contains(usage.bytesInUse))
        usage.release(through: 400)
        #expect(usage.releasedPosition == 500)
        usage.release(through: 1000)
        #expect(usage.bytesInUse == 0)
    }
}
