import Base
import Columnar
import Iceberg

/// What a table's properties say of columns, when the columns change.
///
/// | property | renamed | dropped |
/// |---|---|---|
/// | `schema.name-mapping.default` | the new name joins the old one | stays, for older files |
/// | `write.metadata.metrics.column.<path>` and others that end in a path | follows | goes |
/// | `firn.event-time.column`, `firn.event-time.mark-column` | follows | refused |
enum ColumnProperties {
    /// Beginnings of keys that end in the path of a column.
    static let prefixes = [
        "write.metadata.metrics.column.", "write.parquet.bloom-filter-enabled.column.",
        "write.parquet.bloom-filter-fpp.column.", "write.parquet.bloom-filter-ndv.column.",
        "write.parquet.stats-enabled.column.", "write.parquet.dict-encoding-enabled.column.",
    ]
    /// Keys whose value is the path of a column that ingestion needs.
    static let values = ["firn.event-time.column", "firn.event-time.mark-column"]
}

extension TableMetadata {
    /// Brings the properties in step with the columns. Throws `.conflict` (`column_in_use`).
    mutating func followColumns(from old: Schema, to new: Schema) throws(FirnError) {
        if let mapping = nameMapping {
            let updated = mapping.updated(from: old, to: new)
            if updated != mapping { properties[NameMapping.property] = updated.json.text }
        }
        var paths: [String: String?] = [:]
        for (path, field) in old.allFields {
            let now = new.path(id: field.id)
            if now != path { paths.updateValue(now, forKey: path) }
        }
        guard !paths.isEmpty else { return }
        for key in ColumnProperties.values {
            guard let path = properties[key], let moved = paths[path] else { continue }
            guard let moved else {
                throw FirnError(
                    .conflict, "column_in_use", "the property \(key) names this column; remove it first",
                    context: ["column": path])
            }
            properties[key] = moved
        }
        // All old keys go before any new one comes: two columns may have swapped their names.
        var moves: [(key: String, value: String)] = []
        for (key, value) in properties {
            guard let prefix = ColumnProperties.prefixes.first(where: key.hasPrefix),
                let moved = paths[String(key.dropFirst(prefix.count))]
            else { continue }
            properties[key] = nil
            if let moved { moves.append((prefix + moved, value)) }
        }
        for (key, value) in moves { properties[key] = value }
    }
}
