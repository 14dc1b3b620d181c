import Base
import Columnar
import Parquet

/// What a Parquet footer says of each column over the whole file.
///
/// 1. The leaves of the schema tree, depth first, are the chunks of every row group, in their order.
/// 2. Sizes and counts are summed. A count that one row group does not tell is unknown.
/// 3. Bounds are the lowest and highest of all row groups that hold a value, in the table's type. When one of them
///    does not tell its own, there are none: a bound may be wide, never narrow.
struct FooterMetrics {
    struct Column {
        /// `nullCount` is 0 here when it is not known.
        var metrics: ColumnMetrics
        var nullCount: Int?
    }

    /// By field id; only columns of the table.
    private(set) var byField: [Int: Column] = [:]

    init(_ reader: ParquetFileReader, schema: Schema) {
        let fields = Dictionary(
            schema.allFields.map { ($0.field.id, $0.field) }, uniquingKeysWith: { first, _ in first })
        for (index, leaf) in Self.leaves(reader.footer.schema).enumerated() {
            guard let id = leaf.fieldId, let field = fields[id] else { continue }
            let part = Self.column(index, field, isRepeated: leaf.isRepeated, reader)
            // A variant's leaves are one column.
            byField[id]?.metrics.columnBytes += part.metrics.columnBytes
            if byField[id] == nil { byField[id] = part }
        }
    }

    private struct Leaf {
        var fieldId: Int?
        var isRepeated: Bool
    }

    /// A leaf without an id of its own has that of the group around it, as the parts of a variant.
    private static func leaves(_ elements: [ParquetFooter.SchemaElement]) -> [Leaf] {
        var leaves: [Leaf] = []
        /// Groups around the next element, with the members each still has.
        var open: [(left: Int, leaf: Leaf)] = []
        for element in elements.dropFirst() {
            while let last = open.last, last.left == 0 { open.removeLast() }
            if !open.isEmpty { open[open.count - 1].left -= 1 }
            let outer = open.last?.leaf
            let leaf = Leaf(
                fieldId: element.fieldId ?? outer?.fieldId,
                isRepeated: element.repetition == .repeated || outer?.isRepeated == true)
            if let children = element.childCount { open.append((children, leaf)) } else { leaves.append(leaf) }
        }
        return leaves
    }

    private static func column(_ index: Int, _ field: Field, isRepeated: Bool, _ reader: ParquetFileReader) -> Column {
        var metrics = ColumnMetrics(columnBytes: 0, valueCount: 0, nullCount: 0, isRepeated: isRepeated)
        var nulls: Int? = 0
        var nans: Int? = field.type == .float || field.type == .double ? 0 : nil
        var hasBounds = !isRepeated && field.type.isPrimitive
        for (number, group) in reader.footer.rowGroups.enumerated() where group.rowCount > 0 {
            let chunk = group.columns[index]
            metrics.columnBytes += chunk.compressedBytes
            metrics.valueCount += chunk.valueCount
            nulls = nulls.flatMap { sum in chunk.statistics?.nullCount.map { sum + $0 } }
            nans = nans.flatMap { sum in chunk.statistics?.nanCount.map { sum + $0 } }
            guard hasBounds, chunk.statistics?.nullCount != chunk.valueCount else { continue }
            let known = reader.statistics(rowGroup: number, fieldId: field.id, as: field.type)
            guard let lower = known?.lower, let upper = known?.upper, merge(lower, upper, into: &metrics) else {
                hasBounds = false
                continue
            }
        }
        if !hasBounds { (metrics.lowerBound, metrics.upperBound) = (nil, nil) }
        metrics.nullCount = nulls ?? 0
        metrics.nanCount = nans
        return Column(metrics: metrics, nullCount: nulls)
    }

    /// False for bounds that make no sense.
    private static func merge(_ lower: Value, _ upper: Value, into metrics: inout ColumnMetrics) -> Bool {
        guard let order = ValueOrder.compare(lower, upper), order != .greater else { return false }
        if let known = metrics.lowerBound {
            if ValueOrder.compare(lower, known) == .less { metrics.lowerBound = lower }
        } else {
            metrics.lowerBound = lower
        }
        if let known = metrics.upperBound {
            if ValueOrder.compare(upper, known) == .greater { metrics.upperBound = upper }
        } else {
            metrics.upperBound = upper
        }
        return true
    }

    /// Where the row groups start; nil when they do not follow each other.
    static func splitOffsets(_ footer: ParquetFooter) -> [Int64]? {
        let offsets = footer.rowGroups.compactMap { group in
            group.columns.map { chunk in
                // Some writers say 0 for a chunk without dictionary.
                let dictionary = chunk.dictionaryPageOffset.flatMap { $0 > 0 ? $0 : nil }
                return Int64(min(chunk.dataPageOffset, dictionary ?? chunk.dataPageOffset))
            }.min()
        }
        let rises = zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 }
        return offsets.count == footer.rowGroups.count && rises && offsets.first ?? 0 > 0 ? offsets : nil
    }
}
