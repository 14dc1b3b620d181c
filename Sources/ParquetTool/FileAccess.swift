import Base
import Columnar
import Glibc
import Parquet

/// Opens Parquet files for the commands.
enum FileAccess {
    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let directory = getcwd(nil, 0) else { return "/" + path }
        defer { free(directory) }
        return String(cString: directory) + "/" + path
    }

    /// Keeps what a reader asks for.
    final class Meter {
        var ranges: [Range<Int>] = []
        var bytes: Int { ranges.reduce(0) { $0 + $1.count } }
    }

    /// A reader that fetches ranges from the file.
    static func open(_ path: String, meter: Meter? = nil) throws -> ParquetFileReader {
        let handle = try Environment.live.files.open(absolute(path), .read)
        return try ParquetFileReader(fileBytes: handle.size(), source: path) { range in
            meter?.ranges.append(range)
            return try handle.read(at: range.lowerBound, count: range.count)
        }
    }

    /// A reader over bytes in memory.
    static func open(_ bytes: [UInt8], source: String) throws -> ParquetFileReader {
        try ParquetFileReader(fileBytes: bytes.count, source: source) { Array(bytes[$0]) }
    }

    /// Every row group of a file, with the ids that a new table would give its columns where the file has none.
    static func batches(_ reader: ParquetFileReader) throws -> (schema: Schema, batches: [RecordBatch]) {
        let stored = try reader.fileSchema()
        var batches: [RecordBatch] = []
        for group in 0..<reader.rowGroupCount {
            batches.append(try reader.readRowGroup(group, projection: stored))
        }
        return (writable(stored), batches)
    }

    /// Columns without ids are read under negative ones, which cannot be written.
    static func writable(_ schema: Schema) -> Schema {
        schema.allFields.allSatisfy { $0.field.id > 0 } ? schema : schema.numbered()
    }
}

/// Bytes of the values as Arrow lays them out: bits for booleans and nulls, 32-bit offsets, no slack.
enum ArrowBytes {
    static func count(_ batch: RecordBatch) -> Int { batch.columns.reduce(0) { $0 + count($1) } }

    static func count(_ column: Column) -> Int {
        let rows = column.rowCount
        let nulls = column.nullCount > 0 ? (rows + 7) / 8 : 0
        switch column.storage {
        case .boolean: return nulls + (rows + 7) / 8
        case .int32, .float: return nulls + rows * 4
        case .int64, .double: return nulls + rows * 8
        case .decimal: return nulls + rows * 16
        case .bytes(_, let bytes): return nulls + (rows + 1) * 4 + bytes.count
        case .fixed(_, let width): return nulls + rows * width
        case .structure(let children): return children.reduce(nulls) { $0 + count($1) }
        case .list(_, let children), .map(_, let children):
            return children.reduce(nulls + (rows + 1) * 4) { $0 + count($1) }
        }
    }
}
