import Base
import Synchronization
import TestSupport
import Testing

@testable import Ingest

/// A log without its thread, driven step by step, and the model it is checked against.
///
/// The model: a position that was acknowledged or replayed once holds its payload for ever, until it is released. A
/// position above those may turn up with a payload that was tried there, or not at all.
final class LogDriver {
    let world: SimulatedEnvironment
    let options: LogOptions
    private let script: SeededRandom
    private var writer: LogWriter?
    private(set) var certain: [UInt64: [UInt8]] = [:]
    private(set) var acknowledgedCount = 0
    private var attempted: [UInt64: Set<[UInt8]>] = [:]
    private var released: UInt64 = 0
    private(set) var problems: [String] = []

    init(seed: UInt64, options: LogOptions = LogOptions(segmentBytes: 8 << 10), capacityBytes: Int? = nil) {
        world = .make(seed: seed, capacityBytes: capacityBytes)
        script = SeededRandom(seed: seed ^ 0xabcd)
        self.options = options
    }

    var last: UInt64 { certain.keys.max() ?? 0 }

    func open() throws {
        let directory = LogDirectory(path: "/w/wal", files: world.files)
        try world.files.createDirectories("/w/wal")
        var replayed: [LogRecord] = []
        defer { check(replayed) }
        let recovered = try WriteAheadLog.recover(directory, world.environment, options) { replayed.append($0) }
        writer = LogWriter(
            recovered: recovered, directory: directory, environment: world.environment, options: options)
        let missing = certain.keys.filter { $0 > released && $0 > replayed.last?.position ?? 0 }
        if !missing.isEmpty { problems.append("lost \(missing.sorted())") }
        if let first = replayed.first?.position, first > released + 1 { problems.append("starts late, at \(first)") }
        if recovered.durablePosition < last { problems.append("the count went back to \(recovered.durablePosition)") }
    }

    private func check(_ replayed: [LogRecord]) {
        for (index, record) in replayed.enumerated() {
            let position = record.position
            if index > 0, position != replayed[index - 1].position + 1 { problems.append("order at \(position)") }
            if let known = certain[position] {
                if known != record.payload { problems.append("wrong payload at \(position)") }
            } else if !(attempted[position] ?? []).contains(record.payload) {
                problems.append("\(position) was never tried")
            }
            certain[position] = record.payload
        }
    }

    /// Appends a group as the log's thread would; false when any of it failed.
    @discardableResult
    func append(_ payloads: [[UInt8]]) -> Bool {
        let appends = payloads.map { PendingAppend(entry: LogEntry(payload: $0), onDurable: { _ in }) }
        var start = 0
        var succeeded = true
        while start < appends.count {
            let before = writer!.durablePosition
            for (index, payload) in payloads[start...].enumerated() {
                attempted[before + 1 + UInt64(index), default: []].insert(payload)
            }
            let (count, failure) = writer!.writeGroup(appends, from: start)
            if failure != nil {
                succeeded = false
            } else {
                for index in 0..<count { certain[before + 1 + UInt64(index)] = payloads[start + index] }
                acknowledgedCount += count
            }
            start += count
        }
        return succeeded
    }

    /// A mixed workload; the same for the same seed as long as nothing fails.
    func work(steps: Int, reopens: Bool = true) throws {
        for _ in 0..<steps {
            switch script.next(below: 10) {
            case 0...5:
                append((0...script.next(below: 5)).map { _ in script.bytes(payloadSize()) })
            case 6:
                released = max(released, last - min(last, UInt64(script.next(below: 6))))
                writer!.release(through: released)
            case 7, 8:
                for _ in 0..<4 where !writer!.housekeep(prepare: true) { break }
            default:
                guard reopens, script.chance(1, in: 3) else { break }
                writer!.close()
                try open()
                writer!.release(through: released)
            }
            world.clock.advance(milliseconds: 20)
        }
    }

    private func payloadSize() -> Int {
        switch script.next(below: 12) {
        case 0: 0
        case 1: script.next(below: options.payloadBytesMax + 1)
        default: script.next(below: 700)
        }
    }

    func close() { writer?.close() }

    /// Releases every record and takes out all segments that may go.
    func releaseAll() {
        released = last
        writer!.release(through: released)
        while writer!.housekeep(prepare: false) {}
    }
}

@Suite struct LogCrashTests {
    static let steps = 24

    /// Changing calls of the workload when nothing goes wrong.
    static func calls(seed: UInt64) throws -> Int {
        let driver = LogDriver(seed: seed)
        try driver.open()
        try driver.work(steps: steps)
        #expect(driver.problems.isEmpty && driver.acknowledgedCount > 20)
        return driver.world.files.callCount
    }

