import Base
import Columnar
import Parquet
import Storage

/// Reads one data file a row group at a time, as rows of a given schema, without the rows that are deleted.
///
/// 1. Columns are found by field id. A file without ids gets them from `schema.name-mapping.default`, or is refused.
/// 2. `RowLayout` says where every column comes from: the file, its partition tuple, or its entry.
/// 3. What the filter says about columns of one value is settled at once. What it says about columns of the file goes
///    down to statistics, Bloom filters and pages; the rest, about positions and row ids, is evaluated on what is left.
/// 4. Deleted rows are dropped from every batch (`RowDeletes`). Exactly the rows that pass come back.
///
/// Spec: https://iceberg.apache.org/spec/#column-projection
public final class DataFileReader {
    let layout: RowLayout
    /// Over columns of the file.
    private let filter: Expression
    /// Over columns of the layout that the file does not have.
    private let rest: Expression
    /// The columns that `rest` needs, with the wanted ones first.
    private let restLayout: RowLayout?
    let deletes: RowDeletes?
    let reader: ParquetFileReader
    /// A reader of other columns of the same file, with the same deletes.
    let reopened: (Schema) throws -> DataFileReader
    /// Of the first row of each row group.
    private let firstPositions: [Int64]
    private var position = 0
    private var open: DataFileBatches?
    public private(set) var rowGroupsSkipped = 0

    /// A reader for a planned file.
    ///
    /// - Parameters:
    ///   - schema: the columns wanted, by field id, with the types wanted; `MetadataColumn`s among them.
    ///   - filter: over field ids of `schema`, of the file, and of metadata columns; another column counts as null.
    ///   - loader: what the readers of a scan share; nil for one of its own.
    ///
    /// Throws `.unsupported` for a format other than Parquet (`file_format`) and for a file without field ids in a
    /// table without name mapping (`field_ids`), `.corrupted` for a damaged file, what `DeleteLoader` throws, and the
    /// store's errors.
    public init(
        _ task: FileScanTask, schema: Schema, filter: Expression = .alwaysTrue, nameMapping: NameMapping? = nil,
        loader: DeleteLoader? = nil, store: any ObjectStore
    ) throws {
        let file = task.dataFile
        let (reader, ids) = try ParquetSource.open(file, nameMapping: nameMapping, store: store)
        self.reader = reader
        reopened = {
            try DataFileReader(task, schema: $0, nameMapping: nameMapping, loader: loader, store: store)
        }
        func layout(_ schema: Schema) throws(FirnError) -> RowLayout {
            try RowLayout(
                schema: schema, file: file, spec: task.spec, sequenceNumber: task.sequenceNumber, fieldIds: ids,
                comparedColumns: task.comparedColumns)
        }
        let wanted = try layout(schema)
        self.layout = wanted
        let folded = try filter.folding { id in wanted.constants[id].map { ($0.value, $0.type) } }
        var parts: (pushed: [Expression], rest: [Expression]) = ([], [])
        for part in folded.conjuncts {
            let isPushed = part.fieldIds.allSatisfy { MetadataColumn(fieldId: $0) == nil }
            if isPushed { parts.pushed.append(part) } else { parts.rest.append(part) }
        }
        self.filter = .all(parts.pushed)
        rest = .all(parts.rest)
        restLayout = parts.rest.isEmpty ? nil : try layout(schema.adding(rest.fieldIds, from: reader))
        if task.deletes.isEmpty {
            deletes = nil
        } else {
            let loader = loader ?? DeleteLoader(store: store, nameMapping: nameMapping)
            deletes = RowDeletes(try loader.load(task), sequenceNumber: task.sequenceNumber)
        }
        var firstPositions: [Int64] = []
        var rows: Int64 = 0
        for group in 0..<reader.rowGroupCount {
            firstPositions.append(rows)
            rows += Int64(reader.rowCount(rowGroup: group))
        }
        self.firstPositions = firstPositions
    }

