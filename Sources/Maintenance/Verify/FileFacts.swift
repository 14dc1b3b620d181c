import Base
import Columnar
import Iceberg
import Parquet
import Storage

/// What a Parquet file's footer says that a manifest's entry repeats.
struct FileFacts {
    struct ColumnFacts {
        var values: Int64 = 0
        /// Nil when a row group does not tell.
        var nulls: Int64? = 0
        var nans: Int64? = 0
        var bytes: Int64 = 0
        /// Not above any value; nil when a row group does not tell.
        var lower: Value?
        var upper: Value?
        /// True when the bound is a value of the column.
        var isLowerExact = true
        var isUpperExact = true
        var hasBounds = true
    }

    private(set) var rowCount: Int64 = 0
    /// Starts of the row groups.
    private(set) var splitOffsets: [Int64] = []
    /// By field id; leaves outside lists and maps.
    private(set) var columns: [Int: ColumnFacts] = [:]
    /// Bytes of leaves inside lists and maps.
    private(set) var repeatedBytes: [Int: Int64] = [:]
    let fieldIds: Set<Int>

    init(_ reader: ParquetFileReader, types: ColumnTypes) {
        let footer = reader.footer
        fieldIds = Set(footer.schema.compactMap(\.fieldId))
        let leaves = Self.leaves(footer)
        for (index, group) in footer.rowGroups.enumerated() {
            rowCount &+= Int64(group.rowCount)
            if let first = group.columns.first {
                splitOffsets.append(
                    Int64(min(first.dataPageOffset, first.dictionaryPageOffset.flatMap { $0 > 0 ? $0 : nil } ?? .max)))
            }
            for leaf in leaves where leaf.column < group.columns.count {
                let chunk = group.columns[leaf.column]
                guard !leaf.isRepeated else {
                    repeatedBytes[leaf.id, default: 0] &+= Int64(chunk.compressedBytes)
                    continue
                }
                var facts = columns[leaf.id] ?? ColumnFacts()
                facts.add(chunk, reader.statistics(rowGroup: index, fieldId: leaf.id, as: types[leaf.id]))
                columns[leaf.id] = facts
            }
        }
    }

    private struct Leaf {
        let column: Int
        let id: Int
        let isRepeated: Bool
    }

    /// Leaves with an id, in column order. The reader has checked that the elements are one whole tree.
    private static func leaves(_ footer: ParquetFooter) -> [Leaf] {
        var leaves: [Leaf] = []
        var column = 0
        var position = 1
        func walk(_ count: Int, _ isRepeated: Bool) {
            for _ in 0..<count where position < footer.schema.count {
                let element = footer.schema[position]
                position += 1
                let inner = isRepeated || element.repetition == .repeated
                if let children = element.childCount {
                    walk(children, inner)
                } else {
                    if let id = element.fieldId { leaves.append(Leaf(column: column, id: id, isRepeated: inner)) }
                    column += 1
                }
            }
        }
        walk(footer.schema.first?.childCount ?? 0, false)
        return leaves
    }

    /// The entry with everything the footer knows better; bounds that it does not know go.
    func correct(_ file: DataFile) -> DataFile {
        var file = file
        file.recordCount = rowCount
        if file.splitOffsets != nil { file.splitOffsets = splitOffsets }
        for (id, facts) in columns {
            if file.columnSizes[id] != nil { file.columnSizes[id] = facts.bytes }
            if file.valueCounts[id] != nil { file.valueCounts[id] = facts.values }
            if file.nullValueCounts[id] != nil { file.nullValueCounts[id] = facts.nulls }
            // A footer rarely counts NaNs. A count that cannot be right says less than none.
            if file.nanValueCounts[id] != nil { file.nanValueCounts[id] = facts.nans }
            let hadBounds = file.lowerBounds[id] != nil || file.upperBounds[id] != nil
            file.lowerBounds[id] = nil
            file.upperBounds[id] = nil
            guard hadBounds, facts.hasBounds else { continue }
            file.lowerBounds[id] = facts.lower.flatMap { SingleValue.encode(Truncation.lower($0, width: 16)) }
            file.upperBounds[id] = facts.upper.flatMap { Truncation.upper($0, width: 16) }
                .flatMap(SingleValue.encode)
        }
        // Nothing vouches for what is said of columns that the file does not have.
        for id in Set(file.lowerBounds.keys).union(file.upperBounds.keys) where columns[id] == nil {
            file.lowerBounds[id] = nil
            file.upperBounds[id] = nil
        }
        return file
    }
}

extension FileFacts.ColumnFacts {
    fileprivate mutating func add(
        _ chunk: ParquetFooter.ColumnChunk, _ statistics: (lower: Value?, upper: Value?, nullCount: Int?)?
    ) {
        values &+= Int64(chunk.valueCount)
        bytes &+= Int64(chunk.compressedBytes)
        let own = chunk.statistics
        nulls = own?.nullCount.flatMap { count in nulls.map { $0 &+ Int64(count) } }
        nans = own?.nanCount.flatMap { count in nans.map { $0 &+ Int64(count) } }
        guard let low = statistics?.lower, let high = statistics?.upper else {
            // A chunk of nulls has no bounds and needs none.
            if own?.nullCount != chunk.valueCount { hasBounds = false }
            return
        }
        let isLowWhole = own?.isMinExact ?? Self.isWhole(low)
        let isHighWhole = own?.isMaxExact ?? Self.isWhole(high)
        if lower == nil || ValueOrder.compare(low, lower!) == .less { lower = low }
        if upper == nil || ValueOrder.compare(high, upper!) == .greater { upper = high }
        isLowerExact = isLowerExact && isLowWhole
        isUpperExact = isUpperExact && isHighWhole
    }

    /// Bounds of a writer that does not say whether it cut them: this short, nobody does.
    private static func isWhole(_ value: Value) -> Bool {
        switch value {
        case .string(let text): text.utf8.count < 32
        case .binary(let bytes): bytes.count < 32
        default: true
        }
    }
}
