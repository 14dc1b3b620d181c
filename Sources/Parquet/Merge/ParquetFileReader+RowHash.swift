import Base
import Columnar

/// The hash of rows from pages: column by column, without making rows.
extension ParquetFileReader {
    /// Row groups with more rows are hashed as batches: sums take a word a row.
    private static let rowsMax = 4 << 20

    /// The fingerprint of one row group's rows, with these columns; `readRowGroup` tells how they are found.
    public func rowHash(_ index: Int, projection: Schema) throws -> RowHash {
        var hash = RowHash()
        let count = footer.rowGroups[index].rowCount
        guard sumsRows(of: index) else {
            let rows = try rows(index, projection: projection)
            while let batch = try rows.next() { hash.add(batch) }
            return hash
        }
        try checkRows(footer.rowGroups[index])
        let sums = RowSums(rowCount: count)
        for field in projection.fields { try add(field, index, to: sums) }
        hash.add(sums, count: count)
        return hash
    }

    /// Whether the rows of a row group can be summed at once.
    public func sumsRows(of index: Int) -> Bool { footer.rowGroups[index].rowCount <= Self.rowsMax }

    /// Adds what a field states about the rows of a row group. Precondition: `sumsRows`.
    public func add(_ field: Field, _ index: Int, to sums: RowSums) throws {
        try checkRows(footer.rowGroups[index])
        let group = footer.rowGroups[index]
        guard let statements = try statements(field) else {
            let rows = try rows(index, projection: Schema(fields: [field]))
            var row = 0
            while let batch = try rows.next() {
                sums.add(batch.columns[0], field.id, field.type, rows: 0..<batch.rowCount, at: row)
                row += batch.rowCount
            }
            return
        }
        let fetched = try fetchIfSmall(statements.map(\.leaf), group)
        for known in statements {
            var stream = try stream(known.leaf, group, fetched)
            var hasher = LeafHasher(known, sums)
            while let page = try stream.next() { try hasher.add(page, &stream) }
            hasher.finish()
        }
    }

    /// Whether the pages of a field tell all about it.
    public func statesRows(of field: Field) throws -> Bool { try statements(field) != nil }

    /// What the leaves of a field state; nil where pages alone do not tell.
    func statements(_ field: Field) throws -> [LeafStatements]? {
        guard let plan = try ReadPlan.build([field], in: nodes, source: source).first else { return nil }
        return LeafStatements.collect(plan, fieldId: field.id)
    }

    /// Chunks that lie near each other in a small row group come with one request.
    func fetchIfSmall(_ leaves: [SchemaLeaf], _ group: ParquetFooter.RowGroup) throws -> FetchedBytes? {
        let ranges = try leaves.map { try RowGroupReader.range(group.columns[$0.column], $0, file) }
        let total = ranges.reduce(0) { $0 + $1.count }
        return total <= ParquetLimits.requestBytesTarget ? try file.fetch(ranges) : nil
    }

    func stream(
        _ leaf: SchemaLeaf, _ group: ParquetFooter.RowGroup, _ fetched: FetchedBytes?
    ) throws -> LeafStream {
        try LeafStream(leaf, group, file, fetched: fetched, decompressor: decompressor, page: page)
    }
}
