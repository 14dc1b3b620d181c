import Base
import Columnar

/// Writes one Parquet file front to back. Not thread-safe.
///
/// 1. Batches are shredded into the leaves' level entries and taken over by one `LeafWriter` a leaf, which encodes and
///    compresses pages as they fill: memory holds encoded pages and one open page a leaf.
/// 2. When the row group has its bytes or rows, its chunks go to the sink.
/// 3. `close` writes the last row group, Bloom filters, page indexes and the footer.
///
/// Filters and indexes wait for `close`, some hundred bytes a page. When they pass `trailingBytesMax` they are written
/// behind the row group just finished, where the format allows them too, so memory stays bounded by one row group;
/// only the footer grows with the file, by some hundred bytes a column chunk.
///
/// The file is whole only after `close`; after any error the writer must be dropped, and what the sink got discarded.
///
/// Format: https://parquet.apache.org/docs/file-format/
public final class ParquetFileWriter {
    /// Rows taken over between two looks at the row group's size.
    private static let stepRows = 16384
    /// Small writes are gathered up to this many bytes.
    private static let sinkBytes = 1 << 20
    /// Bloom filters and page indexes held back for the end of the file.
    private static let trailingBytesMax = 16 << 20

    /// Damages what merges write, for tests of what finds that.
    public var mergeFault: MergeFault? { didSet { for leaf in leaves { leaf.mergeFault = mergeFault } } }
    let options: ParquetWriteOptions
    private let sink: ([UInt8]) throws -> Void
    /// A schema that Parquet cannot hold is reported by the first `write`.
    let layout: Result<[SchemaNode], FirnError>
    let leaves: [LeafWriter]
    private var footer = ParquetFooter()
    private var trailing = TrailingParts()
    private var sortingColumns: [ParquetFooter.SortingColumn] = []
    var groupRows = 0
    private var pending: [UInt8] = Array("PAR1".utf8)
    private var offset = 4
    var isClosed = false

    /// `sink` gets the file's bytes in order and may throw.
    public init(schema: Schema, options: ParquetWriteOptions = .init(), sink: @escaping ([UInt8]) throws -> Void) {
        var options = options
        options.rowGroupRowsMax = max(1, options.rowGroupRowsMax)
        options.pageRowsMax = max(1, options.pageRowsMax)
        options.pageBytesTarget = min(max(1, options.pageBytesTarget), ParquetLimits.pageBytesTargetMax)
        self.options = options
        self.sink = sink
        do throws(FirnError) {
            let elements = try SchemaElements.build(schema)
            let nodes = try SchemaTree.build(elements, source: "schema")
            let described = nodes.flatMap(\.leaves)
            try Self.check(options, described)
            sortingColumns = options.sortingColumns.compactMap { wanted in
                described.firstIndex { $0.fieldId == wanted.fieldId }.map {
                    .init(column: $0, isDescending: wanted.isDescending, nullsFirst: wanted.nullsFirst)
                }
            }
            footer.schema = elements
            layout = .success(nodes)
            let compressor = PageCompressor(codec: options.codec, level: options.compressionLevel)
            let types = Self.leafTypes(schema.fields.map(\.type))
            leaves = zip(described, types).map {
                LeafWriter(leaf: $0, type: $1, options: options, compressor: compressor)
            }
        } catch {
            layout = .failure(error)
            leaves = []
        }
        footer.createdBy = options.createdBy
        footer.keyValueMetadata = options.keyValueMetadata
    }

    private static func check(_ options: ParquetWriteOptions, _ leaves: [SchemaLeaf]) throws(FirnError) {
        guard PageCompressor.isWritable(options.codec) else {
            throw FirnError(
                .unsupported, "parquet_codec", "Parquet files are not written with the codec \(options.codec)")
        }
        for leaf in leaves { try EncodingChoice.check(leaf, options) }
    }

    private static func leafTypes(_ types: [DataType]) -> [DataType] {
        types.flatMap { type -> [DataType] in
            switch type {
            case .structure(let type): leafTypes(type.fields.map(\.type))
            case .list(let type): leafTypes([type.element])
            case .map(let type): leafTypes([type.key, type.value])
            case .variant: [.binary, .binary]
            case .unknown: []
            default: [type]
            }
        }
    }

    /// Bytes held in memory: encoded pages and open buffers of the current row group.
    public var bufferedBytes: Int { leaves.reduce(pending.count + trailing.bytes) { $0 + $1.bufferedBytes } }
    /// Bytes the file would have if it were closed now, without its footer.
    public var estimatedFileBytes: Int { offset + leaves.reduce(trailing.bytes) { $0 + $1.estimatedBytes } }
    /// Rows taken so far.
    public var rowCount: Int { footer.rowCount + groupRows }

    /// Adds a key-value to the footer. Precondition: the file is not closed.
    public func setMetadata(_ key: String, _ value: String) {
        precondition(!isClosed, "the file is closed")
        footer.keyValueMetadata[key] = value
    }

    /// Takes all rows of a batch whose columns are those of the writer's schema, in its order.
    ///
    /// Throws `.invalidInput` for a null in a required column (`null_in_required`) and a decimal with too many digits
    /// (`decimal_out_of_range`), `.unsupported` for a schema that Parquet cannot hold or a codec that is not written,
    /// `.invalidInput` for a forced encoding that does not fit (`encoding_type`), and what the sink throws.
    public func write(_ batch: RecordBatch) throws { try write(batch, rows: 0..<batch.rowCount) }

