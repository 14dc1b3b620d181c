import Base
import Columnar
import Parquet

/// Which metrics of which column a data file's entry carries.
///
/// 1. `write.metadata.metrics.column.<path>` decides, else `write.metadata.metrics.default` for the first
///    `write.metadata.metrics.max-inferred-column-defaults` leaf columns, else none.
/// 2. Columns of the sort order get at least bounds of 16 characters.
/// 3. Leaves inside lists and maps get sizes only: their counts say nothing about rows.
///
/// Spec: https://iceberg.apache.org/docs/latest/configuration/#write-properties
struct FileMetrics {
    private var modes: [Int: MetricsMode] = [:]

    init(schema: Schema, metadata: TableMetadata) {
        let properties = metadata.tableProperties
        let sorted = Set(metadata.defaultSortOrder.fields.map(\.sourceId))
        var remaining = properties.metricsColumnsMax
        for (path, field) in schema.allFields where field.type.isPrimitive || field.type == .variant {
            var mode = remaining > 0 ? properties.metricsModeDefault : .none
            remaining -= 1
            if let own = properties.metricsMode(path: path) { mode = own }
            if sorted.contains(field.id), mode == .none || mode == .counts { mode = .truncate(16) }
            modes[field.id] = mode
        }
    }

    /// The same choice for the Parquet writer, which can then leave work undone.
    var parquetModes: [Int: ParquetWriteOptions.MetricsMode] {
        modes.mapValues {
            switch $0 {
            case .none: .none
            case .counts: .counts
            case .truncate(let width): .truncate(width)
            case .full: .full
            }
        }
    }

    /// Fills an entry's maps.
    func fill(_ file: inout DataFile, from columns: [Int: ColumnMetrics]) {
        for (id, column) in columns {
            let mode = modes[id] ?? .none
            guard mode != .none else { continue }
            file.columnSizes[id] = Int64(column.columnBytes)
            guard !column.isRepeated else { continue }
            file.valueCounts[id] = Int64(column.valueCount)
            file.nullValueCounts[id] = Int64(column.nullCount)
            if let nans = column.nanCount { file.nanValueCounts[id] = Int64(nans) }
            guard mode != .counts else { continue }
            var (lower, upper) = (column.lowerBound, column.upperBound)
            if case .truncate(let width) = mode {
                lower = lower.map { Truncation.lower($0, width: width) }
                upper = upper.flatMap { Truncation.upper($0, width: width) }
            }
            if let bytes = lower.flatMap(SingleValue.encode) { file.lowerBounds[id] = bytes }
            if let bytes = upper.flatMap(SingleValue.encode) { file.upperBounds[id] = bytes }
        }
    }
}
