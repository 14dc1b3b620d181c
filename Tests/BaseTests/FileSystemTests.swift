import Base
import TestSupport
import Testing

/// The same suite over the real file system and the simulated one.
@Suite struct FileSystemTests {
    enum Backend: CaseIterable { case real, simulated }

    /// Runs `body` in a fresh directory.
    static func with(_ backend: Backend, _ body: (any FileSystem, String) throws -> Void) throws {
        let files: any FileSystem = backend == .real ? PosixFileSystem() : SimulatedFileSystem(seed: 1)
        let directory = "/tmp/firn-files-\(Environment.live.uuid())"
        try files.createDirectories(directory)
        defer { clean(files, directory) }
        try body(files, directory)
    }

    static func clean(_ files: any FileSystem, _ directory: String) {
        for entry in (try? files.list(directory)) ?? [] {
            let path = directory + "/" + entry.name
            if entry.isDirectory { clean(files, path) } else { try? files.remove(path) }
        }
        try? files.removeEmptyDirectory(directory)
    }

    static func kind(_ body: () throws -> Void) -> FirnError.Kind? {
        do {
            try body()
            return nil
        } catch { return (error as? FirnError)?.kind }
    }

    @Test(arguments: Backend.allCases)
    func openModes(backend: Backend) throws {
        try Self.with(backend) { files, directory in
            let path = directory + "/a"
            #expect(Self.kind { _ = try files.open(path, .read) } == .notFound)
            #expect(Self.kind { _ = try files.open(path, .update) } == .notFound)
            #expect(Self.kind { _ = try files.open(directory + "/no/a", .createNew) } == .notFound)
            let file = try files.open(path, .createNew)
            try file.write([1, 2, 3], at: 0)
            #expect(try file.size() == 3)
            file.close()
            #expect(Self.kind { _ = try files.open(path, .createNew) } == .alreadyExists)
            let again = try files.open(path, .update)
            #expect(try again.read(at: 0, count: 10) == [1, 2, 3])
            again.close()
            try files.open(path, .replace).close()
            #expect(try files.size(path) == 0)
        }
    }

    @Test(arguments: Backend.allCases)
    func positionedWritesLeaveHolesOfZeros(backend: Backend) throws {
        try Self.with(backend) { files, directory in
            let file = try files.open(directory + "/a", .replace)
            defer { file.close() }
            try file.write([7], at: 4)
            try file.write([5, 6], at: 1)
            #expect(try file.read(at: 0, count: 5) == [0, 5, 6, 0, 7])
            #expect(try file.read(at: 3, count: 9) == [0, 7] && file.read(at: 50, count: 9) == [])
            try file.truncate(to: 2)
            try file.truncate(to: 3)
            #expect(try file.read(at: 0, count: 9) == [0, 5, 0])
            try file.sync()
        }
    }

    @Test(arguments: Backend.allCases)
    func directories(backend: Backend) throws {
        try Self.with(backend) { files, directory in
            try files.createDirectories(directory + "/x/y")
            try files.createDirectories(directory + "/x/y")
            try files.writeAll([1], to: directory + "/b")
            try files.writeAll([2], to: directory + "/a")
            #expect(try files.list(directory).map(\.name) == ["a", "b", "x"])
            #expect(try files.list(directory).map(\.isDirectory) == [false, false, true])
            #expect(try files.list(directory + "/none") == [])
            try files.removeEmptyDirectory(directory + "/x")
            #expect(try files.size(directory + "/x/y") != nil)
            try files.removeEmptyDirectory(directory + "/x/y")
            try files.removeEmptyDirectory(directory + "/x/y")
            #expect(try files.size(directory + "/x/y") == nil)
            #expect(Self.kind { try files.syncDirectory(directory + "/none") } == .notFound)
        }
    }

    @Test(arguments: Backend.allCases)
    func renamesReplaceAndRemovalsForgive(backend: Backend) throws {
        try Self.with(backend) { files, directory in
            try files.writeAll([1], to: directory + "/a")
            try files.writeAll([2, 2], to: directory + "/b")
            try files.rename(directory + "/a", to: directory + "/b")
            #expect(try files.readAll(directory + "/b") == [1] && files.size(directory + "/a") == nil)
            #expect(Self.kind { try files.rename(directory + "/a", to: directory + "/b") } == .notFound)
            // An open file outlives its name.
            let file = try files.open(directory + "/b", .read)
            try files.remove(directory + "/b")
            try files.remove(directory + "/b")
            #expect(try file.read(at: 0, count: 1) == [1])
            file.close()
            #expect(Self.kind { _ = try files.readAll(directory + "/b") } == .notFound)
        }
    }

    @Test(arguments: Backend.allCases)
    func locksExcludeUntilDropped(backend: Backend) throws {
        try Self.with(backend) { files, directory in
            var first = try files.lock(directory + "/lock")
            #expect(first != nil)
            #expect(try files.lock(directory + "/lock") == nil)
            first = nil
            #expect(try files.lock(directory + "/lock") != nil)
        }
    }

    @Test(arguments: Backend.allCases)
    func wholeFileReadsAreBounded(backend: Backend) throws {
        try Self.with(backend) { files, directory in
            try files.writeAll([1, 2, 3], to: directory + "/a")
            #expect(try files.readAll(directory + "/a", limit: 3) == [1, 2, 3])
            #expect(Self.kind { _ = try files.readAll(directory + "/a", limit: 2) } == .limitExceeded)
        }
    }
}
