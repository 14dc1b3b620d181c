import Base
import Columnar

extension ParquetFileReader {
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
        let bounds = hasTrustedBounds(leaf) ? StatisticsReader.bounds(statistics, leaf, type) : nil
        return (bounds?.lower, bounds?.upper, statistics.nullCount)
    }

    /// False proves, by statistics and Bloom filters, that no row of the group passes `filter`. Literals have the types
    /// of the projection's fields, and the file's for others.
    public func mayMatch(
        rowGroup: Int, filter: Expression, projection: Schema = Schema(fields: [])
    ) throws -> Bool {
        precondition(footer.rowGroups.indices.contains(rowGroup), "no such row group")
        return try mayMatch(rowGroup, RowFilter(filter, projection: projection, nodes: nodes, source: source))
    }

    func mayMatch(_ rowGroup: Int, _ filter: RowFilter) throws -> Bool {
        let known = Dictionary(
            uniqueKeysWithValues: filter.inclusive.fieldIds.map { ($0, fieldStatistics(rowGroup, $0, filter)) })
        return try mayMatch(rowGroup, filter.inclusive) { known[$0] ?? nil }
    }

    private func mayMatch(
        _ rowGroup: Int, _ predicate: Expression, _ statistics: (Int) -> FieldStatistics?
    ) throws -> Bool {
        switch predicate {
        case .and(let a, let b):
            return try mayMatch(rowGroup, a, statistics) && mayMatch(rowGroup, b, statistics)
        case .or(let a, let b):
            return try mayMatch(rowGroup, a, statistics) || mayMatch(rowGroup, b, statistics)
        case .compare(let id, .equal, let literal):
            return try Pruning.mayMatch(predicate, statistics) && mayContain(rowGroup, id, literal)
        case .isIn(let id, let literals):
            // One literal after the other: statistics may leave few, and a filter may exclude those.
            return try literals.contains { literal in
                try Pruning.mayMatch(.compare(fieldId: id, .equal, literal), statistics)
                    && mayContain(rowGroup, id, literal)
            }
        default: return Pruning.mayMatch(predicate, statistics)
        }
    }

    /// The leaf of a field outside lists.
    private func flatLeaf(_ fieldId: Int) -> SchemaLeaf? {
        leaves.first { $0.fieldId == fieldId && $0.repetitionMax == 0 }
    }

    private func fieldStatistics(_ rowGroup: Int, _ id: Int, _ filter: RowFilter) -> FieldStatistics? {
        guard let type = filter.type(of: id), type.isPrimitive else { return nil }
        guard let leaf = flatLeaf(id) else {
            // A field that the file lacks has its default, or is null. Within a struct it is null with the struct.
            guard !nodes.contains(where: { $0.leaves.contains { $0.fieldId == id } }) else { return nil }
            guard let value = filter.field(id)?.initialDefault else { return FieldStatistics(exactly: .null) }
            return filter.isTopLevel(id) ? FieldStatistics(exactly: value) : nil
        }
        guard let found = statistics(rowGroup: rowGroup, fieldId: leaf.fieldId, as: type) else { return nil }
        var statistics = FieldStatistics(
            lower: found.lower, upper: found.upper, mayHaveNull: found.nullCount != 0,
            mayHaveNaN: type == .float || type == .double)
        statistics.allNull = found.nullCount.map { $0 >= footer.rowGroups[rowGroup].rowCount } ?? false
        return statistics
    }

    // MARK: Bloom filters

    private func mayContain(_ rowGroup: Int, _ id: Int, _ literal: Value) throws -> Bool {
        guard let leaf = flatLeaf(id), let hash = BloomFilter.hash(literal, in: leaf),
            let filter = try usableBloomFilter(rowGroup, leaf)
        else { return true }
        return filter.mayContain(hash: hash)
    }

    /// Nil when there is none or its bytes make no sense: it only saves work.
    private func usableBloomFilter(_ rowGroup: Int, _ leaf: SchemaLeaf) throws -> BloomFilter? {
        if bloomFilters.rowGroup != rowGroup { bloomFilters = (rowGroup, [:]) }
        if let known = bloomFilters.byColumn[leaf.column] { return known }
        var filter: BloomFilter?
        do {
            filter = try bloomFilter(rowGroup: rowGroup, column: leaf.column)?.filter
        } catch let error as FirnError
            where error.kind == .corrupted || error.kind == .unsupported || error.kind == .limitExceeded
        {
            filter = nil
        }
        bloomFilters.byColumn[leaf.column] = .some(filter)
        return filter
    }

    // MARK: Pages

    /// The rows in pages that may hold one that passes.
    func pages(of rowGroup: Int, _ filter: RowFilter) throws -> RowSelection {
        let group = footer.rowGroups[rowGroup]
        let wanted = filter.inclusive.fieldIds.compactMap(flatLeaf).filter {
            group.columns[$0.column].columnIndexOffset != nil
        }
        let indexes = try RowGroupReader.pageIndexes(wanted, group, file, bounds: true)
        let all = RowSelection(all: group.rowCount)
        return indexes.isEmpty ? all : rows(filter.inclusive, filter, indexes, all)
    }

    private func rows(
        _ predicate: Expression, _ filter: RowFilter, _ indexes: [Int: ParquetPageIndex], _ all: RowSelection
    ) -> RowSelection {
        switch predicate {
        case .alwaysTrue, .not: return all
        case .alwaysFalse: return RowSelection()
        case .and(let a, let b):
            return rows(a, filter, indexes, all).intersection(rows(b, filter, indexes, all))
        case .or(let a, let b): return rows(a, filter, indexes, all).union(rows(b, filter, indexes, all))
        case .compare(let id, _, _), .isNull(let id), .notNull(let id), .isIn(let id, _), .startsWith(let id, _):
            guard let leaf = flatLeaf(id), let index = indexes[leaf.column], index.boundaryOrder != nil,
                let type = filter.type(of: id), type.isPrimitive
            else { return all }
            var selection = RowSelection()
            for page in index.pages {
                let statistics = self.statistics(page, leaf, type)
                if Pruning.mayMatch(predicate, { _ in statistics }) {
                    selection.append(page.firstRow..<page.firstRow + page.rowCount)
                }
            }
            return selection
        }
    }

    private func statistics(_ page: ParquetPageIndex.Page, _ leaf: SchemaLeaf, _ type: DataType) -> FieldStatistics {
        var raw = ParquetFooter.Statistics()
        (raw.minValue, raw.maxValue, raw.nullCount) = (page.minValue, page.maxValue, page.nullCount)
        let bounds = hasTrustedBounds(leaf) ? StatisticsReader.bounds(raw, leaf, type) : nil
        var statistics = FieldStatistics(
            lower: bounds?.lower, upper: bounds?.upper, mayHaveNull: page.isNullPage || page.nullCount != 0,
            mayHaveNaN: type == .float || type == .double)
        statistics.allNull = page.isNullPage
        return statistics
    }

    /// Bounds mean something when the footer names their order. parquet-mr before 1.8 compared bytes as signed.
    func hasTrustedBounds(_ leaf: SchemaLeaf) -> Bool {
        guard footer.hasColumnOrders else { return false }
        switch leaf.element.physicalType {
        case .byteArray, .fixedLenByteArray: return !(footer.createdBy.map(Self.isOldParquetJava) ?? false)
        default: return true
        }
    }

    private static func isOldParquetJava(_ createdBy: String) -> Bool {
        let prefix = "parquet-mr version "
        guard createdBy.hasPrefix(prefix) else { return false }
        let numbers = createdBy.dropFirst(prefix.count).split(whereSeparator: { !$0.isNumber }).prefix(2)
        let version = numbers.compactMap { Int($0) }
        return version.count == 2 && (version[0] < 1 || version[0] == 1 && version[1] < 8)
    }
}
