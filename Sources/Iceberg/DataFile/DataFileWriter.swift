import Base
import Columnar
import Parquet
import Storage

/// Writes rows into Parquet data files, one or more a partition.
///
/// 1. Small batches are gathered until they make one of some thousand rows: a batch has its price in every column.
/// 2. A batch's rows are grouped by partition.
/// 3. Each group goes to its partition's open file. When as many files are open as may be, the rows of further
///    partitions wait in memory instead: so a batch over many partitions still makes one file of each.
/// 4. A file is finished when it reaches `write.target-file-size-bytes`, when all open files together buffer too much
///    (the largest goes), or when rows have waited for too much memory and need its place (the one unused for longest).
/// 5. In a table with a sort order, all rows wait until their partition is finished, are sorted as one run, and
///    written; the files say so. When the rows that wait are too many, the largest runs are put aside in temporary
///    files, and merged with the others at the end. A writer without a place for that writes the runs early: their
///    files take further runs, and say nothing of an order that they do not have.
/// 6. A finished file is durable and becomes a `DataFile` with its metrics. Its footer holds the hash of its rows
///    (`StoredRowHash`).
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

    let schema: Schema
    let spec: PartitionSpec
    let partitionFields: [Field]
    /// What rows of older schemas hold in the spec's source columns.
    let defaults: [Int: Value]
    let sorter: RowSorter?
    /// The order that files without runs of their own have.
    let sortOrderId: Int?
    private let metrics: FileMetrics
    private let options: ParquetWriteOptions
    private let sortingColumns: [ParquetWriteOptions.SortingColumn]
    let fileBytesTarget: Int
    private let limits: Limits
    private let spill: (any SpillSpace)?
    /// Damages what merges write, for tests of the proof.
    public var mergeFault: MergeFault?
    /// Columns that the hash of a file covers: those of the table, which stand before metadata columns.
    let hashedColumns: Int
    private let store: any ObjectStore
    private let path: (String, Int) throws -> String
    /// By partition tuple, in bytes, so that NaN equals itself.
    private var open: [[[UInt8]?]: OpenPartition] = [:]
    /// Those of `open` that have a file.
    private var writing: [OpenPartition] = []
    /// Of the rows that wait in `open`.
    private var waitingBytes = 0
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
    /// Smaller runs are not worth a temporary file.
    private static let runBytesMin = 1 << 20
    /// Rows between two looks at a file's size.
    private static let rowsPerWrite = 65_536

    /// - Parameters:
    ///   - schema: of the batches; default the table's current one.
    ///   - specId: default the table's default spec.
    ///   - sortOrderId: set when the rows come sorted by that order; else they are sorted by the table's default order.
    ///   - spill: where rows are put aside that wait to be sorted and that memory does not hold.
    ///   - path: called with the partition's folder (empty when unpartitioned) and the number of the file, from 0,
    ///     before its first byte is written; answers its location.
    ///
    /// Throws `.invalidInput` (`unknown_partition_spec`), `.unsupported` (`unknown_transform`) for a spec whose values
    /// Firn cannot compute.
    public init(
        metadata: TableMetadata, schema: Schema? = nil, specId: Int? = nil, sortOrderId: Int? = nil,
        limits: Limits = Limits(), createdBy: String? = nil, spill: (any SpillSpace)? = nil,
        store: any ObjectStore, path: @escaping (_ partitionPath: String, _ fileIndex: Int) throws -> String
    ) throws {
        guard let spec = metadata.spec(id: specId ?? metadata.defaultSpecId) else {
            throw FirnError(.invalidInput, "unknown_partition_spec", "there is no partition spec \(specId ?? 0)")
        }
        for field in spec.fields {
            guard case .unknown(let name) = field.transform else { continue }
            throw FirnError(
                .unsupported, "unknown_transform",
                "rows cannot be partitioned by \"\(name)\", a transform that this version does not know",
                context: ["partition": field.name])
        }
        self.schema = schema ?? metadata.currentSchema
        self.spec = spec
        partitionFields = metadata.partitionFields(of: spec)
        defaults = Dictionary(
            spec.fields.compactMap { field in
                metadata.currentSchema.field(id: field.sourceId)?.initialDefault.map { (field.sourceId, $0) }
            }, uniquingKeysWith: { first, _ in first })
        sorter = sortOrderId == nil ? RowSorter(metadata.defaultSortOrder, schema: self.schema) : nil
        self.sortOrderId = sortOrderId
        metrics = FileMetrics(schema: self.schema, metadata: metadata)
        let properties = metadata.tableProperties
        var options = properties.parquetOptions(schema: self.schema)
        options.keyValueMetadata = ["iceberg.schema": self.schema.json.text]
        options.metricsDefault = .none
        options.metrics = metrics.parquetModes
        if let createdBy { options.createdBy = createdBy }
        self.options = options
        let orderId = sortOrderId ?? sorter?.orderId
        sortingColumns = metadata.sortOrders.first { $0.orderId == orderId }?.parquetColumns ?? []
        fileBytesTarget = properties.targetFileBytes
        hashedColumns = StoredRowHash.columns(of: self.schema)
        self.limits = limits
        self.spill = spill
        self.store = store
        self.path = path
    }

    /// Bytes of memory held by open files and by rows that wait.
    public var bufferedBytes: Int {
        writing.reduce(gatheredBytes + waitingBytes) { $0 + ($1.file?.bufferedBytes ?? 0) }
    }

    /// Precondition: the batch has the writer's schema, and perhaps the sums of the columns that a file's hash covers
    /// behind it (`RowSums.carried`): then rows are not hashed again. All batches have, or none.
    public func write(_ batch: RecordBatch) throws {
        precondition(
            batch.schema.fields == schema.fields || batch.schema.fields == schema.fields + [RowSums.carriedField],
            "a batch of another schema")
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

    func writeGathered() throws {
        guard !gathered.isEmpty else { return }
        let batch = RecordBatch.concatenating(gathered)
        gathered = []
        (gatheredRows, gatheredBytes) = (0, 0)
        try place(batch)
    }

    /// Brings the rows of a batch to the files of their partitions.
    private func place(_ batch: RecordBatch) throws {
        guard !spec.fields.isEmpty else { return try write(batch, 0..<batch.rowCount, partition: []) }
        let grouping = PartitionGrouping(
            batch, spec: spec, partitionFields: partitionFields, defaults: defaults)
        let ordered = grouping.order.map { batch.taking($0) } ?? batch
        for group in grouping.groups {
            // A batch of an older schema may hold ints where the table has longs by now.
            let tuple = zip(partitionFields, group.partition).map { $1.fitting($0.type) ?? $1 }
            try write(ordered, group.range, partition: tuple)
        }
    }

    func write(_ batch: RecordBatch, _ rows: Range<Int>, partition: [Value]) throws {
        let key = partition.map(SingleValue.encode)
        let target = openPartition(key, partition)
        clock += 1
        target.lastUsed = clock
        let hasPlace = target.file != nil || !target.isWaiting && writing.count < max(1, limits.openFilesMax)
        if sorter == nil, hasPlace {
            try write(batch, rows, to: target, isSorted: sortOrderId != nil)
            if target.isIdle { open[key] = nil }
        } else {
            let before = target.waitingBytes
            try target.append(rows.count == batch.rowCount ? batch : batch.taking(rows.map { Int32($0) }))
            waitingBytes += target.waitingBytes - before
        }
        try relieve()
    }

    /// Takes some rows of a batch into a partition's file, and goes on in another one when it is large enough.
    private func write(_ batch: RecordBatch, _ rows: Range<Int>, to target: OpenPartition, isSorted: Bool) throws {
        var start = rows.lowerBound
        while start < rows.upperBound {
            let end = min(start + Self.rowsPerWrite, rows.upperBound)
            let file = try file(of: target, isSorted: isSorted)
            try file.write(batch, start..<end)
            start = end
            if file.estimatedBytes >= fileBytesTarget { try finishFile(of: target) }
        }
    }

    /// Keeps what is buffered within its bound.
    private func relieve() throws {
        if waitingBytes > limits.bufferedBytesMax / 2 {
            for target in open.values.sorted(by: { $0.waitingBytes > $1.waitingBytes }) {
                guard waitingBytes > limits.bufferedBytesMax / 4 else { break }
                if let sorted = target.sorter, spill != nil, target.waitingBytes >= Self.runBytesMin {
                    waitingBytes -= target.waitingBytes
                    try sorted.spillRun()
                    waitingBytes += target.waitingBytes
                } else {
                    try writeRun(of: target, isLast: false)
                }
            }
        }
        while writing.count > 1, bufferedBytes > limits.bufferedBytesMax {
            try finishFile(of: writing.max { $0.file!.bufferedBytes < $1.file!.bufferedBytes }!)
        }
    }

    /// Writes the rows of a partition that wait, sorted in a table with a sort order.
    private func writeRun(of target: OpenPartition, isLast: Bool) throws {
        waitingBytes -= target.waitingBytes
        guard let sorted = target.sorter else {
            guard let run = target.takeRun() else { return }
            return try write(run, 0..<run.rowCount, to: target, isSorted: sortOrderId != nil)
        }
        let isSorted = isLast && target.file == nil
        try sorted.finish { try write($0, 0..<$0.rowCount, to: target, isSorted: isSorted) }
    }

    func openPartition(_ key: [[UInt8]?], _ partition: [Value]) -> OpenPartition {
        if let known = open[key] { return known }
        let waiting = sorter.map {
            ExternalSorter(order: $0.order, schema: schema, memoryBytesMax: limits.bufferedBytesMax, holding: spill)
        }
        let opened = OpenPartition(values: partition, number: clock, sorter: waiting)
        open[key] = opened
        return opened
    }

    func file(of target: OpenPartition, isSorted: Bool) throws -> OpenDataFile {
        if let file = target.file { return file }
        if writing.count >= max(1, limits.openFilesMax) {
            try finishFile(of: writing.min { $0.lastUsed < $1.lastUsed }!)
        }
        let location = try path(spec.path(target.values), fileCount)
        fileCount += 1
        var options = options
        if isSorted { options.sortingColumns = sortingColumns }
        let file = try OpenDataFile(
            location: location, isSorted: isSorted, schema: schema, hashedColumns: hashedColumns, options: options,
            sink: try store.putStream(location))
        file.writer.mergeFault = mergeFault
        target.file = file
        writing.append(target)
        return file
    }

    func finishFile(of target: OpenPartition) throws {
        guard let file = target.file else { return }
        let summary = try file.finish()
        target.file = nil
        writing.removeAll { $0 === target }
        var entry = DataFile(
            path: file.location, partition: target.values, specId: spec.specId,
            recordCount: Int64(summary.rowCount), fileBytes: Int64(summary.fileBytes),
            splitOffsets: summary.splitOffsets.map(Int64.init),
            sortOrderId: file.isSorted ? sortOrderId ?? sorter?.orderId : nil)
        metrics.fill(&entry, from: summary.columns)
        finished.append(entry)
    }

    private func finish(_ key: [[UInt8]?]) throws {
        let target = open[key]!
        try writeRun(of: target, isLast: true)
        try finishFile(of: target)
        open[key] = nil
    }

    /// Finishes all open files; the files written, ready for a commit. The writer must not be used afterwards.
    public func finish() throws -> [DataFile] {
        try writeGathered()
        for key in open.sorted(by: { $0.value.number < $1.value.number }).map(\.key) { try finish(key) }
        return finished
    }

    /// Drops the open files, best effort.
    public func abort() {
        for target in writing { target.file?.abort() }
        (open, writing, waitingBytes) = ([:], [], 0)
        gathered = []
    }
}

