import Base
import Columnar
import Parquet
import Storage

/// Reads one data file a row group at a time, as rows of a given schema.
///
/// 1. Columns are found by field id. A file without ids gets them from `schema.name-mapping.default`, or is refused.
/// 2. A column that the file lacks has the value of its identity partition field, else null.
/// 3. What the filter says about such columns is settled at once; the rest goes down to the file's statistics, Bloom
///    filters and pages. Exactly the rows that pass come back.
///
/// Spec: https://iceberg.apache.org/spec/#column-projection
public final class DataFileReader {
    private let schema: Schema
    /// What is read from the file.
    private let stored: Schema
    /// Values of the other columns.
    private let constants: [Int: Value]
    /// Over columns of the file.
    private let filter: Expression
    private let reader: ParquetFileReader
    private var position = 0
    private var open: DataFileBatches?
    public private(set) var rowGroupsSkipped = 0

    /// - Parameters:
    ///   - schema: the columns wanted, by field id, with the types wanted.
    ///   - filter: over field ids of the table.
    ///
    /// Throws `.unsupported` for a format other than Parquet (`file_format`) and for a file without field ids in a
    /// table without name mapping (`field_ids`), `.corrupted` for a damaged file, and the store's errors.
    public init(
        _ file: DataFile, spec: PartitionSpec, schema: Schema, filter: Expression = .alwaysTrue,
        nameMapping: NameMapping? = nil, store: any ObjectStore
    ) throws {
        guard file.format == "PARQUET" else {
            throw FirnError(
                .unsupported, "file_format", "data files of format \(file.format) cannot be read",
                context: ["file": file.path])
        }
        let path = file.path
        let read: (Range<Int>) throws -> [UInt8] = { try store.read(path, range: $0) }
        var reader = try ParquetFileReader(fileBytes: Int(file.fileBytes), source: path, read: read)
        var ids = Set(reader.footer.schema.compactMap(\.fieldId))
        if ids.isEmpty, reader.footer.schema.count > 1 {
            guard let nameMapping else {
                throw FirnError(
                    .unsupported, "field_ids", "the file has no field ids and the table no name mapping",
                    context: ["file": path])
            }
            let footer = nameMapping.applied(to: reader.footer)
            ids = Set(footer.schema.compactMap(\.fieldId))
            reader = try ParquetFileReader(
                footer: footer, fileBytes: Int(file.fileBytes), source: path, read: read)
        }
        self.reader = reader
        self.schema = schema
        var constants: [Int: Value] = [:]
        for (field, value) in zip(spec.fields, file.partition)
        where field.transform == .identity && !ids.contains(field.sourceId) {
            constants[field.sourceId] = value
        }
        self.constants = try Self.constants(constants, of: schema, path: path)
        let constantIds = Set(self.constants.keys)
        stored = Schema(schemaId: schema.schemaId, fields: schema.fields.filter { !constantIds.contains($0.id) })
        self.filter = try filter.folding { id in
            constants[id].flatMap { value in (schema.field(id: id)?.type ?? value.plainType).map { (value, $0) } }
        }
    }

    /// The values of top-level columns, in the cases of their types.
    private static func constants(
        _ values: [Int: Value], of schema: Schema, path: String
    ) throws(FirnError) -> [Int: Value] {
        var constants: [Int: Value] = [:]
        for field in schema.fields {
            guard let value = values[field.id] else { continue }
            guard let fitting = value.fitting(field.type) else {
                throw FirnError(
                    .corrupted, "bad_partition_value", "the partition value \(value) is not of type \(field.type)",
                    context: ["file": path, "column": field.name])
            }
            constants[field.id] = fitting
        }
        return constants
    }

    /// A reader for a planned file.
    public convenience init(
        _ task: FileScanTask, schema: Schema, filter: Expression = .alwaysTrue, nameMapping: NameMapping? = nil,
        store: any ObjectStore
    ) throws {
        try self.init(
            task.dataFile, spec: task.spec, schema: schema, filter: filter, nameMapping: nameMapping, store: store)
    }

