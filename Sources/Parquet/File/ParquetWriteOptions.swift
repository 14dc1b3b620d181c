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

    public enum PageVersion: Hashable, Sendable {
        /// Levels and values compressed together; every reader knows it.
        case v1
        /// Levels outside the compressed part, and values stored as they are where compression brings nothing.
        case v2
    }

    /// How the values of a column are encoded.
    public enum Encoding: Hashable, Sendable {
        /// Any type.
        case plain
        /// Any type but boolean; PLAIN after the dictionary has become too large.
        case dictionary
        /// INT32 and INT64.
        case deltaBinaryPacked
        /// BYTE_ARRAY.
        case deltaLengthByteArray
        /// BYTE_ARRAY and FIXED_LEN_BYTE_ARRAY.
        case deltaByteArray
        /// FLOAT, DOUBLE, INT32, INT64 and FIXED_LEN_BYTE_ARRAY.
        case byteStreamSplit
        /// BOOLEAN in version 2 pages.
        case rle
    }

    /// Which encodings the writer chooses from, by itself and by measured size.
    public enum EncodingProfile: String, Hashable, Sendable {
        /// PLAIN and dictionaries, which every reader knows.
        case compatible
        /// Delta encodings too, and BYTE_STREAM_SPLIT for float and double; RLE for booleans in version 2 pages.
        case modern
    }

    public struct BloomFilterOptions: Hashable, Sendable {
        /// The share of absent values that may pass.
        public var falsePositiveRate: Double
        /// Distinct values expected in a row group; nil sizes the filter by those found.
        public var distinctCount: Int?

        public init(falsePositiveRate: Double = 0.01, distinctCount: Int? = nil) {
            self.falsePositiveRate = falsePositiveRate
            self.distinctCount = distinctCount
        }
    }

    /// A column by which the rows given to the writer are sorted. The writer records this, it does not sort.
    public struct SortingColumn: Hashable, Sendable {
        public var fieldId: Int
        public var isDescending: Bool
        public var nullsFirst: Bool

        public init(fieldId: Int, isDescending: Bool = false, nullsFirst: Bool = false) {
            self.fieldId = fieldId
            self.isDescending = isDescending
            self.nullsFirst = nullsFirst
        }
    }

    /// `.zstd`, `.snappy`, `.gzip`, `.lz4Raw` or `.uncompressed`; the others are read only.
    public var codec: ParquetCodec = .zstd
    /// zstd or gzip level.
    public var compressionLevel = 3
    /// A row group is closed when its encoded pages and open buffers hold this many bytes.
    public var rowGroupBytesTarget = 128 << 20
    public var rowGroupRowsMax = 1 << 20
    public var pageVersion = PageVersion.v1
    /// CRC-32 of every page.
    public var writesPageChecksums = true
    /// Bytes of a page before compression.
    public var pageBytesTarget = 1 << 20
    public var pageRowsMax = 20_000
    /// A column whose dictionary passes this many bytes goes on without one.
    public var dictionaryBytesMax = 2 << 20
    public var encodingProfile = EncodingProfile.compatible
    /// Encodings by leaf field id, instead of the writer's choice. One that does not fit its column's type is an error
    /// of the first write (`encoding_type`).
    public var encodings: [Int: Encoding] = [:]
    /// Leaf field ids of columns that never get a dictionary.
    public var columnsWithoutDictionary: Set<Int> = []
    /// Of the form `name version x.y.z (build hash)`: readers distrust statistics of a writer they cannot parse.
    public var createdBy = "firn version 0.1.0 (build 0)"
    /// Footer key-values, such as `iceberg.schema`.
    public var keyValueMetadata: [String: String] = [:]
    /// Writes the column and offset indexes, by which readers skip pages.
    public var writesPageIndex = true
    /// Leaf field ids of columns without bounds, in footer and index.
    public var columnsWithoutStatistics: Set<Int> = []
    /// Split-block Bloom filters by leaf field id; booleans get none.
    public var bloomFilters: [Int: BloomFilterOptions] = [:]
    /// No filter of a column chunk passes this many bytes.
    public var bloomFilterBytesMax = 1 << 20
    /// The order in which rows arrive, first the column that matters most.
    public var sortingColumns: [SortingColumn] = []
    public var metricsDefault: MetricsMode = .truncate(16)
    /// Modes by leaf field id; `metricsDefault` for the rest.
    public var metrics: [Int: MetricsMode] = [:]

    public init() {}
}
