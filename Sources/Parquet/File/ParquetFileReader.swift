import Base
import Columnar

/// Reads one Parquet file, written by Firn or by others. Not thread-safe: one reader a thread; a footer may be shared.
///
/// Every error about the file's bytes is `.corrupted` or `.unsupported` and names the file, the column and the offset.
public final class ParquetFileReader {
    public let footer: ParquetFooter
    /// Names the file in errors.
    public let source: String
    let nodes: [SchemaNode]
    let leaves: [SchemaLeaf]
    private(set) var file: FileBytes
    let decompressor = PageDecompressor()
    let page = Buffer<UInt8>()
    /// Filters of the row group last asked for; nil for one that cannot be read.
    var bloomFilters: (rowGroup: Int, byColumn: [Int: BloomFilter?]) = (-1, [:])

    /// Reads the footer. `read` returns exactly the bytes of a range below `fileBytes`.
    public convenience init(
        fileBytes: Int, source: String, read: @escaping (Range<Int>) throws -> [UInt8]
    ) throws {
        let (footer, tail) = try FooterReader(fileBytes: fileBytes, source: source, read: read).footer()
        try self.init(
            footer: footer, file: FileBytes(fileBytes: fileBytes, source: source, read: read, tail: tail))
    }

    /// Opens a file whose footer was read before.
    public convenience init(
        footer: ParquetFooter, fileBytes: Int, source: String, read: @escaping (Range<Int>) throws -> [UInt8]
    ) throws {
        try self.init(footer: footer, file: FileBytes(fileBytes: fileBytes, source: source, read: read, tail: []))
    }

    private init(footer: ParquetFooter, file: FileBytes) throws {
        self.footer = footer
        self.file = file
        self.file.uncountedBytes = Self.uncountedBytes(footer.createdBy)
        source = file.source
        nodes = try SchemaTree.build(footer.schema, source: file.source)
        leaves = nodes.flatMap(\.leaves)
        try FooterReader.check(footer, leaves, source: file.source)
    }

    /// parquet-mr before 1.2.9 left the header of the dictionary page out of a chunk's size.
    /// See https://issues.apache.org/jira/browse/PARQUET-816
    private static func uncountedBytes(_ createdBy: String?) -> Int {
        let old = ["parquet-mr version 1.0.", "parquet-mr version 1.1.", "parquet-mr version 1.2."]
        return createdBy == "parquet-mr" || old.contains { createdBy?.hasPrefix($0) == true } ? 100 : 0
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

    /// The rows of one row group that pass `filter`, with the projection's schema.
    ///
    /// Fields are found by id at every level, whatever their names. An optional field that the file lacks is all null,
    /// a required one throws `.corrupted` (`missing_column`). Values are promoted from int to long, float to double,
    /// and to a decimal of more digits.
    ///
    /// The filter is over field ids of the projection or of the file; a field that neither has is null. It is exact,
    /// and also decides what is read at all; see `readRows`.
    public func readRowGroup(
        _ index: Int, projection: Schema, filter: Expression = .alwaysTrue
    ) throws -> RecordBatch {
        try readRows(index, projection: projection, filter: filter).batch
    }

    /// The rows of one row group that pass `filter`, and their numbers within the group; nil for all of them.
    ///
    /// 1. Statistics and Bloom filters may prove that no row passes.
    /// 2. The page index leaves the ranges of rows whose pages may hold one that does.
    /// 3. The filter's columns are read in these ranges and the filter is evaluated.
    /// 4. The other columns are read where rows are left: the pages of the offset index that hold them or, without one,
    ///    all pages, of which those without such rows stay compressed where their headers tell.
    ///
    /// Nearby ranges of the file are fetched by one call of `read`.
    public func readRows(
        _ index: Int, projection: Schema, filter: Expression = .alwaysTrue
    ) throws -> (batch: RecordBatch, rows: [Int32]?) {
        precondition(footer.rowGroups.indices.contains(index), "no such row group")
        let group = footer.rowGroups[index]
        let plans = try ReadPlan.build(projection.fields, in: nodes, source: source)
        try checkRows(group)
        let predicate = try RowFilter(filter, projection: projection, nodes: nodes, source: source)
        var reader = RowGroupReader(
            file: file, group: group, number: index, decompressor: decompressor, page: page)
        let all = RowSelection(all: group.rowCount)
        guard predicate.expression != .alwaysTrue else {
            return (try reader.batch(projection, plans, all), nil)
        }
        guard try mayMatch(index, predicate) else { return (try reader.batch(projection, plans, RowSelection()), []) }
        let candidates = try pages(of: index, predicate).intersection(all)
        guard !candidates.isEmpty else { return (try reader.batch(projection, plans, RowSelection()), []) }
        let filterSchema = predicate.schema()
        let filterPlans = try ReadPlan.build(filterSchema.fields, in: nodes, source: source)
        let probe = try reader.batch(filterSchema, filterPlans, candidates)
        let rows = candidates.rows(at: try ExpressionEvaluator(predicate.expression).select(probe))
        let batch = try reader.batch(projection, plans, RowSelection(rows: rows))
        return (batch, rows.count == group.rowCount ? nil : rows)
    }

    /// All rows of one row group, with the projection's schema, to be read a batch at a time in bounded memory.
    /// Fields are found as by `readRowGroup`.
    public func rows(_ index: Int, projection: Schema) throws -> ParquetRowReader {
        precondition(footer.rowGroups.indices.contains(index), "no such row group")
        let group = footer.rowGroups[index]
        let plans = try ReadPlan.build(projection.fields, in: nodes, source: source)
        try checkRows(group)
        return try ParquetRowReader(projection: projection, plans: plans, group: group, number: index, file: file)
    }

    func checkRows(_ group: ParquetFooter.RowGroup) throws(FirnError) {
        let stored = group.columns.reduce(0) { min($0 + min($1.compressedBytes, file.fileBytes), file.fileBytes) }
        try RowGroupReader.checkEntries(group.rowCount, stored: stored, source: source)
    }
}