    /// Takes some rows of a batch.
    public func write(_ batch: RecordBatch, rows: Range<Int>) throws {
        precondition(!isClosed, "the file is closed")
        precondition(rows.lowerBound >= 0 && rows.upperBound <= batch.rowCount)
        let nodes = try layout.get()
        let columns = Self.stored(batch.columns, nodes)
        var row = rows.lowerBound
        while row < rows.upperBound {
            let count = min(Self.stepRows, rows.upperBound - row, options.rowGroupRowsMax - groupRows)
            let stream = LevelStream.rows(row..<row + count)
            for (node, column) in zip(nodes, columns) { try shred(node, column, stream) }
            groupRows += count
            row += count
            if groupRows >= options.rowGroupRowsMax || bufferedBytes >= options.rowGroupBytesTarget {
                try closeRowGroup()
            }
        }
    }

    /// The columns that have a place in the file.
    private static func stored(_ columns: [Column], _ nodes: [SchemaNode]) -> [Column] {
        let stored = columns.count == nodes.count ? columns : columns.filter { $0.type != .unknown }
        precondition(stored.count == nodes.count, "the batch has other columns than the file")
        return stored
    }

    func shred(_ node: SchemaNode, _ column: Column, _ stream: LevelStream) throws(FirnError) {
        switch (node.shape, column.storage) {
        case (.leaf(let leaf), _):
            try leaves[leaf.column].append(stream, column, isOptional: node.isOptional)
        case (.structure(let children), .structure(let columns)):
            let inner = try stream.entering(column, node)
            for (child, column) in zip(children, Self.stored(columns, children)) { try shred(child, column, inner) }
        case (.list(let element), .list(let offsets, let columns)):
            let inner = try stream.entering(column, node)
            try shred(
                element, columns[0], inner.expanding(offsets, repetitionLevel: node.repetition + 1))
        case (.map(let key, let value), .map(let offsets, let columns)):
            let inner = try stream.entering(column, node).expanding(offsets, repetitionLevel: node.repetition + 1)
            try shred(key, columns[0], inner)
            try shred(value, columns[1], inner)
        default: throw LeafMismatch.error(column)
        }
    }

    func closeRowGroup() throws {
        guard groupRows > 0 else { return }
        var group = ParquetFooter.RowGroup()
        group.rowCount = groupRows
        group.fileOffset = offset
        group.sortingColumns = sortingColumns
        let start = offset
        let index = footer.rowGroups.count
        for (column, leaf) in leaves.enumerated() {
            let chunk = try leaf.finishChunk()
            let metadata = chunk.metadata(offset: offset)
            try emit(chunk.state.dictionary.values)
            try emit(chunk.state.data.values)
            group.columns.append(metadata)
            group.totalBytes += metadata.uncompressedBytes
            trailing.add(
                chunk, dataStart: metadata.dataPageOffset, writesPageIndex: options.writesPageIndex,
                group: index, column: column)
            leaf.beginChunk()
        }
        group.compressedBytes = offset - start
        footer.rowGroups.append(group)
        footer.rowCount += groupRows
        groupRows = 0
        if trailing.bytes > Self.trailingBytesMax { try emitTrailing() }
    }

    private func emitTrailing() throws {
        for part in trailing.take() {
            part.note(offset, in: &footer)
            try part.bytes.withUnsafeBufferPointer { try emit($0) }
        }
    }

    /// Writes the rest of the file. Throws what the sink throws.
    public func close() throws -> ParquetFileSummary {
        precondition(!isClosed, "the file is closed")
        _ = try layout.get()
        try closeRowGroup()
        isClosed = true
        try emitTrailing()
        var bytes = footer.serialize()
        withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes += Array("PAR1".utf8)
        try bytes.withUnsafeBufferPointer { try emit($0) }
        if !pending.isEmpty { try sink(pending) }
        pending = []
        return summary
    }

    private func emit(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        var rest = bytes
        while !rest.isEmpty {
            let part = min(rest.count, Self.sinkBytes - pending.count)
            pending.append(contentsOf: rest.prefix(part))
            offset += part
            rest = UnsafeBufferPointer(rebasing: rest.dropFirst(part))
            guard pending.count == Self.sinkBytes else { continue }
            try sink(pending)
            pending.removeAll(keepingCapacity: true)
        }
    }

    /// A variant has no bounds; its nulls are those of its parts.
    private func metrics(variant node: SchemaNode) -> ColumnMetrics {
        let parts = node.leaves.map { leaves[$0.column] }
        return ColumnMetrics(
            columnBytes: parts.reduce(0) { $0 + $1.storedBytes }, valueCount: parts[0].total.entries,
            nullCount: parts[0].total.nulls, nanCount: nil, isRepeated: parts[0].leaf.repetitionMax > 0)
    }

    private var summary: ParquetFileSummary {
        var columns: [Int: ColumnMetrics] = [:]
        for writer in leaves where writer.leaf.element.fieldId != nil {
            let total = writer.total
            let isRepeated = writer.leaf.repetitionMax > 0
            var metrics = ColumnMetrics(
                columnBytes: writer.storedBytes, valueCount: total.entries, nullCount: total.nulls,
                nanCount: writer.type == .float || writer.type == .double ? total.nans : nil, isRepeated: isRepeated)
            switch options.metrics[writer.leaf.fieldId] ?? options.metricsDefault {
            case .none, .counts: break
            case .truncate, .full:
                if !isRepeated, let bounds = total.bounds.values(writer.type) {
                    metrics.lowerBound = bounds.low
                    metrics.upperBound = bounds.high
                }
            }
            columns[writer.leaf.fieldId] = metrics
        }
        for node in (try? layout.get())?.flatMap(\.variants) ?? [] { columns[node.fieldId] = metrics(variant: node) }
        return ParquetFileSummary(
            rowCount: footer.rowCount, fileBytes: offset, splitOffsets: footer.rowGroups.compactMap(\.fileOffset),
            columns: columns)
    }
}
