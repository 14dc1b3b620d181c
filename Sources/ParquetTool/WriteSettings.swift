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
    @Option(help: "1 or 2.") var pageVersion = 1
    @Option(
        name: .customLong("encoding"),
        help: "COLUMN=ENCODING, or ENCODING for every column whose type it fits; of several the first that fits.")
    var encodings: [String] = []
    @Option(help: "compatible or modern: what the writer chooses from.") var profile = "compatible"
    @Option(help: "COLUMN[:RATE] gets a Bloom filter, RATE of absent values passing; may be repeated.")
    var bloom: [String] = []
    @Option(help: "Bytes that no Bloom filter passes.") var bloomBytes: Int?
    @Option(help: "COLUMN[:desc][:nulls-first] by which the rows are sorted already; may be repeated.")
    var sorted: [String] = []
    @Flag(inversion: .prefixedNo, help: "Write the column and offset indexes.") var pageIndex = true
    @Flag(inversion: .prefixedNo, help: "Write a checksum of every page.") var checksums = true
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
        guard (1...2).contains(pageVersion) else { throw Self.invalid("--page-version is 1 or 2") }
        options.pageVersion = pageVersion == 1 ? .v1 : .v2
        guard let profile = ParquetWriteOptions.EncodingProfile(rawValue: profile) else {
            throw Self.invalid("unknown profile \"\(profile)\"; known: compatible, modern")
        }
        options.encodingProfile = profile
        options.encodings = try EncodingChoice.resolve(encodings, schema, options.pageVersion)
        options.writesPageIndex = pageIndex
        options.writesPageChecksums = checksums
        if let bloomBytes { options.bloomFilterBytesMax = bloomBytes }
        for text in bloom {
            let parts = text.split(separator: ":").map(String.init)
            let field = try Self.field(parts[0], in: schema)
            let rate = parts.count > 1 ? Double(parts[1]) : 0.01
            guard let rate, rate > 0, rate < 1 else { throw Self.invalid("\"\(text)\" is not COLUMN:RATE") }
            options.bloomFilters[field.id] = .init(falsePositiveRate: rate)
        }
        for text in sorted {
            let parts = text.split(separator: ":").map(String.init)
            options.sortingColumns.append(
                .init(
                    fieldId: try Self.field(parts[0], in: schema).id, isDescending: parts.contains("desc"),
                    nullsFirst: parts.contains("nulls-first")))
        }
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
