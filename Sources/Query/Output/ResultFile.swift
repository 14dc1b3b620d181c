import Base
import Glibc

/// A file that is there whole, or not at all.
///
/// It grows under another name beside its own, which it takes when it is complete. Without `overwrite` it never takes
/// the place of another file, not even of one that comes into being meanwhile.
public final class ResultFile {
    public let path: String
    /// The name before the file is complete. Whoever ends the process without `abort` removes it.
    public let temporaryPath: String
    private let overwrites: Bool
    private let files: any FileSystem
    private let file: any File
    private var isOpen = true
    private var bytes = 0

    /// Opens the temporary file. `path` is absolute.
    ///
    /// Throws `.alreadyExists` (`file_exists`), `.invalidInput` (`not_a_file`) for a folder, link or device of that
    /// name, and what creating a file throws.
    public init(_ path: String, overwrite: Bool, environment: Environment) throws(FirnError) {
        self.path = path
        overwrites = overwrite
        files = environment.files
        if let status = try files.status(path) {
            guard status.kind == .file else {
                throw FirnError(
                    .invalidInput, "not_a_file", "\(path) is a folder, a link or a device, and is not replaced")
            }
            guard overwrite else { throw Self.exists(path) }
        }
        let folder = path.parentDirectory == "/" ? "" : path.parentDirectory
        temporaryPath = folder + "/.firn-" + environment.uuid().description + ".partial"
        do throws(FirnError) {
            file = try files.open(temporaryPath, .createNew)
        } catch {
            guard error.kind == .notFound else { throw error }
            throw FirnError(.notFound, "folder_not_found", "there is no folder \(path.parentDirectory)")
        }
    }

    private static func exists(_ path: String) -> FirnError {
        FirnError(.alreadyExists, "file_exists", "\(path) exists already; --overwrite replaces it")
    }

    public func write(_ piece: [UInt8]) throws(FirnError) {
        try file.write(piece, at: bytes)
        bytes += piece.count
    }

    /// Makes the file durable and gives it its name. Throws `.alreadyExists` (`file_exists`).
    public func finish() throws(FirnError) {
        try file.sync()
        close()
        var isNamed = false
        if !overwrites { isNamed = try linked() }
        if !isNamed { try files.rename(temporaryPath, to: path) }
        try files.syncDirectory(path.parentDirectory)
    }

    /// Gives the file its name unless something has it. False where the file system knows no second names: there a
    /// rename has to do, after a look.
    private func linked() throws(FirnError) -> Bool {
        if link(temporaryPath, path) == 0 {
            try files.remove(temporaryPath)
            return true
        }
        guard try files.status(path) == nil else { throw Self.exists(path) }
        return false
    }

    /// Removes what has been written, best effort.
    public func abort() {
        close()
        try? files.remove(temporaryPath)
    }

    private func close() {
        if isOpen { file.close() }
        isOpen = false
    }
}
