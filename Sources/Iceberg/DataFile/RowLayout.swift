import Base
import Columnar

/// Where each column of the wanted schema comes from, for one data file.
///
/// A column that the file lacks has the value of its identity partition field, else, as the Parquet reader sees to, its
/// initial default, else null. Metadata columns come from the file's entry and the place of a row; stored row ids and
/// sequence numbers, which rewritten files have, win where they are not null.
///
/// Spec: https://iceberg.apache.org/spec/#column-projection, https://iceberg.apache.org/spec/#row-lineage
struct RowLayout {
    private enum Source {
        /// A column of the file, by its place in `stored`.
        case stored(Int)
        case constant(Value)
        case position
        /// `first` plus the position of the row, where the file stores nothing else.
        case rowId(first: Int64, stored: Int?)
        /// One number for all rows, where the file stores nothing else.
        case number(Int64, stored: Int)
    }

    let schema: Schema
    /// What is read from the file: its part of `schema`, then the columns that equality deletes compare.
    let stored: Schema
    /// Values of columns that are the same in all rows, and their types; also of columns outside `schema`.
    let constants: [Int: (value: Value, type: DataType)]
    private var sources: [Source] = []
    /// The columns that equality deletes compare: by place in `stored`, or constant.
    private var compared: [(field: Field, source: Source)] = []
    /// True when the rows read from the file are the wanted ones.
    private let isPlain: Bool

    /// - Parameters:
    ///   - fieldIds: those that the file has.
    ///   - sequenceNumber: the data sequence number.
    ///
    /// Throws `.corrupted` (`bad_partition_value`).
    init(
        schema: Schema, file: DataFile, spec: PartitionSpec, sequenceNumber: Int64?, fieldIds: Set<Int>,
        comparedColumns: [Field]
    ) throws(FirnError) {
        self.schema = schema
        var constants: [Int: (value: Value, type: DataType)] = [:]
        for (field, value) in zip(spec.fields, file.partition)
        where field.transform == .identity && !fieldIds.contains(field.sourceId) {
            guard let type = schema.field(id: field.sourceId)?.type ?? value.plainType else { continue }
            guard let fitting = value.fitting(type) else {
                throw FirnError(
                    .corrupted, "bad_partition_value", "the partition value \(value) is not of type \(type)",
                    context: ["file": file.path, "column": schema.path(id: field.sourceId) ?? field.name])
            }
            constants[field.sourceId] = (fitting, type)
        }
        for column in MetadataColumn.allCases {
            if let value = Self.constant(column, file, sequenceNumber, fieldIds) {
                constants[column.fieldId] = (value, column.field.type)
            }
        }
        self.constants = constants
        var stored: [Field] = []
        for var field in schema.fields {
            let isStored = fieldIds.contains(field.id)
            if let constant = constants[field.id] {
                sources.append(.constant(constant.value))
                continue
            }
            switch MetadataColumn(fieldId: field.id) {
            case .position?: sources.append(.position)
            case .rowId?:
                sources.append(.rowId(first: file.firstRowId ?? 0, stored: isStored ? stored.count : nil))
                field.required = false
                if isStored { stored.append(field) }
            case .lastUpdatedSequenceNumber?:
                sources.append(.number(sequenceNumber ?? 0, stored: stored.count))
                field.required = false
                stored.append(field)
            case .file?, nil:
                sources.append(.stored(stored.count))
                stored.append(field)
            }
        }
        let wantedCount = stored.count
        for column in comparedColumns {
            if let constant = constants[column.id] {
                compared.append((Field(like: column, constant.type), .constant(constant.value)))
            } else if let place = stored.firstIndex(where: { Self.covers($0, column) }) {
                compared.append((stored[place], .stored(place)))
            } else {
                compared.append((column, .stored(stored.count)))
                stored.append(column)
            }
        }
        isPlain =
            wantedCount == schema.fields.count && sources.allSatisfy { if case .stored = $0 { true } else { false } }
        self.stored = Schema(schemaId: schema.schemaId, fields: stored)
    }

