import Base
import Glibc
import Storage
import Testing

/// A fresh directory below the system's temporary one, removed with the value.
final class ScratchDirectory {
    let path: String

    init() {
        path = "/tmp/firn-storage-" + Environment.live.uuid().description
        mkdir(path, 0o755)
    }

    deinit {
        let store = LocalStore(files: PosixFileSystem())
        for location in (try? store.list(path)) ?? [] { try? store.delete(location) }
        try? store.removeEmptyFolders(path)
    }
}

@Suite struct ObjectStoreTests {
    enum Kind: CaseIterable { case local, memory }

    /// Runs one body over every implementation.
    private func with(_ kind: Kind, _ body: (any ObjectStore, String) throws -> Void) throws {
        let directory = ScratchDirectory()
        let store: any ObjectStore = kind == .local ? LocalStore(files: PosixFileSystem()) : MemoryStore()
        try body(store, "file://" + directory.path)
    }

    @Test(arguments: Kind.allCases) func putGetReadSizeDelete(_ kind: Kind) throws {
        try with(kind) { store, root in
            let location = root + "/a/b/c.bin"
            #expect(try store.size(location) == nil)
            try store.put(location, [1, 2, 3, 4, 5])
            #expect(try store.get(location) == [1, 2, 3, 4, 5])
            #expect(try store.read(location, range: 1..<4) == [2, 3, 4])
            #expect(try store.read(location, range: 5..<5) == [])
            #expect(try store.size(location) == 5)
            try store.put(location, [9])
            #expect(try store.get(location) == [9])
            try store.delete(location)
            try store.delete(location)
            #expect(try store.size(location) == nil)
        }
    }

    @Test(arguments: Kind.allCases) func spellingsNameTheSameObject(_ kind: Kind) throws {
        try with(kind) { store, root in
            let path = String(root.dropFirst(7))
            try store.put("file:" + path + "/x", [1])
            #expect(try store.get(path + "/x") == [1])
            #expect(try store.get("file://" + path + "//x") == [1])
        }
    }

    @Test(arguments: Kind.allCases) func missingAndShortObjects(_ kind: Kind) throws {
        try with(kind) { store, root in
            #expect(fails(.notFound) { _ = try store.get(root + "/nope") })
            #expect(fails(.notFound) { _ = try store.read(root + "/nope", range: 0..<1) })
            try store.put(root + "/x", [1, 2])
            #expect(fails(.corrupted) { _ = try store.read(root + "/x", range: 1..<3) })
            #expect(fails(.corrupted) { _ = try store.read(root + "/x", range: 1..<(1 << 60)) })
        }
    }

    @Test(arguments: Kind.allCases) func listsRecursivelyAndOnlyBelow(_ kind: Kind) throws {
        try with(kind) { store, root in
            try store.putAll([
                (root + "/t/data/p=1/b", [1]), (root + "/t/data/a", []), (root + "/t/metadata/m", []),
                (root + "/t2/data/z", [1]),
            ])
            #expect(
                try store.list(root + "/t") == [
                    root + "/t/data/a", root + "/t/data/p=1/b", root + "/t/metadata/m",
                ])
            #expect(try store.list(root + "/none") == [])
        }
    }

    @Test(arguments: Kind.allCases) func streams(_ kind: Kind) throws {
        try with(kind) { store, root in
            let sink = try store.putStream(root + "/d/one")
            try sink.write([1, 2])
            try sink.write([])
            try sink.write([3])
            try sink.finish()
            #expect(try store.get(root + "/d/one") == [1, 2, 3])
            #expect(fails(.alreadyExists) { _ = try store.putStream(root + "/d/one") })
            let dropped = try store.putStream(root + "/d/two")
            try dropped.write([1])
            dropped.abort()
            #expect(try store.size(root + "/d/two") == nil)
        }
    }

    @Test(
        arguments: [
            "relative/x", "", "/", "file://", "file:///", "file:x", "file://host/x", "s3://bucket/x", "http://h/x",
            "file:///a/../b", "/a/./b", "/..", "file:///a/\u{0}b", "/a\nb", "memory:/x", "C:/x",
        ] as [String]
    )
    func refusesLocations(_ location: String) {
        for kind in Kind.allCases {
            let store: any ObjectStore = kind == .local ? LocalStore(files: PosixFileSystem()) : MemoryStore()
            #expect(fails(.invalidInput) { try store.put(location, []) })
            #expect(fails(.invalidInput) { _ = try store.get(location) })
            #expect(fails(.invalidInput) { try store.delete(location) })
            #expect(fails(.invalidInput) { _ = try store.putStream(location) })
        }
    }

    @Test func belowMeansStrictlyBelow() {
        #expect(ObjectLocation.isBelow("file:///w/t/data/x", folder: "/w/t"))
        #expect(ObjectLocation.isBelow("file:/w/t/x", folder: "file:///w/t/"))
        #expect(!ObjectLocation.isBelow("file:///w/t2/x", folder: "/w/t"))
        #expect(!ObjectLocation.isBelow("file:///w/t", folder: "/w/t"))
        #expect(!ObjectLocation.isBelow("file:///w/t/../x", folder: "/w/t"))
        #expect(!ObjectLocation.isBelow("s3://w/t/x", folder: "/w/t"))
    }

    @Test func percentSignsStayAsTheyAre() throws {
        #expect(try ObjectLocation.path("file:///a/ts=2020-01-01T00%3A00/x:y") == "/a/ts=2020-01-01T00%3A00/x:y")
    }

    @Test func hooksFailCallsWithoutEffect() throws {
        let store = MemoryStore()
        store.setHook { call, location in
            if call == .put { throw FirnError(.storageFull, "full", "no room", context: ["file": location]) }
        }
        #expect(fails(.storageFull) { try store.put("/a/b", [1]) })
        store.setHook(nil)
        #expect(try store.size("/a/b") == nil)
    }

    @Test func emptyFoldersGo() throws {
        let directory = ScratchDirectory()
        let store = LocalStore(files: PosixFileSystem())
        try store.put(directory.path + "/t/data/p=1/x", [1])
        try store.put(directory.path + "/t/metadata/m", [1])
        try store.delete(directory.path + "/t/data/p=1/x")
        try store.removeEmptyFolders(directory.path + "/t")
        #expect(try PosixFileSystem().list(directory.path + "/t").map(\.name) == ["metadata"])
    }

    private func fails(_ kind: FirnError.Kind, _ body: () throws -> Void) -> Bool {
        do {
            try body()
            return false
        } catch {
            return (error as? FirnError)?.kind == kind
        }
    }
}
