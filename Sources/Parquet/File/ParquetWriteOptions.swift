/// How a Parquet file is laid out. The defaults are Iceberg's.
///
/// Names follow the table properties `write.parquet.*`:
/// https://iceberg.apache.org/docs/latest/configuration/#write-properties
public struct ParquetWriteOptions: Sendable {
    /// Which column metrics are collected.
    public enum MetricsMode: Hashable, Sendable {
        /// No bounds; counts are still filled, since they cost nothing.
        case none
        /// Counts, no bounds.
        case counts
        /// Counts and bounds that the table format cuts to this length; the summary holds them whole.
        case truncate(Int)
        /// Counts and whole bounds.
        case full
    }

    /// `.zstd`, `.gzip` or `.uncompressed`; the others are read only.
    public var codec: ParquetCodec = .zstd
    /// zstd or gzip level.
    public var compressionLevel = 3
    /// A row group is closed when its encoded pages and open buffers hold this many bytes.
    public var rowGroupBytesTarget = 128 << 20
    public var rowGroupRowsMax = 1 << 20
    /// Bytes of a page before compression.
    public var pageBytesTarget = 1 << 20
    public var pageRowsMax = 20_000
    /// A column whose dictionary passes this many bytes goes on without one.
    public var dictionaryBytesMax = 2 << 20
    /// Of the form `name version x.y.z (build hash)`: readers distrust statistics of a writer they cannot parse.
    public var createdBy = "firn version 0.1.0 (build 0)"
    /// Footer key-values, such as `iceberg.schema`.
    public var keyValueMetadata: [String: String] = [:]
    /// Writes the column and offset indexes, by which readers skip pages.
    public var writesPageIndex = true
    public var metricsDefault: MetricsMode = .truncate(16)
    /// Modes by leaf field id; `metricsDefault` for the rest.
    public var metrics: [Int: MetricsMode] = [:]

    public init() {}
}
