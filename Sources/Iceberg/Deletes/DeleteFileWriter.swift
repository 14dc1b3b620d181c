import Base
import Columnar
import Parquet
import Storage

/// Writes the files that delete rows of data files by position.
///
/// Format version 2: Parquet position delete files, sorted by path and position; one a partition, or one a data file
/// where the table's `write.delete.granularity` is `file`. Format version 3: a Puffin file for each partition spec,
/// with a deletion vector for each data file.
///
/// What a new file makes superfluous comes back as removed: a data file's earlier deletion vector, and delete files of
/// only that data file, whose positions the new file repeats. A deletion vector also repeats the positions of delete
/// files of whole partitions, which readers then ignore for its data file.
///
/// Files are durable when `write` returns, but nobody names them before a commit does: whoever chose their locations
/// deletes them after a throw.
///
/// Spec: https://iceberg.apache.org/spec/#delete-formats
public struct DeleteFileWriter {
    public typealias Target = (task: FileScanTask, positions: RowPositions)

    private let metadata: TableMetadata
    private let createdBy: String?
    private let store: any ObjectStore
    private let path: (String, Int, String) throws -> String

    /// - Parameter path: called before the first byte of each file is written with the partition's folder (empty when
    ///   unpartitioned, and for files over several partitions), the number of the file from 0, and the extension
    ///   without dot (`parquet`, `puffin`); answers its location.
    public init(
        metadata: TableMetadata, createdBy: String? = nil, store: any ObjectStore,
        path: @escaping (_ partitionFolder: String, _ index: Int, _ fileExtension: String) throws -> String
    ) {
        self.metadata = metadata
        self.createdBy = createdBy
        self.store = store
        self.path = path
    }

    /// Deletes rows of data files. `tasks` are those of a scan plan, which know the deletes there are; targets without
    /// positions are passed over.
    ///
    /// Throws `.invalidInput` (`duplicate_target`) for a data file that comes twice, `.unsupported` (`format_version`)
    /// for version 1, and the store's errors.
    public func write(_ targets: [Target]) throws -> (added: [DataFile], removed: [ManifestEntry]) {
        let targets = targets.filter { !$0.positions.isEmpty }.sorted { $0.task.dataFile.path < $1.task.dataFile.path }
        for (target, next) in zip(targets, targets.dropFirst())
        where target.task.dataFile.path == next.task.dataFile.path {
            throw FirnError(
                .invalidInput, "duplicate_target", "rows of a data file are to be deleted twice",
                context: ["file": target.task.dataFile.path])
        }
        guard metadata.formatVersion >= 2 else {
            throw FirnError(
                .unsupported, "format_version", "tables of format version 1 cannot have deletes",
                context: ["table": metadata.location])
        }
        if targets.isEmpty { return ([], []) }
        return metadata.formatVersion == 2 ? try writePositions(targets) : try writeVectors(targets)
    }

    // MARK: Version 3

    /// One file for each partition spec, since entries of a spec share manifests: then every manifest names the vectors
    /// of a file in the order in which they lie there. DuckDB up to 1.5.5 needs that: read backwards, its file cache
    /// takes the bytes of one vector for those of its neighbour.
    private func writeVectors(_ targets: [Target]) throws -> (added: [DataFile], removed: [ManifestEntry]) {
        var added: [DataFile] = []
        var removed: [ManifestEntry] = []
        let specs = Dictionary(grouping: targets, by: \.task.dataFile.specId).sorted { $0.key < $1.key }
        for (index, spec) in specs.enumerated() {
            let location = try path("", index, "puffin")
            let sink = try store.putStream(location)
            do {
                let written = try writeVectors(spec.value.sorted(by: Self.precedes), location) { try sink.write($0) }
                try sink.finish()
                added += written.added
                removed += written.removed
            } catch {
                sink.abort()
                throw error
            }
        }
        return (added, removed)
    }

    /// By partition as rewritten manifests have it, then by path.
    private static func precedes(_ a: Target, _ b: Target) -> Bool {
        let (x, y) = (a.task.dataFile, b.task.dataFile)
        if ManifestRewriter.precedes(x.partition, y.partition) { return true }
        return !ManifestRewriter.precedes(y.partition, x.partition) && x.path < y.path
    }

