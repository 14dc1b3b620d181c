import Base
import Glibc

/// Public test data, when present: `FIRN_CORPORA`, else `shared/corpora` beside the package.
enum Corpus {
    static let root: String? = {
        let package = #filePath.parentDirectory.parentDirectory.parentDirectory
        let candidate = getenv("FIRN_CORPORA").map { String(cString: $0) } ?? package + "/../shared/corpora"
        return (try? PosixFileSystem().size(candidate)).flatMap { $0 } == nil ? nil : candidate
    }()

    /// The file's bytes, or nil with a message when the folder is missing.
    static func read(_ path: String) throws -> [UInt8]? {
        guard let root else {
            print("skipped: there is no corpora folder; set FIRN_CORPORA")
            return nil
        }
        return try PosixFileSystem().readAll(root + "/" + path)
    }
}

/// A contract file of the repository.
func contract(_ path: String) throws -> [UInt8] {
    let package = #filePath.parentDirectory.parentDirectory.parentDirectory
    return try PosixFileSystem().readAll(package + "/Schemas/" + path)
}
