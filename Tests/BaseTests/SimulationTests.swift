import Base
import TestSupport
import Testing

/// The simulated world itself: what it may forget, what it must keep, and that a seed repeats it.
@Suite struct SimulationTests {
    static func crash(_ seed: UInt64, _ work: (SimulatedFileSystem) throws -> Void) throws -> [String: [UInt8]] {
        let files = SimulatedFileSystem(seed: seed)
        try files.createDirectories("/d")
        try work(files)
        files.crash(seed: seed)
        return files.contents
    }

    @Test func whatIsSyncedIsKept() throws {
        for seed in 0..<50 as Range<UInt64> {
            let contents = try Self.crash(seed) { files in
                let file = try files.open("/d/a", .createNew)
                try file.write([1, 2, 3, 4], at: 0)
                try file.sync()
                try files.syncDirectory("/d")
                try file.write([9], at: 1)
            }
            let bytes = try #require(contents["/d/a"])
            #expect(bytes == [1, 2, 3, 4] || bytes == [1, 9, 3, 4])
        }
    }

    /// Over many seeds every kind of loss turns up.
    @Test func whatIsNotSyncedIsLostInEveryWay() throws {
        var kept = Set<String>()
        for seed in 0..<400 as Range<UInt64> {
            let contents = try Self.crash(seed) { files in
                let file = try files.open("/d/a", .createNew)
                try files.syncDirectory("/d")
                try file.write([UInt8](repeating: 1, count: 1536), at: 0)
                try files.rename("/d/a", to: "/d/b")
                try files.writeAll([], to: "/d/c")
                try files.remove("/d/c")
            }
            let bytes = contents["/d/b"] ?? contents["/d/a"] ?? []
            kept.insert(contents["/d/b"] == nil ? "rename lost" : "renamed")
            kept.insert(contents["/d/c"] == nil ? "removed" : "removal lost")
            kept.insert(
                bytes.isEmpty ? "data lost" : bytes.allSatisfy { $0 == 1 } && bytes.count == 1536 ? "whole" : "part")
            if bytes.last == 0 { kept.insert("NUL tail") }
            if let hole = bytes.firstIndex(of: 0), bytes[hole...].contains(1) { kept.insert("hole") }
            if bytes.lastIndex(of: 1).map({ ($0 + 1) % 512 != 0 }) == true { kept.insert("torn inside a sector") }
        }
        #expect(
            kept.isSuperset(of: [
                "removed", "removal lost", "data lost", "whole", "part", "NUL tail", "hole", "torn inside a sector",
            ]))
        #expect(kept.contains("rename lost") == false, "writeAll syncs the directory, and the rename with it")
    }

    @Test func renamesAndCreationsNeedADirectorySync() throws {
        var found = Set<[String]>()
        for seed in 0..<60 as Range<UInt64> {
            let contents = try Self.crash(seed) { files in
                let file = try files.open("/d/new", .createNew)
                try file.write([1], at: 0)
                try file.sync()
                try files.rename("/d/new", to: "/d/final")
            }
            found.insert(contents.keys.sorted())
        }
        #expect(found == [[], ["/d/new"], ["/d/final"]])
    }

    /// Linux drops the pages of a failed sync: a later one succeeds and proves nothing.
    @Test func aFailedSyncIsNotRepairedByTheNext() throws {
        var lost = false
        for seed in 0..<40 as Range<UInt64> {
            let files = SimulatedFileSystem(seed: seed)
            let file = try files.open("/a", .createNew)
            try files.syncDirectory("/")
            try file.write([1, 2, 3], at: 0)
            files.inject(.init(.sync, .io))
            #expect(throws: FirnError.self) { try file.sync() }
            #expect(try file.read(at: 0, count: 3) == [1, 2, 3])
            try file.sync()
            files.crash(seed: seed)
            lost = lost || files.contents["/a"] != [1, 2, 3]
        }
        #expect(lost)
    }

    @Test func faultsHitTheCallTheyName() throws {
        let files = SimulatedFileSystem(seed: 1)
        files.inject(.init(.write, path: "b", at: 2, .noSpace))
        files.inject(.init(.syncDirectory, at: 1, .io, sticky: true))
        let (a, b) = (try files.open("/a", .createNew), try files.open("/b", .createNew))
        try a.write([1], at: 0)
        try b.write([1], at: 0)
        try a.write([1], at: 0)
        #expect(FileSystemTests.kind { try b.write([1], at: 0) } == .storageFull)
        try b.write([1], at: 0)
        for _ in 0..<3 { #expect(FileSystemTests.kind { try files.syncDirectory("/") } == .io) }
        files.clearFaults()
        try files.syncDirectory("/")
    }

    @Test func capacityBoundsGrowthOnly() throws {
        let files = SimulatedFileSystem(seed: 1, capacityBytes: 10)
        let file = try files.open("/a", .createNew)
        try file.write([UInt8](repeating: 1, count: 8), at: 0)
        #expect(FileSystemTests.kind { try file.write([2, 2, 2, 2], at: 8) } == .storageFull)
        #expect(try file.size() == 10)
        try file.write([3, 3], at: 8)
        try files.remove("/a")
        try files.writeAll([UInt8](repeating: 1, count: 10), to: "/b")
    }

    @Test func thePowerGoesDuringTheChosenCall() throws {
        let files = SimulatedFileSystem(seed: 1)
        let file = try files.open("/a", .createNew)
        files.powerOff(atCall: 2)
        try file.write([1], at: 0)
        #expect(FileSystemTests.kind { try file.sync() } == .io)
        #expect(FileSystemTests.kind { _ = try files.list("/") } == .io)
        files.restart()
        #expect(files.contents["/a"] == [1])
        #expect(FileSystemTests.kind { _ = try file.size() } == .io, "handles die with their process")
    }

    /// One seed twice gives the same bytes; another seed gives others.
    @Test func aSeedRepeatsTheWorld() throws {
        func run(_ seed: UInt64) throws -> ([String: [UInt8]], [String], UInt64) {
            let world = SimulatedEnvironment.make(seed: seed)
            for _ in 0..<40 {
                let path = "/f\(world.random.next(below: 5))"
                let file = try world.files.open(path, .replace)
                try file.write(world.random.bytes(3000), at: world.random.next(below: 2000))
                if world.random.chance(1, in: 3) { try file.sync() }
                if world.random.chance(1, in: 3) { try world.files.syncDirectory("/") }
                if world.random.chance(1, in: 8) { world.files.crash(seed: world.random.next()) }
                world.clock.advance(milliseconds: 1)
            }
            return (world.files.contents, world.files.trace, world.random.next())
        }
        let (first, second, other) = (try run(5), try run(5), try run(6))
        #expect(first.0 == second.0 && first.1 == second.1 && first.2 == second.2)
        #expect(first.0 != other.0)
    }

    @Test func clocksMoveOnlyWhenTold() {
        let clock = SimulatedClock()
        let (wall, monotonic) = (clock.nowMicros(), clock.monotonicNanos())
        #expect(CivilTime.formatTimestamp(micros: wall, utc: true) == "2026-01-01T00:00:00Z")
        clock.advance(milliseconds: 1500)
        #expect(clock.nowMicros() == wall + 1_500_000 && clock.monotonicNanos() == monotonic + 1_500_000_000)
        clock.set(wallMicros: 0)
        #expect(clock.nowMs() == 0 && clock.monotonicNanos() == monotonic + 1_500_000_000)
    }
}