/// What is open of one partition: rows that wait to be sorted, a file, or both.
final class OpenPartition {
    let values: [Value]
    /// Rises from one partition to the next.
    let number: Int
    var lastUsed = 0
    var file: OpenDataFile?
    /// Holds the rows that wait in a table with a sort order.
    let sorter: ExternalSorter?
    /// Holds them in one without.
    private var batches: [RecordBatch] = []
    private var batchBytes = 0
    /// What a column of a batch takes beside its values.
    private static let columnBytes = 256

    init(values: [Value], number: Int, sorter: ExternalSorter?) {
        self.values = values
        self.number = number
        self.sorter = sorter
    }

    var waitingBytes: Int { sorter?.bufferedBytes ?? batchBytes }
    var isWaiting: Bool { !batches.isEmpty || sorter?.isEmpty == false }
    var isIdle: Bool { file == nil && !isWaiting }

    func append(_ batch: RecordBatch) throws {
        if let sorter { return try sorter.add(batch) }
        batches.append(batch)
        batchBytes += batch.byteCount + batch.columns.count * Self.columnBytes
    }

    /// The rows that wait in no order, as one batch.
    func takeRun() -> RecordBatch? {
        guard !batches.isEmpty else { return nil }
        defer { (batches, batchBytes) = ([], 0) }
        return RecordBatch.concatenating(batches)
    }
}

