/// Files as Firn needs them: whole-file helpers for the store, positioned I/O and explicit syncs for the log.
///
/// Paths are absolute. All calls block; callers run them off the event loop. Every error is a `FirnError`: `.notFound`
/// for a missing path, `.alreadyExists` for exclusive creation, `.storageFull` for ENOSPC, EDQUOT and EROFS, `.io` for
/// the rest, with the path in the context.
public protocol FileSystem: Sendable {
    func open(_ path: String, _ mode: FileMode) throws(FirnError) -> any File
    /// Length in bytes, or nil when nothing is there.
    func size(_ path: String) throws(FirnError) -> Int?
    /// What is at a path itself, links not followed; nil when nothing is.
    func status(_ path: String) throws(FirnError) -> FileStatus?
    /// Names (not paths) in a directory, sorted; empty when the directory is missing.
    func list(_ directory: String) throws(FirnError) -> [DirectoryEntry]
    func createDirectories(_ path: String) throws(FirnError)
    /// Removes a file; a missing one is not an error.
    func remove(_ path: String) throws(FirnError)
    /// Removes an empty directory; a missing or non-empty one is not an error.
    func removeEmptyDirectory(_ path: String) throws(FirnError)
    /// Atomic replacement. Durable only after `syncDirectory` on the parent.
    func rename(_ from: String, to: String) throws(FirnError)
    /// Makes creations, renames and removals inside the directory durable.
    func syncDirectory(_ path: String) throws(FirnError)
    /// Takes an exclusive advisory lock on the file, creating it; nil when another process holds it.
    /// The lock ends with the returned object or with the process, whatever kills it.
    func lock(_ path: String) throws(FirnError) -> (any FileLock)?
}

public enum FileMode: Sendable {
    case read
    /// Read and write, the file must exist.
    case update
    /// As `update`, for writes of whole pages: offset, length and address are multiples of 4096. They go past the page
    /// cache where the system can, which saves a copy of data that is not read again soon.
    case overwritePages
    /// Read and write, the file must not exist.
    case createNew
    /// Read and write, an existing file is emptied.
    case replace
}

public struct DirectoryEntry: Sendable, Hashable {
    public let name: String
    public let isDirectory: Bool

    public init(name: String, isDirectory: Bool) {
        self.name = name
        self.isDirectory = isDirectory
    }
}

/// A file, directory or link as the file system describes it.
public struct FileStatus: Sendable, Hashable {
    public enum Kind: Sendable { case file, directory, other }

    public let kind: Kind
    public let bytes: Int
    /// Last change of the contents, in milliseconds from 1970; nil when the file system does not tell.
    public let modifiedMs: Int64?

    public init(kind: Kind, bytes: Int, modifiedMs: Int64?) {
        self.kind = kind
        self.bytes = bytes
        self.modifiedMs = modifiedMs
    }
}

extension FileSystem {
    /// For file systems without times and links.
    public func status(_ path: String) throws(FirnError) -> FileStatus? {
        guard let bytes = try size(path) else { return nil }
        return FileStatus(kind: .file, bytes: bytes, modifiedMs: nil)
    }
}

public protocol FileLock: AnyObject, Sendable {}

/// An open file. Positioned reads and writes may run from several threads; `close` is called once, by the owner.
public protocol File: AnyObject, Sendable {
    var path: String { get }
    func size() throws(FirnError) -> Int
    /// Reads up to `count` bytes; fewer only at the end of the file.
    func read(at offset: Int, count: Int) throws(FirnError) -> [UInt8]
    /// Writes all bytes or throws; after a throw any prefix may have been written.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FirnError)
    /// Takes space for a range that begins at the end of the file and reads as zeros, so that writing there cannot fail
    /// for want of it.
    func allocate(_ range: Range<Int>) throws(FirnError)
    func truncate(to size: Int) throws(FirnError)
    /// `fdatasync`. After a throw nothing written since the last success may be believed durable, ever.
    func sync() throws(FirnError)
    func close()
}

extension File {
    public func write(_ bytes: [UInt8], at offset: Int) throws(FirnError) {
        do {
            try bytes.withUnsafeBytes { try write($0, at: offset) }
        } catch { throw error as! FirnError }
    }

    public func allocate(_ range: Range<Int>) throws(FirnError) {
        try write([UInt8](repeating: 0, count: range.count), at: range.lowerBound)
    }
}

extension FileSystem {
    /// The whole file; refuses files longer than `limit` bytes.
    public func readAll(_ path: String, limit: Int = Limits.wholeFileBytesMax) throws(FirnError) -> [UInt8] {
        let file = try open(path, .read)
        defer { file.close() }
        let size = try file.size()
        guard size <= limit else {
            throw FirnError(
                .limitExceeded, "file_too_large", "the file has \(size) bytes, more than the \(limit) allowed",
                context: ["file": path])
        }
        return try file.read(at: 0, count: size)
    }

    /// Writes a new file, durable (with its directory entry) when this returns. An existing file is replaced.
    public func writeAll(_ bytes: [UInt8], to path: String) throws(FirnError) {
        let file = try open(path, .replace)
        defer { file.close() }
        try file.write(bytes, at: 0)
        try file.sync()
        try syncDirectory(path.parentDirectory)
    }
}

extension String {
    /// The path without its last component; `/` for a path directly below the root.
    public var parentDirectory: String {
        guard let slash = lastIndex(of: "/"), slash != startIndex else { return "/" }
        return String(self[..<slash])
    }
    /// The last component of the path.
    public var lastPathComponent: String {
        guard let slash = lastIndex(of: "/") else { return self }
        return String(self[index(after: slash)...])
    }
}
