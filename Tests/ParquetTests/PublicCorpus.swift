import Base
import Glibc

/// The public parquet-testing corpus, when present: below `FIRN_CORPORA`, else `shared/corpora` beside the package.
enum PublicCorpus {
    private static let root: String = {
        let package = (0..<3).reduce(#filePath) { path, _ in path.parentDirectory }
        return getenv("FIRN_CORPORA").map { String(cString: $0) } ?? package + "/../shared/corpora"
    }()

    /// The names in a folder, sorted, or nil with a message when the corpus is missing.
    static func names(_ folder: String) throws -> [String]? {
        guard let names = try? PosixFileSystem().list(root + "/parquet-testing/" + folder).map(\.name), !names.isEmpty
        else {
            print("skipped: there is no parquet-testing corpus; set FIRN_CORPORA")
            return nil
        }
        return names.sorted()
    }

    /// The file's bytes, or nil with a message when the corpus is missing.
    static func read(_ path: String) throws -> [UInt8]? {
        let files = PosixFileSystem()
        let file = root + "/parquet-testing/" + path
        guard (try? files.size(file)).flatMap({ $0 }) != nil else {
            print("skipped: there is no parquet-testing corpus; set FIRN_CORPORA")
            return nil
        }
        return try files.readAll(file)
    }
}
