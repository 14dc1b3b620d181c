import Columnar

/// Where the data pages of a column chunk are and what lies in them, from its offset index and column index.
///
/// Format: https://github.com/apache/parquet-format/blob/master/PageIndex.md
public struct ParquetPageIndex: Sendable, Hashable {
    public struct Page: Sendable, Hashable {
        /// Of the page's header, from the start of the file.
        public var offset: Int
        /// Header included.
        public var storedBytes: Int
        /// Within the row group.
        public var firstRow: Int
        public var rowCount: Int
        /// Bounds in PLAIN encoding (byte arrays without their length), possibly cut short; nil without a column index
        /// and for a page of nulls.
        public var minValue: [UInt8]?
        public var maxValue: [UInt8]?
        /// True when all values are null.
        public var isNullPage = false
        public var nullCount: Int?
    }

    public enum BoundaryOrder: Int32, Sendable {
        case unordered = 0
        case ascending = 1
        case descending = 2
    }

    public var pages: [Page]
    /// Nil when there is no column index, and pages have no bounds.
    public var boundaryOrder: BoundaryOrder?
}

/// What the header of a page says.
public struct ParquetPageSummary: Sendable, Hashable {
    /// Nil for a type of page newer than this reader.
    public var type: ParquetPageType?
    /// Of the header, from the start of the file.
    public var offset: Int
    public var headerBytes: Int
    /// Of the body, as stored.
    public var compressedBytes: Int
    public var uncompressedBytes: Int
    /// Nulls included.
    public var valueCount: Int?
    /// Version 2 only.
    public var nullCount: Int?
    /// Version 2 only.
    public var rowCount: Int?
    public var encoding: ParquetEncoding?
    /// Encodings of the levels; version 1 only.
    public var definitionEncoding: ParquetEncoding?
    public var repetitionEncoding: ParquetEncoding?
    /// CRC-32 of the body as stored, as the header says it.
    public var checksum: UInt32?
}

/// A column chunk's Bloom filter.
public struct BloomFilterSummary: Sendable {
    /// Of the filter's header, from the start of the file.
    public var offset: Int
    /// Header and bits.
    public var storedBytes: Int
    public let filter: BloomFilter
    let leaf: SchemaLeaf

    public var blockCount: Int { filter.blockCount }
    /// The share of bits that are set.
    public var fill: Double { filter.fill }
}

extension BloomFilterSummary {
    /// False proves that the column chunk does not hold `value`; nil when the filter cannot tell, as for NaN or a type
    /// without a hash.
    public func mayContain(_ value: Value) -> Bool? {
        BloomFilter.hash(value, in: leaf).map { filter.mayContain(hash: $0) }
    }
}
