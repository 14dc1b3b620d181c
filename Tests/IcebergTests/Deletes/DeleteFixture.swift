import Base
import Columnar
import Parquet
import Storage

@testable import Iceberg

/// Real data and delete files in memory, and the entries that name them.
final class DeleteFixture {
    let store = MemoryStore()
    var metadata: TableMetadata
    private(set) var data: [FileScanTask] = []
    var index: DeleteIndex
    private var counter = 0

    init(
        _ schema: String = "id long required, name string, v double, s struct<a int, b string>",
        version: Int = 2, spec: PartitionSpec = .unpartitioned, properties: [String: String] = [:]
    ) throws {
        metadata = try TableMetadata.create(
            schema: ShortSchema.parse(schema), spec: spec, location: "file:///w/t",
            properties: properties, uuid: UUID(high: 0, low: 1), nowMs: 0)
        metadata.formatVersion = version
        index = DeleteIndex(metadata: metadata)
    }

    private func nextPath(_ name: String) -> String {
        counter += 1
        return "file:///w/t/data/\(counter)-\(name)"
    }

    /// A batch of the current schema, or of another.
    func batch(_ rows: [[Value]], _ schema: Schema? = nil) -> RecordBatch {
        let builder = BatchBuilder(schema ?? metadata.currentSchema)
        for row in rows { for (column, value) in zip(builder.columns, row) { column.append(value) } }
        return builder.finish()
    }

    /// Writes a Parquet file of any content.
    func parquet(
        _ name: String, _ rows: [[Value]], _ schema: Schema, rowGroupRows: Int = 1 << 20
    ) throws -> DataFile {
        let path = nextPath(name)
        var bytes: [UInt8] = []
        var options = ParquetWriteOptions()
        options.rowGroupRowsMax = rowGroupRows
        options.metricsDefault = .full
        let writer = ParquetFileWriter(schema: schema, options: options) { bytes += $0 }
        try writer.write(batch(rows, schema))
        let summary = try writer.close()
        try store.put(path, bytes)
        var file = DataFile(
            path: path, partition: [], specId: metadata.defaultSpecId, recordCount: Int64(rows.count),
            fileBytes: Int64(bytes.count))
        for (id, column) in summary.columns {
            file.valueCounts[id] = Int64(column.valueCount)
            file.nullValueCounts[id] = Int64(column.nullCount)
            if let nans = column.nanCount { file.nanValueCounts[id] = Int64(nans) }
            file.lowerBounds[id] = column.lowerBound.flatMap(SingleValue.encode)
            file.upperBounds[id] = column.upperBound.flatMap(SingleValue.encode)
        }
        return file
    }

    func entry(_ file: DataFile, sequence: Int64) -> ManifestEntry {
        ManifestEntry(
            status: .added, snapshotId: 1, sequenceNumber: sequence, fileSequenceNumber: sequence, dataFile: file)
    }

    /// A data file with these rows.
    @discardableResult func add(
        _ rows: [[Value]], schema: Schema? = nil, sequence: Int64 = 1, partition: [Value] = [],
        firstRowId: Int64? = nil,
        rowGroupRows: Int = 1 << 20
    ) throws -> DataFile {
        var file = try parquet(
            "data.parquet", rows, schema ?? metadata.currentSchema, rowGroupRows: rowGroupRows)
        file.partition = partition
        file.firstRowId = firstRowId
        data.append(FileScanTask(dataFile: file, sequenceNumber: sequence, spec: metadata.defaultSpec))
        return file
    }

    /// A position delete file with these rows, in this order.
    @discardableResult func deletePositions(
        _ rows: [(String, Int64)], sequence: Int64 = 2, partition: [Value] = [], isReferenced: Bool = false,
        bounds: Bool = true
    ) throws -> DataFile {
        var file = try parquet(
            "pos.parquet", rows.map { [.string($0.0), .long($0.1)] }, PositionDeleteFile.schema, rowGroupRows: 1000)
        file.content = .positionDeletes
        file.partition = partition
        if isReferenced { file.referencedDataFile = rows[0].0 }
        if !bounds { (file.lowerBounds, file.upperBounds) = ([:], [:]) }
        try index.add(entry(file, sequence: sequence))
        return file
    }

    /// An equality delete file over these columns.
    @discardableResult func deleteEqual(
        _ rows: [[Value]], ids: [Int], fields: [Field], sequence: Int64 = 2, partition: [Value] = [], specId: Int = 0
    ) throws -> DataFile {
        var file = try parquet("eq.parquet", rows, Schema(fields: fields))
        file.content = .equalityDeletes
        file.equalityIds = ids
        file.partition = partition
        file.specId = specId
        try index.add(entry(file, sequence: sequence))
        return file
    }

    /// A deletion vector for a data file.
    @discardableResult func deleteVector(
        _ positions: RowPositions, of path: String, sequence: Int64 = 2
    ) throws -> DataFile {
        let location = nextPath("dv.puffin")
        var bytes: [UInt8] = []
        var writer = try PuffinWriter(createdBy: "test") { bytes += $0 }
        let blob = try writer.add(
            DeletionVector.blob(dataFile: path, cardinality: positions.count), DeletionVector.encode(positions))
        try writer.finish()
        try store.put(location, bytes)
        var file = DataFile(
            content: .positionDeletes, path: location, format: "PUFFIN", recordCount: Int64(positions.count),
            fileBytes: Int64(bytes.count))
        file.referencedDataFile = path
        file.contentOffset = Int64(blob.offset)
        file.contentBytes = Int64(blob.length)
        try index.add(entry(file, sequence: sequence))
        return file
    }

    /// Starts a new index, after a change of the table.
    func reindex() { index = DeleteIndex(metadata: metadata) }

    func tasks() throws -> [FileScanTask] {
        try data.map { try index.task($0.dataFile, sequenceNumber: $0.sequenceNumber, spec: $0.spec) }
    }

    /// All rows that are left, in order.
    func rows(
        _ columns: [Field]? = nil, filter: Predicate = .alwaysTrue, loader: DeleteLoader? = nil
    ) throws -> [[Value]] {
        let schema = Schema(fields: columns ?? metadata.currentSchema.fields)
        var rows: [[Value]] = []
        for task in try tasks() {
            let reader = try DataFileReader(task, schema: schema, filter: filter, loader: loader, store: store)
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount { rows.append(batch.columns.map { $0.value(at: row) }) }
            }
        }
        return rows
    }

    /// The first column of all rows that are left.
    func ids(filter: Predicate = .alwaysTrue, loader: DeleteLoader? = nil) throws -> [Int64] {
        try rows([metadata.currentSchema.fields[0]], filter: filter, loader: loader).map {
            guard case .long(let id) = $0[0] else { return -1 }
            return id
        }
    }

    static func row(_ id: Int64, _ name: String? = nil, _ v: Double? = nil, a: Int32? = nil) -> [Value] {
        [
            .long(id), name.map { .string($0) } ?? .null, v.map { .double($0) } ?? .null,
            a.map { .structure([.int($0), .null]) } ?? .null,
        ]
    }
}
