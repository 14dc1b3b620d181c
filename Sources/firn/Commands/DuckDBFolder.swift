import Base
import Columnar
import Glibc
import Parquet

/// A folder of our own for what DuckDB reads and writes during one query.
struct DuckDBFolder: Sendable {
    let path: String

    /// Makes the folder below `TMPDIR`, for nobody else to look into.
    init() throws {
        path = AbsolutePath.make(Console.environment("TMPDIR") ?? "/tmp") + "/firn-duckdb-\(Environment.live.uuid())"
        try Environment.live.files.createDirectories(path)
        chmod(path, 0o700)
    }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ name: String, _ text: String) throws {
        try Environment.live.files.writeAll(Array(text.utf8), to: file(name))
    }

    /// Writes a Parquet file and answers its path.
    func write(_ name: String, _ schema: Schema, _ body: (ParquetFileWriter) throws -> Void) throws -> String {
        let path = file(name)
        let target = try Environment.live.files.open(path, .createNew)
        defer { target.close() }
        var bytes = 0
        let writer = ParquetFileWriter(schema: schema) { piece in
            try target.write(piece, at: bytes)
            bytes += piece.count
        }
        try body(writer)
        _ = try writer.close()
        return path
    }

    /// Removes the folder with all that is in it, best effort; again where a file came into being meanwhile.
    func remove() {
        for _ in 0..<10 {
            Self.remove(path)
            if (try? Environment.live.files.status(path)) == nil { return }
        }
    }

    private static func remove(_ folder: String) {
        let files = Environment.live.files
        for entry in (try? files.list(folder)) ?? [] {
            if entry.isDirectory {
                remove(folder + "/" + entry.name)
            } else {
                try? files.remove(folder + "/" + entry.name)
            }
        }
        try? files.removeEmptyDirectory(folder)
    }
}