    /// Power loss (or a kill) during every call; then again during the recovery; then a last, quiet one.
    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func nothingAcknowledgedIsLostWhereverThePowerGoes(seed: UInt64) throws {
        for call in 1...(try Self.calls(seed: seed)) {
            for round in 0..<2 as Range<UInt64> {
                let lottery = SeededRandom(seed: seed << 32 | UInt64(call) << 2 | round)
                let driver = LogDriver(seed: seed)
                let files = driver.world.files
                files.powerOff(atCall: call)
                try? driver.open()
                if !driver.isOff { try? driver.work(steps: Self.steps) }
                // The power may go only after the workload, when an earlier choice made it shorter.
                files.powerOff()
                Self.reboot(files, lottery)
                files.powerOff(atCall: 1 + lottery.next(below: 12))
                try? driver.open()
                if !driver.isOff { try? driver.work(steps: 4, reopens: false) }
                files.powerOff()
                Self.reboot(files, lottery)
                try driver.open()
                try driver.work(steps: 3)
                driver.close()
                try driver.open()
                #expect(driver.problems.isEmpty, "seed \(seed), call \(call), round \(round): \(driver.problems)")
                guard driver.problems.isEmpty else { return }
            }
        }
    }

    static func reboot(_ files: SimulatedFileSystem, _ lottery: SeededRandom) {
        if lottery.chance(1, in: 4) { files.restart() } else { files.crash(seed: lottery.next()) }
    }

    /// Each call fails in turn, once or from there on. What is acknowledged must survive the power loss that follows
    /// (the simulated disk drops unsynced writes when a sync fails), and service must come back by itself.
    @Test(arguments: [11, 12, 13, 14, 15, 16] as [UInt64], [SimulatedFileSystem.Failure.io, .noSpace])
    func failuresOfEveryCallAreSurvived(seed: UInt64, failure: SimulatedFileSystem.Failure) throws {
        for call in 1...(try Self.calls(seed: seed)) {
            for sticky in [false, true] {
                let driver = LogDriver(seed: seed)
                let files = driver.world.files
                files.inject(.init(nil, at: call, failure, sticky: sticky))
                var opened = (try? driver.open()) != nil
                if opened { opened = (try? driver.work(steps: Self.steps)) != nil }
                if sticky { files.clearFaults() }
                driver.world.clock.advance(milliseconds: 2000)
                if !opened { try driver.open() }
                #expect(driver.append([[1], [2]]), "no service after call \(call)")
                files.crash(seed: UInt64(call))
                try driver.open()
                #expect(driver.append([[3]]))
                #expect(driver.problems.isEmpty, "call \(call) \(failure) \(sticky): \(driver.problems)")
                guard driver.problems.isEmpty else { return }
            }
        }
    }

    @Test func oneSeedGivesTheSameBytesTwice() throws {
        func run() throws -> ([String: [UInt8]], [String]) {
            let driver = LogDriver(seed: 77)
            driver.world.files.inject(.init(.sync, at: 9, .io))
            driver.world.files.powerOff(atCall: 150)
            try driver.open()
            try? driver.work(steps: 60)
            driver.world.files.powerOff()
            driver.world.files.crash(seed: 5)
            try driver.open()
            try driver.work(steps: 10)
            return (driver.world.files.contents, driver.world.files.trace)
        }
        let (first, second) = (try run(), try run())
        #expect(first.0 == second.0 && first.1 == second.1 && first.1.count > 150)
    }

