import Base
import Columnar
import Parquet
import Storage

/// Describes an existing Parquet file as a data file of a table, from its footer alone.
///
/// 1. The file's columns are the table's by field id. A file without ids gets them from the table's name mapping or,
///    where there is none, by the names of the current schema.
/// 2. Their types must be the table's, or ones that Iceberg promotes to them; what the table requires must be there and
///    provably never null. Columns that the table lacks are reported.
/// 3. Counts, sizes and bounds come from the footer (`FooterMetrics`), under the table's metrics properties.
/// 4. The partition must follow from the bounds, or stand in the path (`PartitionDerivation`).
///
/// Nothing is written, and no row is read. Spec: https://iceberg.apache.org/spec/#column-projection
public struct FileImporter: Sendable {
    /// What a file is to the table.
    public enum Outcome: Sendable {
        /// Ready for an append. `usesNameMapping` when its columns were found by name.
        case file(DataFile, usesNameMapping: Bool)
        /// It holds no rows.
        case empty
        /// It has columns that the table lacks; these operations would add them.
        case lacking([SchemaChange.Operation])
    }

    private let metadata: TableMetadata
    private let mapping: NameMapping
    private let check: FileSchemaCheck
    private let derivation: PartitionDerivation
    private let metrics: FileMetrics

    /// Throws `.corrupted` (`bad_name_mapping`) when the table has a name mapping that cannot be read, `.unsupported`
    /// (`unknown_transform`) for a default spec with a transform that Firn does not know.
    public init(_ metadata: TableMetadata) throws(FirnError) {
        self.metadata = metadata
        if let text = metadata.properties[NameMapping.property] {
            mapping = try NameMapping(parsing: text)
        } else {
            mapping = NameMapping(metadata.currentSchema)
        }
        check = FileSchemaCheck(metadata)
        derivation = try PartitionDerivation(metadata)
        metrics = FileMetrics(schema: metadata.currentSchema, metadata: metadata)
    }

    /// Reads a file's footer.
    ///
    /// Throws `.notFound` for a missing file; `.corrupted` and `.unsupported` for one that is no Parquet file or cannot
    /// be read; `.invalidInput`: `incompatible_type`, `missing_column`, `null_in_required`, `field_id_mismatch` and
    /// `field_ids` for a schema that does not fit, `partition_unknown` and `partition_mixed` for rows that do not lie
    /// in one known partition.
    public func examine(_ location: String, store: any ObjectStore) throws -> Outcome {
        guard let fileBytes = try store.size(location) else {
            throw FirnError(.notFound, "file_not_found", "there is no such file", context: ["file": location])
        }
        let read: (Range<Int>) throws -> [UInt8] = { try store.read(location, range: $0) }
        var reader = try ParquetFileReader(fileBytes: fileBytes, source: location, read: read)
        let hasIds = reader.footer.schema.contains { $0.fieldId != nil }
        if !hasIds {
            reader = try ParquetFileReader(
                footer: mapping.applied(to: reader.footer), fileBytes: fileBytes, source: location, read: read)
        }
        let missing = try check.compare(try reader.fileSchema(), hasIds: hasIds, source: location)
        guard missing.isEmpty else { return .lacking(missing) }
        let rows = reader.footer.rowGroups.reduce(0) { $0 + $1.rowCount }
        guard rows > 0 else { return .empty }
        let columns = FooterMetrics(reader, schema: metadata.currentSchema)
        try check.requireValues(try reader.fileSchema(), columns, source: location)
        var file = DataFile(
            path: location, partition: try derivation.partition(of: location, columns),
            specId: metadata.defaultSpecId, recordCount: Int64(rows), fileBytes: Int64(fileBytes),
            splitOffsets: FooterMetrics.splitOffsets(reader.footer))
        metrics.fill(&file, from: columns.byField.mapValues(\.metrics))
        for (id, column) in columns.byField where column.nullCount == nil { file.nullValueCounts[id] = nil }
        return .file(file, usesNameMapping: !hasIds)
    }
}
