import Base

/// An immutable run of values of one type.
///
/// Layout: every row has a slot, null or not, so row `i` is slot `i` of each buffer. `validity` holds one byte a row,
/// 1 for a value and 0 for null, and is nil when there are no nulls. A null's slot holds a zero value (and an empty
/// range for bytes, lists and maps); a null struct's children are null or zero at that row.
public struct Column: Sendable {
    /// The physical values. Each case names the Iceberg types it carries.
    public enum Storage: Sendable {
        /// boolean: one byte a row, 0 or 1. unknown: as many zeros, all null.
        case boolean(Buffer<UInt8>)
        /// int, date.
        case int32(Buffer<Int32>)
        /// long, time and all timestamps.
        case int64(Buffer<Int64>)
        case float(Buffer<Float>)
        case double(Buffer<Double>)
        /// decimal of any precision, unscaled.
        case decimal(Buffer<Int128>)
        /// string, binary: `offsets` has rows + 1 entries into `bytes`.
        case bytes(offsets: Buffer<Int32>, bytes: Buffer<UInt8>)
        /// uuid (16 bytes, big-endian), fixed: `width` bytes a row.
        case fixed(Buffer<UInt8>, width: Int)
        /// One column a field, each with as many rows as the struct. variant: metadata and value, both binary.
        case structure([Column])
        /// `offsets` has rows + 1 entries into `element`.
        case list(offsets: Buffer<Int32>, element: [Column])
        /// `offsets` has rows + 1 entries into the entries [key, value].
        case map(offsets: Buffer<Int32>, entries: [Column])
    }

    public let type: DataType
    public let rowCount: Int
    public let validity: Buffer<UInt8>?
    public let nullCount: Int
    public let storage: Storage

    /// Preconditions: `storage` is the case that `type` asks for and covers `rowCount` rows; `validity`, when given,
    /// has `rowCount` entries of which `nullCount` are 0.
    public init(type: DataType, rowCount: Int, validity: Buffer<UInt8>?, nullCount: Int, storage: Storage) {
        precondition(validity == nil || validity!.count == rowCount)
        precondition(validity != nil || nullCount == 0)
        self.type = type
        self.rowCount = rowCount
        self.validity = nullCount == 0 ? nil : validity
        self.nullCount = nullCount
        self.storage = storage
    }

    @inlinable public func isNull(_ row: Int) -> Bool {
        guard let validity else { return false }
        return validity[row] == 0
    }

    /// Bytes of memory held by this column and its children.
    public var byteCount: Int {
        let own = validity?.byteCapacity ?? 0
        switch storage {
        case .boolean(let b), .fixed(let b, _): return own + b.byteCapacity
        case .int32(let b): return own + b.byteCapacity
        case .int64(let b): return own + b.byteCapacity
        case .float(let b): return own + b.byteCapacity
        case .double(let b): return own + b.byteCapacity
        case .decimal(let b): return own + b.byteCapacity
        case .bytes(let offsets, let bytes): return own + offsets.byteCapacity + bytes.byteCapacity
        case .structure(let children): return children.reduce(own) { $0 + $1.byteCount }
        case .list(let offsets, let children), .map(let offsets, let children):
            return children.reduce(own + offsets.byteCapacity) { $0 + $1.byteCount }
        }
    }
}

/// Rows of one schema, column by column.
public struct RecordBatch: Sendable {
    public let schema: Schema
    /// In the order of `schema.fields`.
    public let columns: [Column]
    public let rowCount: Int

    public init(schema: Schema, columns: [Column], rowCount: Int) {
        precondition(columns.count == schema.fields.count && columns.allSatisfy { $0.rowCount == rowCount })
        self.schema = schema
        self.columns = columns
        self.rowCount = rowCount
    }

    /// Bytes of memory held.
    public var byteCount: Int { columns.reduce(0) { $0 + $1.byteCount } }
}
