import Base

/// Grows one column. The decoder of a format holds the builders of a row's fields and appends to their buffers
/// directly; this class keeps validity, nesting and undo in one place.
///
/// A builder has exactly one owner at a time. Rows are appended either with `appendNull()`, or by appending the
/// value to `storage` and then calling `endValue()`.
public final class ColumnBuilder {
    /// The growing counterpart of `Column.Storage`.
    public enum Storage {
        case boolean(Buffer<UInt8>)
        case int32(Buffer<Int32>)
        case int64(Buffer<Int64>)
        case float(Buffer<Float>)
        case double(Buffer<Double>)
        case decimal(Buffer<Int128>)
        /// `offsets` starts as [0]; `endValue` appends the end of the value just written to `bytes`.
        case bytes(offsets: Buffer<Int32>, bytes: Buffer<UInt8>)
        case fixed(Buffer<UInt8>, width: Int)
        case structure([ColumnBuilder])
        /// `offsets` starts as [0]; elements go to the child, then `endValue` closes the list.
        case list(offsets: Buffer<Int32>, element: ColumnBuilder)
        case map(offsets: Buffer<Int32>, key: ColumnBuilder, value: ColumnBuilder)
    }

    public let type: DataType
    public let storage: Storage
    public private(set) var rowCount = 0
    public private(set) var nullCount = 0
    /// Created by the first null.
    private var validity: Buffer<UInt8>?

    public init(_ type: DataType, rowCapacity: Int = 0) {
        self.type = type
        storage =
            switch type {
            case .boolean, .unknown: .boolean(Buffer(capacity: rowCapacity))
            case .int, .date: .int32(Buffer(capacity: rowCapacity))
            case .long, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs:
                .int64(Buffer(capacity: rowCapacity))
            case .float: .float(Buffer(capacity: rowCapacity))
            case .double: .double(Buffer(capacity: rowCapacity))
            case .decimal: .decimal(Buffer(capacity: rowCapacity))
            case .string, .binary:
                .bytes(offsets: Self.startingOffsets(rowCapacity), bytes: Buffer(capacity: rowCapacity * 8))
            case .uuid: .fixed(Buffer(capacity: rowCapacity * 16), width: 16)
            case .fixed(let width): .fixed(Buffer(capacity: rowCapacity * width), width: width)
            case .structure(let type):
                .structure(type.fields.map { ColumnBuilder($0.type, rowCapacity: rowCapacity) })
            case .variant:
                .structure([
                    ColumnBuilder(.binary, rowCapacity: rowCapacity), ColumnBuilder(.binary, rowCapacity: rowCapacity),
                ])
            case .list(let type):
                .list(offsets: Self.startingOffsets(rowCapacity), element: ColumnBuilder(type.element))
            case .map(let type):
                .map(
                    offsets: Self.startingOffsets(rowCapacity), key: ColumnBuilder(type.key),
                    value: ColumnBuilder(type.value))
            }
    }

    private static func startingOffsets(_ rows: Int) -> Buffer<Int32> {
        let offsets = Buffer<Int32>(capacity: rows + 1)
        offsets.append(0)
        return offsets
    }

    /// Accepts the value just appended to `storage` as one row.
    @inlinable public func endValue() {
        closeOffsets()
        countRow(valid: true)
    }

    /// Appends a null row, with a zero slot in every buffer beneath.
    public func appendNull() {
        switch storage {
        case .boolean(let b): b.append(0)
        case .int32(let b): b.append(0)
        case .int64(let b): b.append(0)
        case .float(let b): b.append(0)
        case .double(let b): b.append(0)
        case .decimal(let b): b.append(0)
        case .fixed(let b, let width): b.append(repeating: 0, count: width)
        case .bytes, .list, .map: closeOffsets()
        case .structure(let children): for child in children { child.appendNull() }
        }
        countRow(valid: false)
    }