    /// A reader for a file to which no deletes apply.
    public convenience init(
        _ file: DataFile, spec: PartitionSpec, schema: Schema, filter: Expression = .alwaysTrue,
        nameMapping: NameMapping? = nil, store: any ObjectStore
    ) throws {
        try self.init(
            FileScanTask(dataFile: file, sequenceNumber: 0, spec: spec), schema: schema, filter: filter,
            nameMapping: nameMapping, store: store)
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
            if try mayMatch(index) { open = try batches(index) } else { rowGroupsSkipped += 1 }
        }
    }

    /// Rows of one row group, before the filter and with those that are deleted.
    public func rowCount(rowGroup: Int) -> Int { reader.rowCount(rowGroup: rowGroup) }

    /// Numbers of the row groups that may match, for readers that share the work.
    public func matchingRowGroups() throws -> [Int] { try (0..<reader.rowGroupCount).filter(mayMatch) }

    /// The rows of one row group that pass the filter: a batch at a time or, when the file's pages take part in the
    /// filter, all at once.
    public func batches(_ rowGroup: Int) throws -> DataFileBatches {
        DataFileBatches(reader: self, rowGroup: rowGroup, isStreamed: filter == .alwaysTrue)
    }

    /// The hash that the file's footer has for its rows, all of them, as rows of the wanted columns that are the
    /// table's.
    public var storedRowHash: RowHash? {
        let schema = layout.schema
        return StoredRowHash.read(
            reader.footer, as: Schema(fields: Array(schema.fields.prefix(StoredRowHash.columns(of: schema)))))
    }

    /// The fingerprint of all rows that are left, with the first `columns` of the schema or all of them.
    ///
    /// Columns of the file are hashed page by page, without making rows of them.
    ///
    /// - Parameter checkpoint: called once a row group.
    public func rowHash(columns: Int? = nil, checkpoint: () throws -> Void = {}) throws -> RowHash {
        let count = columns ?? layout.schema.fields.count
        let fields = layout.schema.fields.prefix(count)
        let rest = fields.indices.filter { !layout.isStored($0) }.map { fields[$0] }
        var hash = RowHash()
        for group in 0..<rowGroupCount {
            if deletes == nil, filter == .alwaysTrue, reader.sumsRows(of: group) {
                let sums = RowSums(rowCount: rowCount(rowGroup: group))
                for index in fields.indices where layout.isStored(index) {
                    try reader.add(fields[index], group, to: sums)
                }
                if !rest.isEmpty { try add(rest, group, to: sums) }
                hash.add(sums, count: sums.rowCount)
            } else {
                let batches = try batches(group)
                while let batch = try batches.next() { hash.add(batch, rows: 0..<batch.rowCount, columns: count) }
            }
            try checkpoint()
        }
        return hash
    }

    /// Adds columns that are not the file's.
    private func add(_ fields: [Field], _ rowGroup: Int, to sums: RowSums) throws {
        let batches = try reopened(Schema(fields: fields)).batches(rowGroup)
        var row = 0
        while let batch = try batches.next() {
            for (field, column) in zip(fields, batch.columns) {
                sums.add(column, field.id, field.type, rows: 0..<batch.rowCount, at: row)
            }
            row += batch.rowCount
        }
    }

    /// Decodes one row group.
    fileprivate func rows(_ rowGroup: Int) throws -> ParquetRowReader {
        try reader.rows(rowGroup, projection: (restLayout ?? layout).stored)
    }

    fileprivate func filteredRows(_ rowGroup: Int) throws -> (batch: RecordBatch, rows: [Int32]?) {
        try reader.readRows(rowGroup, projection: (restLayout ?? layout).stored, filter: filter)
    }

    /// What is left of rows read from a row group.
    ///
    /// - Parameters:
    ///   - start: the number within the group of row 0 of `rows`, or of the batch.
    ///   - rows: where each row of the batch stands behind `start`; nil for row i at `start` + i.
    fileprivate func finish(
        _ batch: RecordBatch, rowGroup: Int, start: Int, rows: [Int32]?
    ) throws -> (batch: RecordBatch, rows: [Int32]?) {
        var (batch, rows) = (batch, rows)
        let first = firstPositions[rowGroup] + Int64(start)
        func keep(_ left: [Int32]) {
            batch = batch.taking(left)
            rows = rows.map { rows in left.map { rows[Int($0)] } } ?? left
        }
        let source = restLayout ?? layout
        if let left = deletes?.left(source.compared(batch), first: first, rows: rows) { keep(left) }
        var result = source.complete(batch) { row in first + Int64(rows.map { Int($0[row]) } ?? row) }
        guard restLayout != nil else { return (result, rows) }
        let passing = try ExpressionEvaluator(rest).select(result)
        if passing.count < result.rowCount {
            batch = result
            keep(passing)
            result = batch
        }
        let columns = Array(result.columns.prefix(layout.schema.fields.count))
        return (RecordBatch(schema: layout.schema, columns: columns, rowCount: result.rowCount), rows)
    }

    private func mayMatch(_ rowGroup: Int) throws -> Bool {
        let first = firstPositions[rowGroup]
        if let deletes, deletes.deletesAll(of: first..<first + Int64(rowCount(rowGroup: rowGroup))) { return false }
        return try filter == .alwaysTrue
            || reader.mayMatch(rowGroup: rowGroup, filter: filter, projection: layout.stored)
    }
}

