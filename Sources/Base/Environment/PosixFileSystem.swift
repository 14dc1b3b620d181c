import CPlatform
import Glibc

/// The real file system.
public struct PosixFileSystem: FileSystem {
    public init() {}

    public func open(_ path: String, _ mode: FileMode) throws(FirnError) -> any File {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .update: O_RDWR
            case .overwritePages: O_RDWR | firn_o_direct
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            case .replace: O_RDWR | O_CREAT | O_TRUNC
            }
        var descriptor = firn_open(path, flags | O_CLOEXEC, 0o644)
        if descriptor < 0, errno == EINVAL, mode == .overwritePages {
            descriptor = firn_open(path, flags & ~firn_o_direct | O_CLOEXEC, 0o644)
        }
        guard descriptor >= 0 else { throw posixError("open", path) }
        return PosixFile(descriptor: descriptor, path: path)
    }

    public func size(_ path: String) throws(FirnError) -> Int? {
        var info = stat()
        guard stat(path, &info) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw posixError("stat", path)
        }
        return Int(info.st_size)
    }

    public func status(_ path: String) throws(FirnError) -> FileStatus? {
        var info = stat()
        guard lstat(path, &info) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw posixError("lstat", path)
        }
        let kind: FileStatus.Kind =
            switch info.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            default: .other
            }
        let ms = Int64(info.st_mtim.tv_sec) * 1000 + Int64(info.st_mtim.tv_nsec) / 1_000_000
        return FileStatus(kind: kind, bytes: Int(info.st_size), modifiedMs: ms)
    }

    public func list(_ directory: String) throws(FirnError) -> [DirectoryEntry] {
        guard let stream = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw posixError("opendir", directory)
        }
        defer { closedir(stream) }
        var entries: [DirectoryEntry] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != "." && name != ".." else { continue }
            var info = stat()
            guard lstat(directory + "/" + name, &info) == 0 else { continue }
            entries.append(DirectoryEntry(name: name, isDirectory: info.st_mode & S_IFMT == S_IFDIR))
        }
        return entries.sorted { $0.name < $1.name }
    }

    public func createDirectories(_ path: String) throws(FirnError) {
        if try size(path) != nil { return }
        let parent = path.parentDirectory
        if parent != path { try createDirectories(parent) }
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw posixError("mkdir", path) }
        try syncDirectory(parent)
    }

    public func remove(_ path: String) throws(FirnError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw posixError("unlink", path) }
    }

    public func removeEmptyDirectory(_ path: String) throws(FirnError) {
        guard rmdir(path) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST else {
            throw posixError("rmdir", path)
        }
    }

    public func rename(_ from: String, to: String) throws(FirnError) {
        guard Glibc.rename(from, to) == 0 else { throw posixError("rename", from) }
    }

    public func syncDirectory(_ path: String) throws(FirnError) {
        let descriptor = firn_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw posixError("open", path) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw posixError("fsync", path) }
    }

    public func lock(_ path: String) throws(FirnError) -> (any FileLock)? {
        let descriptor = firn_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw posixError("open", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            if code == EWOULDBLOCK { return nil }
            errno = code
            throw posixError("flock", path)
        }
        return PosixLock(descriptor: descriptor)
    }
}

private final class PosixLock: FileLock {
    private let descriptor: Int32
    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit {
        // A child that has been forked and runs nothing yet has the file open too, and would hold the lock.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}

private final class PosixFile: File {
    private let descriptor: Int32
    let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    func size() throws(FirnError) -> Int {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw posixError("fstat", path) }
        return Int(info.st_size)
    }

    func read(at offset: Int, count: Int) throws(FirnError) -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, used in
            while used < count {
                let got = pread(descriptor, room.baseAddress! + used, count - used, off_t(offset + used))
                if got < 0 {
                    if errno == EINTR { continue }
                    failed = true
                    return
                }
                if got == 0 { return }
                used += got
            }
        }
        if failed { throw posixError("pread", path) }
        return bytes
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FirnError) {
        var done = 0
        while done < bytes.count {
            let wrote = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if wrote < 0 {
                if errno == EINTR { continue }
                // A file system with larger pages, or one that only pretends to write past the cache.
                if errno == EINVAL, firn_stop_direct(descriptor) != 0 { continue }
                throw posixError("pwrite", path)
            }
            done += wrote
        }
    }

    func allocate(_ range: Range<Int>) throws(FirnError) {
        let code = firn_allocate(descriptor, Int64(range.lowerBound), Int64(range.count))
        guard code != 0 else { return }
        if code == EOPNOTSUPP || code == ENOSYS {
            return try write([UInt8](repeating: 0, count: range.count), at: range.lowerBound)
        }
        errno = code
        throw posixError("fallocate", path)
    }

    func truncate(to size: Int) throws(FirnError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw posixError("ftruncate", path) }
    }

    func sync() throws(FirnError) {
        guard fdatasync(descriptor) == 0 else { throw posixError("fdatasync", path) }
    }

    func close() { Glibc.close(descriptor) }
}

private func posixError(_ call: String, _ path: String) -> FirnError {
    let code = errno
    let kind: FirnError.Kind =
        switch code {
        case ENOENT, ENOTDIR: .notFound
        case EEXIST: .alreadyExists
        case ENOSPC, EDQUOT, EROFS: .storageFull
        default: .io
        }
    let reason = String(cString: strerror(code))
    return FirnError(kind, "\(call)_failed", "\(call) failed: \(reason)", context: ["file": path])
}
