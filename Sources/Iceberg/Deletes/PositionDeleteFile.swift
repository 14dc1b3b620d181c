import Base
import Columnar
import Parquet
import Storage

/// Position delete files: rows of a data file's path and a position in it.
///
/// Files are read whatever order they are in, though sorted ones, as the spec wants them, let pages be skipped. Columns
/// are found by field id or, in files without ids, by name.
///
/// Spec: https://iceberg.apache.org/spec/#position-delete-files
enum PositionDeleteFile {
    static let schema = Schema(fields: [
        Field(id: DeleteFiles.pathFieldId, name: "file_path", required: true, type: .string),
        Field(id: DeleteFiles.positionFieldId, name: "pos", required: true, type: .long),
    ])

    private static let names = """
        [{"field-id": 2147483546, "names": ["file_path"]}, {"field-id": 2147483545, "names": ["pos"]}]
        """

    /// Positions of one data file.
    static func read(_ file: DataFile, of path: String, store: any ObjectStore) throws -> RowPositions {
        var positions = RowPositions()
        let reader = try open(file, store)
        let filter = Expression.compare(fieldId: DeleteFiles.pathFieldId, .equal, .string(path))
        for group in 0..<reader.rowGroupCount {
            let rows = try reader.readRowGroup(group, projection: schema, filter: filter)
            try forEach(rows, in: file) { _, position in positions.insert(position) }
        }
        return positions
    }

    /// Positions of all data files, by path; nil when they take more than `bytesMax` of memory.
    static func readAll(
        _ file: DataFile, bytesMax: Int, store: any ObjectStore
    ) throws -> [String: RowPositions]? {
        let reader = try open(file, store)
        var found: [String: RowPositions] = [:]
        // Of sorted files, each path is looked up once a batch.
        var path: [UInt8] = []
        var positions: RowPositions?
        var bytes = 0
        func close() {
            if let positions { found[String(decoding: path, as: UTF8.self)] = positions }
            positions = nil
        }
        for group in 0..<reader.rowGroupCount {
            let rows = try reader.rows(group, projection: schema)
            while let batch = try rows.next() {
                try forEach(batch, in: file) { name, position in
                    if positions == nil || !name.elementsEqual(path) {
                        close()
                        path = Array(name)
                        let key = String(decoding: path, as: UTF8.self)
                        // Taken out, so that it is not copied on the first change.
                        positions = found.removeValue(forKey: key) ?? RowPositions()
                    }
                    positions!.insert(position)
                }
                close()
                bytes = found.reduce(0) { $0 + $1.value.byteCount + $1.key.utf8.count + 64 }
                if bytes > bytesMax { return nil }
            }
        }
        return found
    }

    private static func open(_ file: DataFile, _ store: any ObjectStore) throws -> ParquetFileReader {
        try ParquetSource.open(file, nameMapping: try NameMapping(parsing: names), store: store).reader
    }

    private static func forEach(
        _ rows: RecordBatch, in file: DataFile, _ body: (UnsafeBufferPointer<UInt8>, Int64) -> Void
    ) throws(FirnError) {
        guard case .bytes(let offsets, let bytes) = rows.columns[0].storage,
            case .int64(let positions) = rows.columns[1].storage
        else { preconditionFailure("position deletes of other types") }
        let text = bytes.values
        for row in 0..<rows.rowCount {
            let position = positions[row]
            guard position >= 0, position <= RowPositions.positionMax else {
                throw FirnError(
                    .corrupted, "bad_delete_file", "a position delete names the position \(position)",
                    context: ["file": file.path])
            }
            let range = Int(offsets[row])..<Int(offsets[row + 1])
            body(UnsafeBufferPointer(rebasing: text[range]), position)
        }
    }

    /// Writes one file. Paths must come in ascending order.
    final class Writer {
        private let location: String
        private let model: DataFile
        private let sink: any ObjectSink
        private let writer: ParquetFileWriter
        private var paths: Set<String> = []

        /// Rows given to the Parquet writer at once.
        private static let batchRows = 8192

        /// - Parameter model: a data file of the partition.
        init(
            _ location: String, like model: DataFile, options: ParquetWriteOptions, store: any ObjectStore
        ) throws {
            self.location = location
            self.model = model
            let sink = try store.putStream(location)
            self.sink = sink
            writer = ParquetFileWriter(schema: PositionDeleteFile.schema, options: options) { try sink.write($0) }
        }

        var estimatedBytes: Int { writer.estimatedFileBytes }

        func write(_ path: String, _ positions: RowPositions) throws {
            paths.insert(path)
            var builder = BatchBuilder(PositionDeleteFile.schema, rowCapacity: Self.batchRows)
            for position in positions {
                builder.columns[0].append(.string(path))
                builder.columns[1].append(.long(position))
                guard builder.rowCount == Self.batchRows else { continue }
                try writer.write(builder.finish())
                builder = BatchBuilder(PositionDeleteFile.schema, rowCapacity: Self.batchRows)
            }
            if builder.rowCount > 0 { try writer.write(builder.finish()) }
        }

        /// The entry of the finished file, with whole bounds.
        func finish() throws -> DataFile {
            let summary = try writer.close()
            try sink.finish()
            // A position delete file has no sort order id: its order is the spec's.
            var file = DataFile(
                content: .positionDeletes, path: location, partition: model.partition, specId: model.specId,
                recordCount: Int64(summary.rowCount), fileBytes: Int64(summary.fileBytes),
                splitOffsets: summary.splitOffsets.map(Int64.init))
            for (id, column) in summary.columns {
                file.columnSizes[id] = Int64(column.columnBytes)
                file.valueCounts[id] = Int64(column.valueCount)
                file.nullValueCounts[id] = Int64(column.nullCount)
                if let bytes = column.lowerBound.flatMap(SingleValue.encode) { file.lowerBounds[id] = bytes }
                if let bytes = column.upperBound.flatMap(SingleValue.encode) { file.upperBounds[id] = bytes }
            }
            if paths.count == 1 { file.referencedDataFile = paths.first }
            return file
        }

        func abort() { sink.abort() }
    }
}
