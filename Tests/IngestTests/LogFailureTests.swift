import Base
import Synchronization
import TestSupport
import Testing

@testable import Ingest

@Suite struct LogFailureTests {
    @Test func aFailedSyncIsNeverAcknowledgedAndTheFileNeverSyncedAgain() throws {
        let world = SimulatedEnvironment.make(seed: 31)
        let (log, _) = try openLog(world)
        let probe = LogProbe()
        #expect(probe.append([1], to: log).position == 1)
        let path = "/w/wal/00000000000000000001.wal"
        world.files.inject(.init(.sync, path: path, .io))
        let failed = probe.append([2], to: log)
        #expect(failed.failureCode == "sync_failed" && log.stats.failedGroups == 1)
        let calls = world.files.trace.count
        world.files.clearFaults()
        world.clock.advance(milliseconds: 5000)
        // The failed record's position goes to the next one.
        #expect(probe.append([3], to: log).position == 2)
        #expect(!world.files.trace[calls...].contains { $0.hasSuffix(path) })
        world.files.powerOff()
        log.close()
        world.files.restart()
        let (again, replayed) = try openLog(world)
        #expect(replayed.map(\.payload) == [[1], [3]])
        again.close()
    }

    @Test func aFailedWriteIsNotAcknowledged() throws {
        let world = SimulatedEnvironment.make(seed: 32)
        let (log, _) = try openLog(world)
        let probe = LogProbe()
        #expect(probe.append([1], to: log).position == 1)
        world.files.inject(.init(.write, path: ".wal", .noSpace))
        #expect(probe.append([2], to: log).failureCode == "write_failed")
        #expect(probe.append([3], to: log).position == 2)
        world.files.powerOff()
        log.close()
        world.files.crash(seed: 1)
        let (again, replayed) = try openLog(world)
        #expect(replayed.map(\.payload) == [[1], [3]])
        again.close()
    }

    @Test func aFullDiskFailsFastAndServiceReturnsByItself() throws {
        // Room for one segment and a half.
        let world = SimulatedEnvironment.make(seed: 33, capacityBytes: 24 << 10)
        let (log, _) = try openLog(world)
        let probe = LogProbe()
        let payload = world.random.bytes(3000)
        var accepted = 0
        while probe.append(payload, to: log).position != nil { accepted += 1 }
        #expect((3...5).contains(accepted))
        // Until the pause is over, the disk is left alone.
        let calls = world.files.callCount
        let refused = failure { try log.append(LogEntry(payload: payload)) { _ in } }
        #expect(refused?.kind == .storageFull && refused?.code == "log_storage_full")
        #expect(world.files.callCount == calls && !log.stats.isAvailable)
        world.clock.advance(milliseconds: 150)
        #expect(probe.append(payload, to: log).failureCode == "log_storage_full")
        #expect(world.files.callCount > calls)
        // What was begun in vain is given back.
        #expect(world.files.contents.keys.allSatisfy { !$0.hasSuffix(".tmp") })
        world.files.capacityBytes = nil
        world.clock.advance(milliseconds: 2000)
        #expect(probe.append(payload, to: log).position == UInt64(accepted + 1))
        #expect(log.stats.isAvailable)
        log.close()
        let (again, replayed) = try openLog(world)
        #expect(replayed.count == accepted + 1)
        again.close()
    }

    @Test func releasingMakesRoomOnAFullDisk() throws {
        let world = SimulatedEnvironment.make(seed: 34, capacityBytes: 40 << 10)
        let (log, _) = try openLog(world)
        let probe = LogProbe()
        for round in 0..<40 {
            if let position = probe.append(world.random.bytes(3000), to: log).position {
                log.release(through: position)
            }
            if round % 4 == 3 { world.clock.advance(milliseconds: 500) }
        }
        #expect(probe.acknowledged.count == 40)
        log.close()
    }

    @Test func aTailThatCanNotBeSecuredRefusesToOpenAndLosesNothing() throws {
        let world = SimulatedEnvironment.make(seed: 35)
        let (log, _) = try openLog(world)
        let probe = LogProbe()
        for value in 1...3 as ClosedRange<UInt8> { probe.append([value], to: log) }
        world.files.powerOff()
        log.close()
        world.files.restart()
        // What is only being prepared is removed at start.
        let files = world.files.contents.filter { !$0.key.hasSuffix(".tmp") }
        world.files.capacityBytes = files.reduce(0) { $0 + $1.value.count }
        #expect(failure { _ = try openLog(world) }?.code == "log_storage_full")
        world.files.capacityBytes = nil
        let (again, replayed) = try openLog(world)
        #expect(replayed.map(\.payload) == [[1], [2], [3]])
        again.close()
    }