/// The rows of one row group of a data file, in order.
public final class DataFileBatches {
    private let reader: DataFileReader
    private let rowGroup: Int
    private let isStreamed: Bool
    private var stream: ParquetRowReader?
    private var row = 0
    private var isAtEnd = false

    fileprivate init(reader: DataFileReader, rowGroup: Int, isStreamed: Bool) {
        self.reader = reader
        self.rowGroup = rowGroup
        self.isStreamed = isStreamed
    }

    /// The next rows, at least one; nil at the end.
    public func next() throws -> RecordBatch? { try nextNumbered()?.batch }

    /// The next rows with their numbers within the row group: row i has `start` + i or, with `rows`, `start` +
    /// `rows[i]`.
    public func nextNumbered() throws -> (batch: RecordBatch, start: Int, rows: [Int32]?)? {
        while !isAtEnd {
            let start = row
            let read: RecordBatch
            var rows: [Int32]?
            if isStreamed {
                if stream == nil { stream = try reader.rows(rowGroup) }
                guard let batch = try stream?.next() else {
                    isAtEnd = true
                    break
                }
                read = batch
                row += batch.rowCount
            } else {
                isAtEnd = true
                (read, rows) = try reader.filteredRows(rowGroup)
            }
            let (batch, left) = try reader.finish(read, rowGroup: rowGroup, start: start, rows: rows)
            if batch.rowCount > 0 { return (batch, start, left) }
        }
        return nil
    }
}

extension Expression {
    /// The parts that must all pass.
    fileprivate var conjuncts: [Expression] {
        switch self {
        case .and(let a, let b): a.conjuncts + b.conjuncts
        case .alwaysTrue: []
        default: [self]
        }
    }
}

extension Schema {
    /// This schema with further columns behind it: metadata columns by their ids, others as the file has them.
    fileprivate func adding(_ ids: Set<Int>, from reader: ParquetFileReader) throws -> Schema {
        var schema = self
        let known = Set(allFields.map(\.field.id))
        for id in ids.subtracting(known).sorted() {
            if let column = MetadataColumn(fieldId: id) {
                schema.fields.append(column.field)
            } else if let top = try reader.fileSchema().chain(to: id)?.first {
                schema.fields.append(top)
            }
        }
        return schema
    }
}
