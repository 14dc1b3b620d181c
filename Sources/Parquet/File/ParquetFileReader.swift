import Base
import Columnar

/// Reads one Parquet file, written by Firn or by others. Not thread-safe: one reader a thread; a footer may be shared.
///
/// Reads PLAIN, dictionary and RLE boolean pages of both versions, uncompressed or in zstd, snappy or gzip. Every
/// error about the file's bytes is `.corrupted` or `.unsupported` and names the file, the column and the offset.
public final class ParquetFileReader {
    public let footer: ParquetFooter
    /// Names the file in errors.
    public let source: String
    private let fileBytes: Int
    private let read: (Range<Int>) throws -> [UInt8]
    private let nodes: [SchemaNode]
    private let leaves: [SchemaLeaf]
    private let decompressor = PageDecompressor()
    private let page = Buffer<UInt8>()
    /// The end of the file, fetched with the footer.
    private var tail: [UInt8] = []

    /// Reads the footer. `read` returns exactly the bytes of a range below `fileBytes`.
    public init(fileBytes: Int, source: String, read: @escaping (Range<Int>) throws -> [UInt8]) throws {
        self.fileBytes = fileBytes
        self.source = source
        self.read = read
        (footer, tail) = try FooterReader(fileBytes: fileBytes, source: source, read: read).footer()
        nodes = try SchemaTree.build(footer.schema, source: source)
        leaves = nodes.flatMap(\.leaves)
        try FooterReader.check(footer, leaves, source: source)
    }

    /// Opens a file whose footer was read before.
    public init(
        footer: ParquetFooter, fileBytes: Int, source: String, read: @escaping (Range<Int>) throws -> [UInt8]
    ) throws {
        self.fileBytes = fileBytes
        self.source = source
        self.read = read
        self.footer = footer
        nodes = try SchemaTree.build(footer.schema, source: source)
        leaves = nodes.flatMap(\.leaves)
        try FooterReader.check(footer, leaves, source: source)
    }

    public var rowGroupCount: Int { footer.rowGroups.count }
    public func rowCount(rowGroup: Int) -> Int { footer.rowGroups[rowGroup].rowCount }

    /// The schema as stored. A field without an id gets a negative one, the same on every reading, by which it can be
    /// projected. Throws `.unsupported` (`unsupported_parquet_type`) for a column that no Iceberg type can hold.
    public func fileSchema() throws -> Schema {
        var fields: [Field] = []
        for node in nodes { fields.append(try node.field(source: source)) }
        return Schema(fields: fields)
    }

    /// The rows of one row group, with the projection's schema.
    ///
    /// Fields are found by id at every level, whatever their names. An optional field that the file lacks is all null,
    /// a required one throws `.corrupted` (`missing_column`). Values are promoted from int to long, float to double,
    /// and to a decimal of more digits.
    public func readRowGroup(_ index: Int, projection: Schema) throws -> RecordBatch {
        precondition(footer.rowGroups.indices.contains(index), "no such row group")
        let group = footer.rowGroups[index]
        let plans = try ReadPlan.build(projection.fields, in: nodes, source: source)
        var wanted: [Int: SchemaLeaf] = [:]
        for plan in plans { plan.collectLeaves(into: &wanted) }
        try checkRows(group)
        var chunks: [Int: ChunkData] = [:]
        for (column, leaf) in wanted.sorted(by: { $0.key < $1.key }) {
            chunks[column] = try decode(leaf, group)
        }
        let assembler = Assembler(chunks: chunks)
        let context = Assembler.Context(slotCount: group.rowCount, floor: 0, depth: 0)
        var columns: [Column] = []
        for plan in plans {
            do throws(FirnError) {
                columns.append(try assembler.column(plan, context))
            } catch { throw error.adding(["file": source, "row-group": String(index)]) }
        }
        return RecordBatch(schema: projection, columns: columns, rowCount: group.rowCount)
    }

    private func checkRows(_ group: ParquetFooter.RowGroup) throws(FirnError) {
        let stored = group.columns.reduce(0) { min($0 + min($1.compressedBytes, fileBytes), fileBytes) }
        try checkEntries(group.rowCount, stored: stored)
    }

    /// Refuses counts that the stored bytes cannot account for, before memory is taken for them.
    private func checkEntries(_ count: Int, stored: Int) throws(FirnError) {
        let most = ParquetLimits.chunkEntriesFree + stored * ParquetLimits.chunkEntriesPerByte
        guard count <= most else {
            throw FirnError(
                .corrupted, "malformed_parquet", "\(count) values are claimed to lie in \(stored) bytes",
                context: ["file": source])
        }
        guard count <= ParquetLimits.chunkEntriesMax else {
            throw FirnError(
                .limitExceeded, "row_group_too_large", "a row group of \(count) values is more than can be read",
                context: ["file": source])
        }
    }

    private func decode(_ leaf: SchemaLeaf, _ group: ParquetFooter.RowGroup) throws -> ChunkData {
        let chunk = group.columns[leaf.column]
        // A chunk without values need not exist: some writers give it neither pages nor a place.
        if chunk.valueCount == 0 { return try decode(leaf, chunk, [], base: 0, rowCount: group.rowCount) }
        var start = chunk.dataPageOffset
        if let dictionary = chunk.dictionaryPageOffset, dictionary > 0 { start = min(start, dictionary) }
        guard start >= 4, start <= fileBytes, chunk.compressedBytes <= fileBytes - start else {
            throw FirnError(
                .corrupted, "malformed_parquet",
                "a column chunk of \(chunk.compressedBytes) bytes at \(start) passes the end of the file",
                context: ["file": source, "column": leaf.name, "offset": String(start)])
        }
        do {
            try checkEntries(chunk.valueCount, stored: chunk.compressedBytes)
        } catch { throw error.adding(["column": leaf.name]) }
        let range = start..<start + chunk.compressedBytes
        return try decode(leaf, chunk, try bytes(range), base: start, rowCount: group.rowCount)
    }

    private func decode(
        _ leaf: SchemaLeaf, _ chunk: ParquetFooter.ColumnChunk, _ bytes: [UInt8], base: Int, rowCount: Int
    ) throws(FirnError) -> ChunkData {
        var reader = try ChunkReader(
            leaf: leaf, chunk: chunk, bytes: bytes, base: base, source: source, decompressor: decompressor, page: page)
        return try reader.decode(rowCount: rowCount)
    }

    private func bytes(_ range: Range<Int>) throws -> [UInt8] {
        let tailStart = fileBytes - tail.count
        if range.lowerBound >= tailStart {
            return Array(tail[range.lowerBound - tailStart..<range.upperBound - tailStart])
        }
        return try FooterReader.fetch(range, source: source, read)
    }

    /// Bounds of a column in one row group, in the type `type` (the stored one when nil). Nil for a column that the
    /// file lacks or that lies inside a list or map, and for statistics that cannot be trusted. Bounds may be wider
    /// than the values, never narrower.
    public func statistics(
        rowGroup: Int, fieldId: Int, as type: DataType? = nil
    ) -> (lower: Value?, upper: Value?, nullCount: Int?)? {
        guard footer.rowGroups.indices.contains(rowGroup),
            let leaf = leaves.first(where: { $0.fieldId == fieldId }), leaf.repetitionMax == 0,
            let statistics = footer.rowGroups[rowGroup].columns[leaf.column].statistics
        else { return nil }
        let bounds = footer.hasColumnOrders ? StatisticsReader.bounds(statistics, leaf, type) : nil
        return (bounds?.lower, bounds?.upper, statistics.nullCount)
    }
}