    @Test func aMissingSegmentIsNoticed() throws {
        let world = SimulatedEnvironment.make(seed: 36)
        let (log, _) = try openLog(world)
        let probe = LogProbe()
        for _ in 0..<30 { probe.append(world.random.bytes(900), to: log) }
        log.close()
        try world.files.remove("/w/wal/00000000000000000002.wal")
        let error = failure { _ = try openLog(world) }
        #expect(error?.code == "log_corrupted" && error?.message.contains("missing") == true)
        #expect(error?.context["file"] == "/w/wal/00000000000000000001.wal")
    }

    /// A segment that could not be named does not count as the successor which keeps the count of positions.
    @Test func theLastSegmentStaysWhenItsSuccessorFailed() throws {
        let driver = LogDriver(seed: 37)
        try driver.open()
        #expect(driver.append([driver.world.random.bytes(3000)]))
        driver.world.files.inject(.init(.rename, .io))
        #expect(!driver.append([driver.world.random.bytes(3000)]))
        driver.releaseAll()
        driver.world.files.crash(seed: 1)
        try driver.open()
        #expect(driver.append([[1]]) && driver.last == 2)
        #expect(driver.problems.isEmpty, "\(driver.problems)")
    }

    /// A segment named by a process that was killed before its directory sync is secured before an older one goes.
    @Test func openingSecuresWhatAKilledProcessNamed() throws {
        for seed in 0..<60 as Range<UInt64> {
            let driver = LogDriver(seed: seed)
            let files = driver.world.files
            try driver.open()
            #expect(driver.append([[1]]))
            driver.close()
            try driver.open()
            // Create, reserve, write, sync, rename, and the directory sync that never ends.
            files.powerOff(atCall: 6)
            #expect(!driver.append([[2]]))
            #expect(files.trace.suffix(2).map { $0.prefix(6) } == ["rename", "syncDi"])
            files.restart()
            try driver.open()
            files.powerOff(atCall: 2)
            driver.releaseAll()
            files.crash(seed: seed)
            try driver.open()
            #expect(driver.problems.isEmpty, "seed \(seed): \(driver.problems)")
        }
    }

    @Test func aSegmentOfALaterVersionIsRefused() throws {
        var page = SegmentHeader(number: 1, basePosition: 1, salt: 5, fileBytes: 8192, createdMicros: 0).encode()
        page[8] = 2
        let sum = CRC32C.checksum(Array(page[16...]), seed: CRC32C.checksum(Array(page[..<12])))
        for index in 0..<4 { page[12 + index] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(index))) }
        #expect(failure { _ = try SegmentHeader.decode(page, source: "x") }?.code == "log_version")
    }

    /// The real thing: many threads, real files, releases beside appends, an unclean end.
    @Test func manyThreadsOnARealDisk() throws {
        let directory = "/tmp/firn-log-test-\(Environment.live.uuid())"
        let files = PosixFileSystem()
        defer {
            for entry in (try? files.list(directory)) ?? [] { try? files.remove(directory + "/" + entry.name) }
            try? files.removeEmptyDirectory(directory)
        }
        let options = LogOptions(segmentBytes: 256 << 10)
        let log = try WriteAheadLog.open(directory: directory, environment: .live, options: options) { _ in }
        let (threads, each) = (8, 250)
        let answered = Mutex<[(UInt64, [UInt8])]>([])
        let finished = Semaphore()
        for thread in 0..<threads {
            Thread.spawn(name: "appender-\(thread)") {
                let done = Semaphore()
                for index in 0..<each {
                    let payload = [UInt8(index)] + [UInt8](repeating: UInt8(thread), count: index * 13 % 3000)
                    try? log.append(LogEntry(payload: payload)) { result in
                        if case .success(let position) = result {
                            answered.withLock { $0.append((position, payload)) }
                            if position % 100 == 0 { log.release(through: position - 60) }
                        }
                        done.signal()
                    }
                    done.wait()
                }
                finished.signal()
            }
        }
        for _ in 0..<threads { finished.wait() }
        let acknowledged = answered.withLock { $0 }
        #expect(acknowledged.map(\.0) == Array(1...UInt64(threads * each)), "callbacks in position order")
        #expect(log.stats.groups <= threads * each && log.stats.segments < 8)
        log.close()
        var replayed: [LogRecord] = []
        try WriteAheadLog.open(directory: directory, environment: .live, options: options) { replayed.append($0) }
            .close()
        #expect(replayed.last?.position == UInt64(threads * each))
        // Nothing above the last release is missing, whether or not a segment ends there.
        #expect(replayed[0].position <= UInt64(threads * each) - 60 + 1)
        for record in replayed { #expect(record.payload == acknowledged[Int(record.position) - 1].1) }
    }
}