    public var rowGroupCount: Int { reader.rowGroupCount }

    /// Some more rows that pass the filter; nil at the end. Memory holds one batch and some pages a column or, with a
    /// filter, the rows of a row group that pass.
    public func next() throws -> RecordBatch? {
        while true {
            if let batch = try open?.next() { return batch }
            open = nil
            guard position < reader.rowGroupCount else { return nil }
            let index = position
            position += 1
            if filter == .alwaysTrue {
                open = try batches(index)
            } else if try mayMatch(index) {
                let batch = try read(index)
                if batch.rowCount > 0 { return batch }
            } else {
                rowGroupsSkipped += 1
            }
        }
    }

    /// Rows of one row group, before the filter.
    public func rowCount(rowGroup: Int) -> Int { reader.rowCount(rowGroup: rowGroup) }

    /// Numbers of the row groups that may match, for readers that share the work.
    public func matchingRowGroups() throws -> [Int] { try (0..<reader.rowGroupCount).filter(mayMatch) }

    /// All rows of one row group, whatever the filter, to be read a batch at a time.
    public func batches(_ rowGroup: Int) throws -> DataFileBatches {
        DataFileBatches(rows: try reader.rows(rowGroup, projection: stored), complete: complete)
    }

    /// The rows of one row group that pass the filter.
    public func read(_ rowGroup: Int) throws -> RecordBatch { try readRows(rowGroup).batch }

    /// The rows of one row group that pass the filter, with their numbers within the group; nil for all of them.
    public func readRows(_ rowGroup: Int) throws -> (batch: RecordBatch, rows: [Int32]?) {
        let (batch, rows) = try reader.readRows(rowGroup, projection: stored, filter: filter)
        return (complete(batch), rows)
    }

    /// Adds the columns that the file has no need of.
    private func complete(_ batch: RecordBatch) -> RecordBatch {
        if constants.isEmpty { return RecordBatch(schema: schema, columns: batch.columns, rowCount: batch.rowCount) }
        var columns: [Column] = []
        var storedIndex = 0
        for field in schema.fields {
            if let value = constants[field.id] {
                let builder = ColumnBuilder(field.type, rowCapacity: batch.rowCount)
                for _ in 0..<batch.rowCount { builder.append(value) }
                columns.append(builder.finish())
            } else {
                columns.append(batch.columns[storedIndex])
                storedIndex += 1
            }
        }
        return RecordBatch(schema: schema, columns: columns, rowCount: batch.rowCount)
    }

    private func mayMatch(_ rowGroup: Int) throws -> Bool {
        try filter == .alwaysTrue || reader.mayMatch(rowGroup: rowGroup, filter: filter, projection: stored)
    }
}

/// The rows of one row group of a data file, in order.
public struct DataFileBatches {
    fileprivate let rows: ParquetRowReader
    fileprivate let complete: (RecordBatch) -> RecordBatch

    /// The next rows, some ten thousand of them; nil at the end.
    public func next() throws -> RecordBatch? { try rows.next().map(complete) }
}

extension Value {
    /// The type of a partition value whose column nobody asked for.
    fileprivate var plainType: DataType? {
        switch self {
        // Of any type, since nothing compares with null.
        case .null: .int
        case .boolean: .boolean
        case .int: .int
        case .long: .long
        case .float: .float
        case .double: .double
        case .decimal(_, let scale): .decimal(precision: 38, scale: scale)
        case .date: .date
        case .time: .time
        case .timestamp: .timestamp
        case .timestamptz: .timestamptz
        case .timestampNs: .timestampNs
        case .timestamptzNs: .timestamptzNs
        case .string: .string
        case .uuid: .uuid
        case .binary: .binary
        case .structure, .list, .map: nil
        }
    }
}
