import CPlatform
import Glibc

/// Where an operation puts aside what its memory does not hold. What lies there does not outlive the process.
public protocol SpillSpace: Sendable {
    /// A new, empty file. Throws as its operations do.
    func makeFile() throws(FirnError) -> any SpillFile
}

/// A file that only its maker knows and that is gone when the object is.
///
/// Throws `.storageFull` (`spill_failed`) when the disk is full, `.io` (`spill_failed`) for other failures.
public protocol SpillFile: AnyObject {
    var byteCount: Int { get }
    /// Writes behind what is there. After a throw the file must be dropped.
    func append(_ bytes: UnsafeRawBufferPointer) throws(FirnError)
    /// Fills the room with the bytes from `offset`. Precondition: they were written.
    func read(into room: UnsafeMutableRawBufferPointer, at offset: Int) throws(FirnError)
}

/// Files without a name in a folder: a process that is killed leaves none behind.
public struct FolderSpillSpace: SpillSpace {
    private let folder: String

    /// - Parameter folder: an existing directory, as an absolute path.
    public init(folder: String) { self.folder = folder }

    public func makeFile() throws(FirnError) -> any SpillFile {
        let descriptor = firn_open_unnamed(folder)
        guard descriptor >= 0 else { throw UnnamedFile.error("open", folder) }
        return UnnamedFile(descriptor: descriptor, folder: folder)
    }
}

private final class UnnamedFile: SpillFile {
    private let descriptor: Int32
    private let folder: String
    private(set) var byteCount = 0

    init(descriptor: Int32, folder: String) {
        self.descriptor = descriptor
        self.folder = folder
    }

    deinit { close(descriptor) }

    func append(_ bytes: UnsafeRawBufferPointer) throws(FirnError) {
        var done = 0
        while done < bytes.count {
            let wrote = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(byteCount + done))
            if wrote < 0 {
                if errno == EINTR { continue }
                throw Self.error("pwrite", folder)
            }
            done += wrote
        }
        byteCount += done
    }

    func read(into room: UnsafeMutableRawBufferPointer, at offset: Int) throws(FirnError) {
        precondition(offset >= 0 && offset + room.count <= byteCount, "bytes that were not written")
        var done = 0
        while done < room.count {
            let got = pread(descriptor, room.baseAddress! + done, room.count - done, off_t(offset + done))
            if got < 0 {
                if errno == EINTR { continue }
                throw Self.error("pread", folder)
            }
            guard got > 0 else {
                throw FirnError(.io, "spill_failed", "a temporary file has lost bytes", context: ["file": folder])
            }
            done += got
        }
    }

    static func error(_ call: String, _ folder: String) -> FirnError {
        let code = errno
        let isFull = code == ENOSPC || code == EDQUOT || code == EROFS
        return FirnError(
            isFull ? .storageFull : .io, "spill_failed",
            "a temporary file could not be used: \(call) failed: \(String(cString: strerror(code)))",
            context: ["file": folder])
    }
}
