/// The metadata at the end of a Parquet file.
///
/// Format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (FileMetaData)
public struct ParquetFooter: Sendable {
    public var version = 1
    public var rowCount = 0
    public var createdBy: String?
    public var keyValueMetadata: [String: String] = [:]
    /// The schema tree, depth first; the first element is the root.
    public var schema: [SchemaElement] = []
    public var rowGroups: [RowGroup] = []
    /// True when the footer names the order of each column's statistics; without it they mean nothing.
    public var hasColumnOrders = false
    /// The order by leaf, as the number of the union's member: 1 is the order of the type, anything else is newer.
    public var columnOrders: [Int] = []
    /// Length of the serialised footer, without the trailing length and magic.
    public var footerBytes = 0

    public init() {}

    public enum Repetition: Int32, Sendable {
        case required = 0
        case optional = 1
        case repeated = 2
    }

    public struct SchemaElement: Sendable, Hashable {
        public var name: String
        /// Nil for a group.
        public var physicalType: ParquetPhysicalType?
        /// Width of a FIXED_LEN_BYTE_ARRAY.
        public var typeLength: Int?
        /// Nil only for the root.
        public var repetition: Repetition?
        /// Nil for a leaf.
        public var childCount: Int?
        public var convertedType: Int32?
        public var scale: Int?
        public var precision: Int?
        public var fieldId: Int?
        public var logicalType: ParquetLogicalType?

        public init(name: String) { self.name = name }
    }

    public struct RowGroup: Sendable {
        public var columns: [ColumnChunk] = []
        /// Bytes before compression.
        public var totalBytes = 0
        public var compressedBytes: Int?
        public var rowCount = 0
        public var fileOffset: Int?
        /// The order of the rows, first the column that matters most; empty when they are in none.
        public var sortingColumns: [SortingColumn] = []
        /// The group's place in the file; nil in files of older writers.
        public var ordinal: Int?

        public init() {}
    }

    public struct SortingColumn: Sendable, Hashable {
        /// Index of the leaf.
        public var column: Int
        public var isDescending: Bool
        public var nullsFirst: Bool

        public init(column: Int, isDescending: Bool, nullsFirst: Bool) {
            self.column = column
            self.isDescending = isDescending
            self.nullsFirst = nullsFirst
        }
    }

    public struct ColumnChunk: Sendable {
        public var physicalType = ParquetPhysicalType.boolean
        public var encodings: [ParquetEncoding] = []
        /// Names from below the root to the leaf, the `list` and `key_value` groups included.
        public var path: [String] = []
        public var codec = ParquetCodec.uncompressed
        /// Level entries: nulls included.
        public var valueCount = 0
        public var uncompressedBytes = 0
        public var compressedBytes = 0
        public var dataPageOffset = 0
        public var dictionaryPageOffset: Int?
        public var statistics: Statistics?
        public var encodingStatistics: [EncodingStatistics] = []
        public var offsetIndexOffset: Int?
        public var offsetIndexBytes: Int?
        public var columnIndexOffset: Int?
        public var columnIndexBytes: Int?
        public var bloomFilterOffset: Int?
        /// Header and bits; nil in files of older writers.
        public var bloomFilterBytes: Int?
        public var keyValueMetadata: [String: String] = [:]
        public var sizeStatistics: SizeStatistics?

        public init() {}
    }

    /// What a reader must allocate for a chunk or page, and how many of its entries are null at which level.
    public struct SizeStatistics: Sendable, Hashable {
        /// Bytes of all BYTE_ARRAY values, without their lengths and before any encoding; nil for other types.
        public var unencodedByteArrayBytes: Int?
        /// Entries by repetition level; empty when the greatest level is 0 or nothing is known.
        public var repetitionHistogram: [Int] = []
        /// Entries by definition level; empty as above.
        public var definitionHistogram: [Int] = []

        public init() {}
    }

    /// Bounds in PLAIN encoding (byte arrays without their length).
    public struct Statistics: Sendable, Hashable {
        public var minValue: [UInt8]?
        public var maxValue: [UInt8]?
        public var isMinExact: Bool?
        public var isMaxExact: Bool?
        public var nullCount: Int?
        public var distinctCount: Int?
        /// Only for float and double.
        public var nanCount: Int?

        public init() {}
    }

    public struct EncodingStatistics: Sendable, Hashable {
        public var pageType: ParquetPageType
        public var encoding: ParquetEncoding
        public var pageCount: Int

        public init(pageType: ParquetPageType, encoding: ParquetEncoding, pageCount: Int) {
            self.pageType = pageType
            self.encoding = encoding
            self.pageCount = pageCount
        }
    }
}

public enum ParquetPhysicalType: Int32, Sendable {
    case boolean = 0
    case int32 = 1
    case int64 = 2
    case int96 = 3
    case float = 4
    case double = 5
    case byteArray = 6
    case fixedLenByteArray = 7
}

public enum ParquetCodec: Int32, Sendable {
    case uncompressed = 0
    case snappy = 1
    case gzip = 2
    case lzo = 3
    case brotli = 4
    case lz4 = 5
    case zstd = 6
    case lz4Raw = 7
}

public enum ParquetPageType: Int32, Sendable {
    case data = 0
    case index = 1
    case dictionary = 2
    case dataV2 = 3
}

/// A page encoding; numbers without a name here are kept as they are.
public struct ParquetEncoding: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let plain = ParquetEncoding(rawValue: 0)
    public static let plainDictionary = ParquetEncoding(rawValue: 2)
    public static let rle = ParquetEncoding(rawValue: 3)
    /// Deprecated; levels of very old files.
    public static let bitPacked = ParquetEncoding(rawValue: 4)
    public static let deltaBinaryPacked = ParquetEncoding(rawValue: 5)
    public static let deltaLengthByteArray = ParquetEncoding(rawValue: 6)
    public static let deltaByteArray = ParquetEncoding(rawValue: 7)
    public static let rleDictionary = ParquetEncoding(rawValue: 8)
    public static let byteStreamSplit = ParquetEncoding(rawValue: 9)

    private static let names: [Int32: String] = [
        0: "PLAIN", 2: "PLAIN_DICTIONARY", 3: "RLE", 4: "BIT_PACKED", 5: "DELTA_BINARY_PACKED",
        6: "DELTA_LENGTH_BYTE_ARRAY", 7: "DELTA_BYTE_ARRAY", 8: "RLE_DICTIONARY", 9: "BYTE_STREAM_SPLIT",
    ]

    public var description: String { Self.names[rawValue] ?? "ENCODING_\(rawValue)" }
}

/// How a physical value is to be understood.
///
/// Spec: https://github.com/apache/parquet-format/blob/master/LogicalTypes.md
public enum ParquetLogicalType: Hashable, Sendable {
    public enum TimeUnit: Int16, Sendable {
        case millis = 1
        case micros = 2
        case nanos = 3
    }

    case string
    case map
    case list
    case enumeration
    case decimal(scale: Int, precision: Int)
    case date
    case time(isAdjustedToUTC: Bool, unit: TimeUnit)
    case timestamp(isAdjustedToUTC: Bool, unit: TimeUnit)
    case integer(bits: Int, isSigned: Bool)
    /// Always null.
    case null
    case json
    case bson
    case uuid
    case float16
    /// A group of `metadata` and `value`, and of `typed_value` where it is shredded.
    case variant(specificationVersion: Int)
    /// A union member newer than this reader.
    case other(Int)
}
