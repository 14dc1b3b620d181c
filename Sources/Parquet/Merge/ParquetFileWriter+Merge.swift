import Base
import Columnar

/// Row groups of other files, taken over column by column.
///
/// 1. `begin` makes room for the rows: the open row group is written first when it would get too many.
/// 2. Every top-level column gets its rows once: its pages as they are (`appendPages`), or as columns (`appendColumn`),
///    where the file has another type or other levels, or no such column.
/// 3. `end` checks that all columns have got them.
///
/// Between `begin` and `end` nothing else may be written.
extension ParquetFileWriter {
    /// Row groups with more rows or bytes are read as batches, which can be split.
    private static let rowsMax = 4 << 20

    /// Whether a row group can be taken over whole.
    public func takes(rowGroup: Int, of reader: ParquetFileReader) -> Bool {
        let group = reader.footer.rowGroups[rowGroup]
        var bytes = 0
        for chunk in group.columns { bytes = min(bytes + chunk.compressedBytes, 1 << 40) }
        return group.rowCount <= Self.rowsMax && bytes <= 2 * options.rowGroupBytesTarget
    }

    /// Whether pages of a top-level field can be taken over: the file has it with the same levels and physical types.
    public func takesPages(of fieldId: Int, from reader: ParquetFileReader) -> Bool {
        leafPairs(fieldId, reader) != nil
    }

    /// Begins to take over `count` rows.
    public func begin(rows count: Int) throws {
        precondition(!isClosed)
        _ = try layout.get()
        if groupRows > 0, groupRows + count > options.rowGroupRowsMax { try closeRowGroup() }
    }

    /// Takes over the pages of a field. Precondition: `takesPages`.
    ///
    /// - Parameter sums: gets what the column states about each row, so that nothing is read twice.
    ///
    /// Throws `.corrupted` and `.unsupported` for a damaged input, as readers do, and what the sink throws.
    public func appendPages(
        of field: Field, from reader: ParquetFileReader, rowGroup: Int, sums: RowSums?
    ) throws {
        guard let pairs = leafPairs(field.id, reader) else { preconditionFailure("pages that do not fit") }
        let group = reader.footer.rowGroups[rowGroup]
        let statements = sums == nil ? [] : try reader.statements(field)
        if let sums, statements == nil {
            preconditionFailure("a column that does not tell its \(sums.rowCount) rows")
        }
        let chunks = max(1, options.rowGroupRowsMax / max(1, group.rowCount))
        let fetched = try reader.fetchIfSmall(pairs.map(\.leaf), group)
        for (writer, leaf) in pairs {
            var hasher = statements?.first { $0.leaf.column == leaf.column }.map { LeafHasher($0, sums!) }
            var stream = try reader.stream(leaf, group, fetched)
            try leaves[writer].merge(&stream, hasher: &hasher, chunks: chunks)
        }
    }

    /// Appends some rows of a field.
    public func appendColumn(_ column: Column, of fieldId: Int) throws {
        guard let node = try layout.get().first(where: { $0.fieldId == fieldId }) else { return }
        try shred(node, column, LevelStream.rows(0..<column.rowCount))
    }

    /// Ends what `begin` began. Throws `.internal` (`merge_incomplete`) when a column has got other rows.
    public func end(rows count: Int) throws {
        groupRows += count
        guard leaves.allSatisfy({ $0.chunkRows == groupRows }) else {
            throw FirnError(.internal, "merge_incomplete", "the columns of a merged row group have different rows")
        }
        if groupRows >= options.rowGroupRowsMax || bufferedBytes >= options.rowGroupBytesTarget {
            try closeRowGroup()
        }
    }

    private func leafPairs(_ fieldId: Int, _ reader: ParquetFileReader) -> [(writer: Int, leaf: SchemaLeaf)]? {
        guard let own = (try? layout.get())?.first(where: { $0.fieldId == fieldId }),
            let other = reader.nodes.first(where: { $0.fieldId == fieldId })
        else { return nil }
        var pairs: [(writer: Int, leaf: SchemaLeaf)] = []
        return Self.match(own, other, isTop: true, &pairs) ? pairs : nil
    }

    private static func match(
        _ own: SchemaNode, _ other: SchemaNode, isTop: Bool, _ pairs: inout [(writer: Int, leaf: SchemaLeaf)]
    ) -> Bool {
        guard own.fieldId == other.fieldId, !own.isVariant, !other.isVariant else { return false }
        var isSameLevel = own.isOptional == other.isOptional && own.definition == other.definition
        if isTop, own.isOptional, !other.isOptional, case .leaf = own.shape { isSameLevel = true }
        guard isSameLevel, own.repetition == other.repetition else { return false }
        switch (own.shape, other.shape) {
        case (.leaf(let a), .leaf(let b)):
            guard a.takesValues(of: b) else { return false }
            pairs.append((a.column, b))
            return true
        case (.structure(let a), .structure(let b)):
            return a.allSatisfy { child in
                b.first { $0.fieldId == child.fieldId }.map { match(child, $0, isTop: false, &pairs) } ?? false
            }
        case (.list(let a), .list(let b)): return match(a, b, isTop: false, &pairs)
        case (.map(let keyA, let valueA), .map(let keyB, let valueB)):
            return match(keyA, keyB, isTop: false, &pairs) && match(valueA, valueB, isTop: false, &pairs)
        default: return false
        }
    }
}

extension SchemaLeaf {
    /// True when stored values of `other` mean the same in this column.
    fileprivate func takesValues(of other: SchemaLeaf) -> Bool {
        guard let type = dataType, type == other.dataType, element.physicalType == other.element.physicalType,
            element.typeLength == other.element.typeLength, isSigned == other.isSigned,
            element.physicalType != .int96, other.element.logicalType != .null
        else { return false }
        switch type {
        case .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs: return timeUnit == other.timeUnit
        default: return true
        }
    }
}
