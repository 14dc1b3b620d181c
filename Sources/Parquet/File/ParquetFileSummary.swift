import Columnar

/// What a finished file holds, exact.
public struct ParquetFileSummary: Sendable {
    public let rowCount: Int
    public let fileBytes: Int
    /// The start of every row group, ascending; the first is 4.
    public let splitOffsets: [Int]
    /// By field id of the leaf, primitive fields only.
    public let columns: [Int: ColumnMetrics]

    public init(rowCount: Int, fileBytes: Int, splitOffsets: [Int], columns: [Int: ColumnMetrics]) {
        self.rowCount = rowCount
        self.fileBytes = fileBytes
        self.splitOffsets = splitOffsets
        self.columns = columns
    }
}

/// Metrics of one leaf over a whole file.
public struct ColumnMetrics: Sendable, Hashable {
    /// Bytes of its column chunks as stored, page headers included.
    public var columnBytes: Int
    /// Values, nulls and NaNs included. Inside a list or map, one for every level entry.
    public var valueCount: Int
    public var nullCount: Int
    /// Only for float and double.
    public var nanCount: Int?
    /// Whole (never cut), never NaN; a zero is -0.0. Nil without a value, under `.none` and `.counts`, and for a leaf
    /// inside a list or map.
    public var lowerBound: Value?
    /// As `lowerBound`; a zero is +0.0.
    public var upperBound: Value?
    /// True for a leaf inside a list or map; Iceberg's own writers leave out the metrics of those.
    public var isRepeated: Bool

    public init(
        columnBytes: Int, valueCount: Int, nullCount: Int, nanCount: Int? = nil, lowerBound: Value? = nil,
        upperBound: Value? = nil, isRepeated: Bool = false
    ) {
        self.columnBytes = columnBytes
        self.valueCount = valueCount
        self.nullCount = nullCount
        self.nanCount = nanCount
        self.lowerBound = lowerBound
        self.upperBound = upperBound
        self.isRepeated = isRepeated
    }
}