    @usableFromInline func closeOffsets() {
        switch storage {
        case .bytes(let offsets, let bytes): offsets.append(Int32(bytes.count))
        case .list(let offsets, let element): offsets.append(Int32(element.rowCount))
        case .map(let offsets, let key, let value):
            precondition(key.rowCount == value.rowCount, "a map's keys and values differ in number")
            offsets.append(Int32(key.rowCount))
        default: break
        }
    }

    @usableFromInline func countRow(valid: Bool) {
        if let validity {
            validity.append(valid ? 1 : 0)
        } else if !valid {
            let bits = Buffer<UInt8>(capacity: max(rowCount + 1, 64))
            bits.append(repeating: 1, count: rowCount)
            bits.append(0)
            validity = bits
        }
        rowCount += 1
        if !valid { nullCount += 1 }
    }

    /// Undoes rows from the end until `rows` are left, at every depth, and drops the unfinished value beyond them.
    public func truncate(to rows: Int) {
        precondition(rows <= rowCount)
        if let validity, rows < rowCount {
            for row in rows..<rowCount where validity[row] == 0 { nullCount -= 1 }
            validity.truncate(to: rows)
        }
        rowCount = rows
        switch storage {
        case .boolean(let b): b.truncate(to: rows)
        case .int32(let b): b.truncate(to: rows)
        case .int64(let b): b.truncate(to: rows)
        case .float(let b): b.truncate(to: rows)
        case .double(let b): b.truncate(to: rows)
        case .decimal(let b): b.truncate(to: rows)
        case .fixed(let b, let width): b.truncate(to: rows * width)
        case .bytes(let offsets, let bytes):
            offsets.truncate(to: rows + 1)
            bytes.truncate(to: Int(offsets[rows]))
        case .structure(let children): for child in children { child.truncate(to: rows) }
        case .list(let offsets, let element):
            offsets.truncate(to: rows + 1)
            element.truncate(to: Int(offsets[rows]))
        case .map(let offsets, let key, let value):
            offsets.truncate(to: rows + 1)
            key.truncate(to: Int(offsets[rows]))
            value.truncate(to: Int(offsets[rows]))
        }
    }

    /// The finished column. The builder must not be used afterwards: the column shares its buffers.
    public func finish() -> Column {
        let storage: Column.Storage =
            switch storage {
            case .boolean(let b): .boolean(b)
            case .int32(let b): .int32(b)
            case .int64(let b): .int64(b)
            case .float(let b): .float(b)
            case .double(let b): .double(b)
            case .decimal(let b): .decimal(b)
            case .bytes(let offsets, let bytes): .bytes(offsets: offsets, bytes: bytes)
            case .fixed(let b, let width): .fixed(b, width: width)
            case .structure(let children): .structure(children.map { $0.finish() })
            case .list(let offsets, let element): .list(offsets: offsets, element: [element.finish()])
            case .map(let offsets, let key, let value):
                .map(offsets: offsets, entries: [key.finish(), value.finish()])
            }
        return Column(type: type, rowCount: rowCount, validity: validity, nullCount: nullCount, storage: storage)
    }
}

/// The builders of all columns of a schema.
public final class BatchBuilder {
    public let schema: Schema
    public let columns: [ColumnBuilder]

    public init(_ schema: Schema, rowCapacity: Int = 0) {
        self.schema = schema
        columns = schema.fields.map { ColumnBuilder($0.type, rowCapacity: rowCapacity) }
        emptyRows = 0
    }

    /// Rows of a schema without columns.
    private var emptyRows: Int
    public var rowCount: Int { columns.first?.rowCount ?? emptyRows }

    public func truncate(to rows: Int) {
        for column in columns { column.truncate(to: rows) }
    }

    /// The finished batch. The builder must not be used afterwards.
    public func finish() -> RecordBatch {
        RecordBatch(schema: schema, columns: columns.map { $0.finish() }, rowCount: rowCount)
    }
}
