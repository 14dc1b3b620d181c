import Base
import Columnar
import Parquet
import Storage

/// Writes rows into Parquet data files, one or more a partition.
///
/// 1. Small batches are gathered until they make one of some thousand rows: a batch has its price in every column.
/// 2. A batch's rows are grouped by partition.
/// 3. Each group goes to its partition's open file. A file is finished when it reaches
///    `write.target-file-size-bytes`, when too many files are open (the one unused for longest goes), or when all open
///    files together buffer too much (the largest goes).
/// 4. A finished file is durable and becomes a `DataFile` with its metrics.
///
/// One owner, one thread at a time. After a throw, call `abort`; files finished before are durable but nobody names
/// them, so whoever chose their locations must delete them.
public final class DataFileWriter {
    /// Bounds on what is open at one time.
    public struct Limits: Sendable {
        public var openFilesMax: Int
        public var bufferedBytesMax: Int

        public init(openFilesMax: Int = 32, bufferedBytesMax: Int = 256 << 20) {
            self.openFilesMax = openFilesMax
            self.bufferedBytesMax = bufferedBytesMax
        }
    }

    private let schema: Schema
    private let spec: PartitionSpec
    private let partitionFields: [Field]
    private let sortOrderId: Int?
    private let metrics: FileMetrics
    private let options: ParquetWriteOptions
    private let fileBytesTarget: Int
    private let limits: Limits
    private let store: any ObjectStore
    private let path: (String, Int) throws -> String
    /// By partition tuple, in bytes, so that NaN equals itself.
    private var open: [[[UInt8]?]: OpenDataFile] = [:]
    private var finished: [DataFile] = []
    private var fileCount = 0
    private var clock = 0
    /// Small batches that wait for company.
    private var gathered: [RecordBatch] = []
    private var gatheredRows = 0
    private var gatheredBytes = 0

    /// Batches of this many rows are written as they come, gathered ones when they reach it or hold this many bytes.
    private static let gatheredRowsMax = 4096
    private static let gatheredBytesMax = 8 << 20
    /// Rows between two looks at a file's size.
    private static let rowsPerWrite = 65_536

    /// - Parameters:
    ///   - schema: of the batches; default the table's current one.
    ///   - specId: default the table's default spec.
    ///   - sortOrderId: set when the rows come sorted by that order.
    ///   - path: called with the partition's folder (empty when unpartitioned) and the number of the file, from 0,
    ///     before its first byte is written; answers its location.
    ///
    /// Throws `.invalidInput` (`unknown_partition_spec`).
    public init(
        metadata: TableMetadata, schema: Schema? = nil, specId: Int? = nil, sortOrderId: Int? = nil,
        limits: Limits = Limits(), createdBy: String? = nil, store: any ObjectStore,
        path: @escaping (_ partitionPath: String, _ fileIndex: Int) throws -> String
    ) throws {
        guard let spec = metadata.spec(id: specId ?? metadata.defaultSpecId) else {
            throw FirnError(.invalidInput, "unknown_partition_spec", "there is no partition spec \(specId ?? 0)")
        }
        self.schema = schema ?? metadata.currentSchema
        self.spec = spec
        partitionFields = metadata.partitionFields(of: spec)
        self.sortOrderId = sortOrderId
        metrics = FileMetrics(schema: self.schema, metadata: metadata)
        let properties = metadata.tableProperties
        var options = properties.parquetOptions(schema: self.schema)
        options.keyValueMetadata = ["iceberg.schema": self.schema.json.text]
        options.metricsDefault = .none
        options.metrics = metrics.parquetModes
        if let createdBy { options.createdBy = createdBy }
        if let order = metadata.sortOrders.first(where: { $0.orderId == sortOrderId }) {
            options.sortingColumns = order.parquetColumns
        }
        self.options = options
        fileBytesTarget = properties.targetFileBytes
        self.limits = limits
        self.store = store
        self.path = path
    }

    /// Bytes of memory held by open files.
    public var bufferedBytes: Int { open.values.reduce(gatheredBytes) { $0 + $1.bufferedBytes } }