    /// A bit flipped anywhere in a log that was closed in good order is either noticed or without effect.
    @Test func bitFlipsNeverChangeWhatIsReplayed() throws {
        let driver = LogDriver(seed: 21)
        try driver.open()
        for index in 0..<24 { #expect(driver.append([driver.world.random.bytes(index * 37 % 600)])) }
        driver.close()
        let lottery = SeededRandom(seed: 4)
        var detected = 0
        var flips = 0
        for (path, bytes) in driver.world.files.contents.sorted(by: { $0.key < $1.key }) {
            for offset in stride(from: 0, to: bytes.count, by: 3) {
                let files = driver.world.files.copy(seed: 1)
                files.flipBit(lottery.next(below: 8), at: offset, of: path)
                let (replayed, error) = Self.replay(files, driver)
                flips += 1
                if let error {
                    #expect(error.code == "log_corrupted" && error.context["file"] == path, "\(offset): \(error)")
                    #expect(error.context["offset"] != nil)
                    detected += 1
                } else {
                    #expect(replayed == driver.certain, "bit flip at \(offset) of \(path) changed the replay")
                }
            }
        }
        #expect(flips > 5000 && detected > flips / 3)
    }

    /// Garbage in any place never crashes recovery, and never yields a record that was not written.
    @Test func garbageIsNeverReplayed() throws {
        let driver = LogDriver(seed: 22)
        try driver.open()
        for index in 0..<20 { #expect(driver.append([driver.world.random.bytes(300 + index * 41 % 400)])) }
        let paths = driver.world.files.contents.keys.filter { $0.hasSuffix(".wal") }.sorted()
        let lottery = SeededRandom(seed: 9)
        for _ in 0..<400 {
            let files = driver.world.files.copy(seed: 1)
            let damages = 1 + lottery.next(below: 6)
            for _ in 0..<damages {
                let path = paths[lottery.next(below: paths.count)]
                let file = try files.open(path, .update)
                if lottery.chance(1, in: 5) {
                    try file.truncate(to: lottery.next(below: 9000))
                } else {
                    try file.write(lottery.bytes(lottery.next(below: 200)), at: lottery.next(below: 8000))
                }
            }
            let (replayed, error) = Self.replay(files, driver)
            #expect(error == nil || error!.code == "log_corrupted")
            for (position, payload) in replayed { #expect(driver.certain[position] == payload) }
            // Without a seal, what reaches into the last group can pass for a torn tail. One damage hits two frames.
            if error == nil && damages == 1 { #expect(replayed.count >= 18) }
        }
    }

    /// A segment has its length before it has its name, so a shorter one was cut.
    @Test func aCutSegmentIsNoticedWhereverItIsCut() throws {
        let driver = LogDriver(seed: 24)
        try driver.open()
        for _ in 0..<12 { #expect(driver.append([driver.world.random.bytes(500)])) }
        for (path, bytes) in driver.world.files.contents where path.hasSuffix(".wal") {
            for size in stride(from: 0, to: bytes.count, by: 37) {
                let files = driver.world.files.copy(seed: 1)
                try files.open(path, .update).truncate(to: size)
                let error = Self.replay(files, driver).1
                #expect(error?.code == "log_corrupted" && error?.context["file"] == path, "cut to \(size)")
            }
        }
    }

    static func replay(_ files: SimulatedFileSystem, _ driver: LogDriver) -> ([UInt64: [UInt8]], FirnError?) {
        let environment = Environment(clock: SimulatedClock(), random: SeededRandom(seed: 1), files: files)
        var replayed: [UInt64: [UInt8]] = [:]
        let error = failure {
            _ = try WriteAheadLog.recover(
                LogDirectory(path: "/w/wal", files: files), environment, driver.options
            ) { replayed[$0.position] = $0.payload }
        }
        return (replayed, error)
    }

    /// Every segment has a salt of its own, also with the same number again after the log was lost.
    @Test func saltsAreNeverRepeated() throws {
        var salts = Set<UInt64>()
        for seed in 0..<20 as Range<UInt64> {
            let driver = LogDriver(seed: seed)
            try driver.open()
            for _ in 0..<10 { driver.append([driver.world.random.bytes(3000)]) }
            for (path, bytes) in driver.world.files.contents where path.hasSuffix(".wal") {
                let header = try SegmentHeader.decode(Array(bytes[..<4096]), source: path)
                #expect(salts.insert(header.salt).inserted && header.salt & 0xffff_ffff != 0)
            }
        }
        #expect(salts.count == 200)
    }

    /// A frame that a client put into its own payload is not taken for one of the log's.
    @Test func framesInsidePayloadsAreNotBelieved() throws {
        let driver = LogDriver(seed: 23)
        try driver.open()
        #expect(driver.append([driver.world.random.bytes(100)]))
        let segment = driver.world.files.contents.filter { $0.key.hasSuffix(".wal") }.first!
        let header = try SegmentHeader.decode(Array(segment.value[..<4096]), source: "")
        var forged = [UInt8](repeating: 0, count: 48)
        let frame = FrameHeader(
            kind: .record, payloadBytes: 8, segment: header.number, position: 9, durablePosition: 8)
        // All but the salt, which no client knows.
        forged.withUnsafeMutableBytes { frame.encode(to: $0.baseAddress!, payloadChecksum: 0, salt: header.salt ^ 1) }
        #expect(driver.append([forged + forged]))
        // The group's own header is torn, its payload is not.
        let files = driver.world.files.copy(seed: 1)
        files.flipBit(0, at: 4096 + 144 + 8, of: segment.key)
        let (replayed, error) = Self.replay(files, driver)
        #expect(error == nil && replayed.count == 1)
    }
}

extension LogDriver {
    /// True when the simulated power is off.
    var isOff: Bool { failure { _ = try world.files.list("/") } != nil }
}