/// One open Parquet file.
final class OpenDataFile {
    let location: String
    /// Its rows stand in the order that its entry will name.
    let isSorted: Bool
    let writer: ParquetFileWriter
    /// Of the rows so far.
    var hash = RowHash()
    private let schema: Schema
    private let hashedColumns: Int
    private let sink: any ObjectSink

    init(
        location: String, isSorted: Bool, schema: Schema, hashedColumns: Int, options: ParquetWriteOptions,
        sink: any ObjectSink
    ) throws {
        self.location = location
        self.isSorted = isSorted
        self.schema = schema
        self.hashedColumns = hashedColumns
        self.sink = sink
        writer = ParquetFileWriter(schema: schema, options: options) { try sink.write($0) }
    }

    var bufferedBytes: Int { writer.bufferedBytes }
    var estimatedBytes: Int { writer.estimatedFileBytes }

    func write(_ batch: RecordBatch, _ rows: Range<Int>) throws {
        let count = schema.fields.count
        guard batch.columns.count > count else {
            try writer.write(batch, rows: rows)
            return hash.add(batch, rows: rows, columns: hashedColumns)
        }
        let own = RecordBatch(schema: schema, columns: Array(batch.columns.prefix(count)), rowCount: batch.rowCount)
        try writer.write(own, rows: rows)
        hash.add(carried: batch.columns[count], rows: rows)
    }

    func finish() throws -> ParquetFileSummary {
        writer.setMetadata(StoredRowHash.key, StoredRowHash.text(hash))
        let summary = try writer.close()
        try sink.finish()
        return summary
    }

    func abort() { sink.abort() }
}