    /// A metadata column with one value in all rows; nil for one that differs by row.
    private static func constant(
        _ column: MetadataColumn, _ file: DataFile, _ sequenceNumber: Int64?, _ fieldIds: Set<Int>
    ) -> Value? {
        switch column {
        case .file: return .string(file.path)
        case .position: return nil
        case .rowId: return file.firstRowId == nil ? .null : nil
        case .lastUpdatedSequenceNumber:
            guard file.firstRowId != nil, let sequenceNumber else { return .null }
            return fieldIds.contains(column.fieldId) ? nil : .long(sequenceNumber)
        }
    }

    /// True when a field that is read holds a compared one, so that both are found by the same way down.
    private static func covers(_ field: Field, _ compared: Field) -> Bool {
        guard field.id == compared.id else { return false }
        guard case .structure(let type) = field.type, case .structure(let wanted) = compared.type else {
            return field.type == compared.type
        }
        return wanted.fields.allSatisfy { child in type.fields.contains { covers($0, child) } }
    }

    /// True when a column of the schema is read from the file, by its place.
    func isStored(_ index: Int) -> Bool {
        if case .stored = sources[index] { return true }
        return false
    }

    /// The columns that equality deletes compare, of rows read from the file.
    func compared(_ batch: RecordBatch) -> RecordBatch {
        let columns = compared.map { field, source in
            switch source {
            case .stored(let index): batch.columns[index]
            case .constant(let value): Self.column(field.type, value, count: batch.rowCount)
            case .position, .rowId, .number: preconditionFailure("a compared column is a metadata column")
            }
        }
        return RecordBatch(
            schema: Schema(fields: compared.map(\.field)), columns: columns, rowCount: batch.rowCount)
    }

    /// The wanted columns of rows read from the file.
    ///
    /// - Parameters:
    ///   - batch: has the columns of `stored`.
    ///   - position: tells the position in the file of a row of the batch.
    func complete(_ batch: RecordBatch, position: (Int) -> Int64) -> RecordBatch {
        if isPlain {
            let columns = Array(batch.columns.prefix(schema.fields.count))
            return RecordBatch(schema: schema, columns: columns, rowCount: batch.rowCount)
        }
        var columns: [Column] = []
        for (field, source) in zip(schema.fields, sources) {
            switch source {
            case .stored(let index): columns.append(batch.columns[index])
            case .constant(let value): columns.append(Self.column(field.type, value, count: batch.rowCount))
            case .position: columns.append(Self.column(nil, batch.rowCount, position))
            case .rowId(let first, let stored):
                columns.append(Self.column(stored.map { batch.columns[$0] }, batch.rowCount) { first + position($0) })
            case .number(let number, let stored):
                columns.append(Self.column(batch.columns[stored], batch.rowCount) { _ in number })
            }
        }
        return RecordBatch(schema: schema, columns: columns, rowCount: batch.rowCount)
    }

    /// Stored longs, with the gaps filled.
    private static func column(_ stored: Column?, _ count: Int, _ value: (Int) -> Int64) -> Column {
        let values = Buffer<Int64>(capacity: count)
        if let stored, case .int64(let known) = stored.storage {
            for row in 0..<count { values.append(stored.isNull(row) ? value(row) : known[row]) }
        } else {
            for row in 0..<count { values.append(value(row)) }
        }
        return Column(type: .long, rowCount: count, validity: nil, nullCount: 0, storage: .int64(values))
    }

    static func column(_ type: DataType, _ value: Value, count: Int) -> Column {
        let builder = ColumnBuilder(type, rowCapacity: count)
        for _ in 0..<count { builder.append(value) }
        return builder.finish()
    }
}

extension Field {
    /// The field with another type.
    fileprivate init(like field: Field, _ type: DataType) {
        self = field
        self.type = type
    }
}

extension Value {
    /// The type of a partition value whose column nobody asked for.
    var plainType: DataType? {
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
