import Base
import Columnar
import Parquet
import Storage

/// Reads one data file a row group at a time, as rows of a given schema.
///
/// 1. Columns are found by field id. A file without ids gets them from `schema.name-mapping.default`, or is refused.
/// 2. A column that the file lacks has the value of its identity partition field, else null.
/// 3. A row group is skipped when its statistics exclude the filter. Rows of the others all come back: evaluate the
///    filter on them with `ExpressionEvaluator`.
///
/// Spec: https://iceberg.apache.org/spec/#column-projection
public final class DataFileReader {
    private let schema: Schema
    /// What is read from the file.
    private let stored: Schema
    /// Values of the other columns.
    private let constants: [Int: Value]
    private let predicate: Expression
    private let reader: ParquetFileReader
    private var position = 0
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
        predicate = filter.withoutNegation { id in
            schema.field(id: id).map { $0.type == .float || $0.type == .double } ?? true
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

    /// The rows of the next row group that may match; nil at the end.
    public func next() throws -> RecordBatch? {
        while position < reader.rowGroupCount {
            let index = position
            position += 1
            if mayMatch(index) { return try read(index) }
            rowGroupsSkipped += 1
        }
        return nil
    }

    /// Numbers of the row groups that may match, for readers that share the work.
    public func matchingRowGroups() -> [Int] { (0..<reader.rowGroupCount).filter(mayMatch) }

    /// The rows of one row group.
    public func read(_ rowGroup: Int) throws -> RecordBatch {
        let batch = try reader.readRowGroup(rowGroup, projection: stored)
        if constants.isEmpty {
            return RecordBatch(schema: schema, columns: batch.columns, rowCount: batch.rowCount)
        }
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

    private func mayMatch(_ rowGroup: Int) -> Bool {
        let rows = reader.rowCount(rowGroup: rowGroup)
        return Pruning.mayMatch(predicate) { id in
            if let value = constants[id] { return FieldStatistics(exactly: value) }
            guard let type = schema.field(id: id)?.type, type.isPrimitive,
                schema.chain(to: id) != nil,
                let found = reader.statistics(rowGroup: rowGroup, fieldId: id, as: type)
            else { return nil }
            var statistics = FieldStatistics(
                lower: found.lower, upper: found.upper, mayHaveNull: found.nullCount != 0,
                mayHaveNaN: type == .float || type == .double)
            statistics.dropNaNBounds()
            statistics.allNull = found.nullCount.map { $0 >= rows } ?? false
            return statistics
        }
    }
}
