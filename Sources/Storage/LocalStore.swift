import Base

/// Objects as files of a local file system.
///
/// Durable means: the file is synced, and so is every directory that got a new entry on the way to it.
public struct LocalStore: ObjectStore {
    private let files: any FileSystem

    public init(files: any FileSystem) { self.files = files }

    public func put(_ location: String, _ bytes: [UInt8]) throws {
        try putAll([(location, bytes)])
    }

    /// Syncs each directory once, after all its files.
    public func putAll(_ objects: [(location: String, bytes: [UInt8])]) throws {
        let targets = try objects.map { (path: try ObjectLocation.path($0.location), bytes: $0.bytes) }
        var directories: [String] = []
        for target in targets where !directories.contains(target.path.parentDirectory) {
            directories.append(target.path.parentDirectory)
        }
        for directory in directories { try files.createDirectories(directory) }
        for target in targets {
            let file = try files.open(target.path, .replace)
            defer { file.close() }
            try file.write(target.bytes, at: 0)
            try file.sync()
        }
        for directory in directories { try files.syncDirectory(directory) }
    }

    public func putStream(_ location: String) throws -> any ObjectSink {
        let path = try ObjectLocation.path(location)
        try files.createDirectories(path.parentDirectory)
        return LocalSink(file: try files.open(path, .createNew), files: files)
    }

    public func get(_ location: String) throws -> [UInt8] {
        let path = try ObjectLocation.path(location)
        guard try files.status(path)?.kind != .directory else { throw ObjectErrors.missing(location) }
        return try files.readAll(path)
    }

    public func read(_ location: String, range: Range<Int>) throws -> [UInt8] {
        precondition(range.lowerBound >= 0, "negative offset")
        let path = try ObjectLocation.path(location)
        let file = try files.open(path, .read)
        defer { file.close() }
        // The range comes from stored bytes: check it against the file before allocating for it.
        let size = try file.size()
        guard range.upperBound <= size else { throw ObjectErrors.tooShort(location, size: size, range: range) }
        let bytes = try file.read(at: range.lowerBound, count: range.count)
        guard bytes.count == range.count else {
            throw ObjectErrors.tooShort(location, size: range.lowerBound + bytes.count, range: range)
        }
        return bytes
    }

    public func size(_ location: String) throws -> Int? {
        try files.size(try ObjectLocation.path(location))
    }

    public func status(_ location: String) throws -> ObjectStatus? {
        guard let status = try files.status(try ObjectLocation.path(location)) else { return nil }
        return ObjectStatus(bytes: status.bytes, modifiedMs: status.modifiedMs, isForeign: status.kind == .other)
    }

    public func delete(_ location: String) throws { try deleteAll([location]) }

    /// Syncs each directory once. A directory that is gone took its files along.
    public func deleteAll(_ locations: [String]) throws {
        var directories: Set<String> = []
        for location in locations {
            let path = try ObjectLocation.path(location)
            guard try files.size(path) != nil else { continue }
            try files.remove(path)
            directories.insert(path.parentDirectory)
        }
        for directory in directories.sorted() where try files.size(directory) != nil {
            try files.syncDirectory(directory)
        }
    }

    public func list(_ prefix: String) throws -> [String] {
        var found: [String] = []
        try walk(try ObjectLocation.path(prefix), into: &found)
        return found.sorted()
    }

    /// Symbolic links count as files and are never followed.
    private func walk(_ directory: String, into found: inout [String]) throws {
        for entry in try files.list(directory) {
            let path = directory + "/" + entry.name
            if entry.isDirectory {
                try walk(path, into: &found)
            } else {
                found.append(ObjectLocation.file(path))
            }
        }
    }

    public func makeFolder(_ prefix: String) throws {
        try files.createDirectories(try ObjectLocation.path(prefix))
    }

    public func removeEmptyFolders(_ prefix: String) throws {
        try prune(try ObjectLocation.path(prefix))
    }

    private func prune(_ directory: String) throws {
        for entry in try files.list(directory) where entry.isDirectory { try prune(directory + "/" + entry.name) }
        try files.removeEmptyDirectory(directory)
    }
}

enum ObjectErrors {
    static func tooShort(_ location: String, size: Int, range: Range<Int>) -> FirnError {
        FirnError(
            .corrupted, "object_too_short",
            "bytes \(range.lowerBound)..<\(range.upperBound) were wanted of an object of \(size) bytes",
            context: ["file": location, "offset": String(range.lowerBound)])
    }

    static func missing(_ location: String) -> FirnError {
        FirnError(.notFound, "object_not_found", "there is no such object", context: ["file": location])
    }

    static func taken(_ location: String) -> FirnError {
        FirnError(.alreadyExists, "object_exists", "the object exists already", context: ["file": location])
    }
}

private final class LocalSink: ObjectSink {
    private let file: any File
    private let files: any FileSystem
    private var written = 0
    private var open = true

    init(file: any File, files: any FileSystem) {
        self.file = file
        self.files = files
    }

    deinit { if open { file.close() } }

    func write(_ bytes: [UInt8]) throws {
        precondition(open, "write to a finished object")
        try file.write(bytes, at: written)
        written += bytes.count
    }

    func finish() throws {
        precondition(open, "object finished twice")
        try file.sync()
        file.close()
        open = false
        try files.syncDirectory(file.path.parentDirectory)
    }

    func abort() {
        if open {
            file.close()
            open = false
        }
        try? files.remove(file.path)
    }
}
