import ArgumentParser
import Base
import Columnar
import Parquet

/// The layout of a file that is written, as options of a command.
struct WriteSettings: ParsableArguments {
    @Option(help: "zstd, snappy, gzip, lz4_raw or uncompressed.") var codec = "zstd"
    @Option(help: "Level of zstd or gzip.") var level = 3
    @Option(help: "Rows of a row group.") var rowGroupRows: Int?
    @Option(help: "Bytes of a row group.") var rowGroupBytes: Int?
    @Option(help: "Rows of a page.") var pageRows: Int?
    @Option(help: "Bytes of a page before compression.") var pageBytes: Int?
    @Option(help: "Bytes a dictionary may have; 0 for none.") var dictionaryBytes: Int?
    @Flag(inversion: .prefixedNo, help: "Write the column and offset indexes.") var pageIndex = true
    @Option(name: .customLong("key-value"), help: "KEY=VALUE in the footer; may be repeated.")
    var keyValues: [String] = []

    /// The library's options for a file of this schema. Throws `.invalidInput` (`invalid_option`).
    func options(_ schema: Schema) throws(FirnError) -> ParquetWriteOptions {
        var options = ParquetWriteOptions()
        options.codec = try Self.codec(codec)
        options.compressionLevel = level
        if let rowGroupRows { options.rowGroupRowsMax = rowGroupRows }
        if let rowGroupBytes { options.rowGroupBytesTarget = rowGroupBytes }
        if let pageRows { options.pageRowsMax = pageRows }
        if let pageBytes { options.pageBytesTarget = pageBytes }
        if let dictionaryBytes { options.dictionaryBytesMax = dictionaryBytes }
        options.writesPageIndex = pageIndex
        for pair in keyValues {
            let (key, value) = try Self.split(pair, "--key-value KEY=VALUE")
            options.keyValueMetadata[key] = value
        }
        return options
    }

    private static func codec(_ name: String) throws(FirnError) -> ParquetCodec {
        switch name.lowercased() {
        case "zstd": return .zstd
        case "snappy": return .snappy
        case "gzip": return .gzip
        case "lz4_raw", "lz4": return .lz4Raw
        case "uncompressed", "none": return .uncompressed
        default: throw invalid("unknown codec \"\(name)\"; known: zstd, snappy, gzip, lz4_raw, uncompressed")
        }
    }

    static func split(_ text: String, _ form: String) throws(FirnError) -> (String, String) {
        guard let sign = text.firstIndex(of: "="), sign > text.startIndex else {
            throw invalid("\"\(text)\" is not of the form \(form)")
        }
        return (String(text[..<sign]), String(text[text.index(after: sign)...]))
    }

    static func invalid(_ message: String) -> FirnError { FirnError(.invalidInput, "invalid_option", message) }

    /// The field at a dotted path. Throws `.invalidInput` (`unknown_column`) with the paths there are.
    static func field(_ path: String, in schema: Schema) throws(FirnError) -> Field {
        guard let field = schema.field(path: path) else {
            let known = schema.allFields.map(\.path).prefix(20).joined(separator: ", ")
            throw FirnError(.invalidInput, "unknown_column", "there is no column \"\(path)\"; the file has \(known)")
        }
        return field
    }
}