    /// Precondition: the batch has the writer's schema.
    public func write(_ batch: RecordBatch) throws {
        precondition(batch.schema.fields == schema.fields, "a batch of another schema")
        guard batch.rowCount > 0 else { return }
        if batch.rowCount >= Self.gatheredRowsMax {
            try writeGathered()
            return try place(batch)
        }
        gathered.append(batch)
        gatheredRows += batch.rowCount
        gatheredBytes += batch.byteCount
        if gatheredRows >= Self.gatheredRowsMax || gatheredBytes >= Self.gatheredBytesMax { try writeGathered() }
    }

    private func writeGathered() throws {
        guard !gathered.isEmpty else { return }
        let batch = RecordBatch.concatenating(gathered)
        gathered = []
        (gatheredRows, gatheredBytes) = (0, 0)
        try place(batch)
    }

    /// Brings the rows of a batch to the files of their partitions.
    private func place(_ batch: RecordBatch) throws {
        guard !spec.fields.isEmpty else { return try write(batch, 0..<batch.rowCount, partition: []) }
        let grouping = PartitionGrouping(batch, spec: spec, partitionFields: partitionFields)
        let ordered = grouping.order.map { batch.taking($0) } ?? batch
        for group in grouping.groups {
            // A batch of an older schema may hold ints where the table has longs by now.
            let tuple = zip(partitionFields, group.partition).map { $1.fitting($0.type) ?? $1 }
            try write(ordered, group.range, partition: tuple)
        }
    }

    private func write(_ batch: RecordBatch, _ rows: Range<Int>, partition: [Value]) throws {
        let key = partition.map(SingleValue.encode)
        var start = rows.lowerBound
        while start < rows.upperBound {
            let end = min(start + Self.rowsPerWrite, rows.upperBound)
            let file = try openFile(key, partition)
            clock += 1
            file.lastUsed = clock
            try file.write(batch, start..<end)
            start = end
            if file.estimatedBytes >= fileBytesTarget { try finish(key) }
        }
        if open.count > 1, bufferedBytes > limits.bufferedBytesMax {
            try finish(open.max { $0.value.bufferedBytes < $1.value.bufferedBytes }!.key)
        }
    }

    private func openFile(_ key: [[UInt8]?], _ partition: [Value]) throws -> OpenDataFile {
        if let file = open[key] { return file }
        if open.count >= max(1, limits.openFilesMax) {
            try finish(open.min { $0.value.lastUsed < $1.value.lastUsed }!.key)
        }
        let location = try path(spec.path(partition), fileCount)
        fileCount += 1
        let file = try OpenDataFile(
            location: location, partition: partition, schema: schema, options: options,
            sink: try store.putStream(location))
        open[key] = file
        return file
    }

    private func finish(_ key: [[UInt8]?]) throws {
        let file = open[key]!
        let summary = try file.finish()
        open[key] = nil
        var entry = DataFile(
            path: file.location, partition: file.partition, specId: spec.specId,
            recordCount: Int64(summary.rowCount), fileBytes: Int64(summary.fileBytes),
            splitOffsets: summary.splitOffsets.map(Int64.init), sortOrderId: sortOrderId)
        metrics.fill(&entry, from: summary.columns)
        finished.append(entry)
    }

    /// Finishes all open files; the files written, ready for a commit. The writer must not be used afterwards.
    public func finish() throws -> [DataFile] {
        try writeGathered()
        for key in open.sorted(by: { $0.value.location < $1.value.location }).map(\.key) { try finish(key) }
        return finished
    }

    /// Drops the open files, best effort.
    public func abort() {
        for file in open.values { file.abort() }
        open = [:]
        gathered = []
    }
}

/// One open Parquet file.
private final class OpenDataFile {
    let location: String
    let partition: [Value]
    var lastUsed = 0
    private let writer: ParquetFileWriter
    private let sink: any ObjectSink

    init(
        location: String, partition: [Value], schema: Schema, options: ParquetWriteOptions, sink: any ObjectSink
    ) throws {
        self.location = location
        self.partition = partition
        self.sink = sink
        writer = ParquetFileWriter(schema: schema, options: options) { try sink.write($0) }
    }

    var bufferedBytes: Int { writer.bufferedBytes }
    var estimatedBytes: Int { writer.estimatedFileBytes }

    func write(_ batch: RecordBatch, _ rows: Range<Int>) throws { try writer.write(batch, rows: rows) }

    func finish() throws -> ParquetFileSummary {
        let summary = try writer.close()
        try sink.finish()
        return summary
    }

    func abort() { sink.abort() }
}