    private func writeVectors(
        _ targets: [Target], _ location: String, _ sink: @escaping ([UInt8]) throws -> Void
    ) throws -> (added: [DataFile], removed: [ManifestEntry]) {
        var added: [DataFile] = []
        var removed: [ManifestEntry] = []
        var writer = try PuffinWriter(createdBy: createdBy ?? ParquetWriteOptions().createdBy, sink: sink)
        for (task, positions) in targets {
            let merged = try merged(task, positions) { _ in true }
            removed += merged.superseded
            let blob = try writer.add(
                DeletionVector.blob(dataFile: task.dataFile.path, cardinality: merged.positions.count),
                DeletionVector.encode(merged.positions))
            var file = DataFile(
                content: .positionDeletes, path: location, format: "PUFFIN", partition: task.dataFile.partition,
                specId: task.dataFile.specId, recordCount: Int64(merged.positions.count), fileBytes: 0)
            file.referencedDataFile = task.dataFile.path
            file.contentOffset = Int64(blob.offset)
            file.contentBytes = Int64(blob.length)
            added.append(file)
        }
        try writer.finish()
        for index in added.indices { added[index].fileBytes = Int64(writer.fileBytes) }
        return (added, removed)
    }

    /// Positions with those of earlier deletes that `isRepeated` picks; superseded are these that are of no other data
    /// file.
    private func merged(
        _ task: FileScanTask, _ positions: RowPositions, _ isRepeated: (DataFile) -> Bool
    ) throws -> (positions: RowPositions, superseded: [ManifestEntry]) {
        let earlier = task.deletes.filter { $0.dataFile.content == .positionDeletes && isRepeated($0.dataFile) }
        guard !earlier.isEmpty else { return (positions, []) }
        var all = positions
        let old = FileScanTask(
            dataFile: task.dataFile, sequenceNumber: task.sequenceNumber, spec: task.spec, deletes: earlier)
        if let known = try DeleteLoader(store: store).positions(for: old) { all.formUnion(known) }
        return (all, earlier.filter { $0.dataFile.onlyDataFile == task.dataFile.path })
    }

    // MARK: Version 2

    private func writePositions(_ targets: [Target]) throws -> (added: [DataFile], removed: [ManifestEntry]) {
        let properties = metadata.tableProperties
        let isPerFile = properties["write.delete.granularity"]?.lowercased() == "file"
        let bytesTarget = properties.integer(
            "write.delete.target-file-size-bytes", default: 64 << 20, in: 1...Int.max)
        var removed: [ManifestEntry] = []
        var added: [DataFile] = []
        var open: PositionDeleteFile.Writer?
        var key: PartitionKey?
        do {
            // Of one partition, in the order of paths.
            for place in partitions(targets) {
                for (task, positions) in place {
                    if let file = open,
                        isPerFile || key != PartitionKey(task.dataFile) || file.estimatedBytes >= bytesTarget
                    {
                        added.append(try file.finish())
                        open = nil
                    }
                    if open == nil {
                        let location = try path(task.spec.path(task.dataFile.partition), added.count, "parquet")
                        open = try PositionDeleteFile.Writer(
                            location, like: task.dataFile, options: parquetOptions, store: store)
                        key = PartitionKey(task.dataFile)
                    }
                    var all = positions
                    if isPerFile {
                        let merged = try merged(task, positions) { $0.onlyDataFile != nil }
                        all = merged.positions
                        removed += merged.superseded
                    }
                    try open?.write(task.dataFile.path, all)
                }
            }
            if let file = open { added.append(try file.finish()) }
            return (added, removed)
        } catch {
            open?.abort()
            throw error
        }
    }

    private func partitions(_ targets: [Target]) -> [[Target]] {
        var order: [PartitionKey] = []
        var found: [PartitionKey: [Target]] = [:]
        for target in targets {
            let key = PartitionKey(target.task.dataFile)
            if found[key] == nil { order.append(key) }
            found[key, default: []].append(target)
        }
        return order.map { found[$0]! }
    }

    private var parquetOptions: ParquetWriteOptions {
        var options = metadata.tableProperties.parquetOptions(schema: PositionDeleteFile.schema)
        options.keyValueMetadata = [
            "delete-type": "position", "iceberg.schema": PositionDeleteFile.schema.json.text,
        ]
        options.metricsDefault = .full
        if let createdBy { options.createdBy = createdBy }
        return options
    }
}
