import Base
import Columnar
import Iceberg
import Storage

/// Builds the tables that describe a table. Names of tables and columns follow Iceberg's own metadata tables where
/// there is one; partitions, counts and bounds are JSON objects by name, to be read without knowing field ids.
///
/// Source: https://iceberg.apache.org/docs/latest/spark-queries/#inspecting-tables
struct MetadataTables {
    let metadata: TableMetadata
    /// The snapshot that `files`, `manifests` and `partitions` describe; nil for an empty table.
    let snapshot: Snapshot?
    let store: any ObjectStore

    func relation(_ table: MetadataTable) throws -> any Relation {
        switch table {
        case .snapshots: snapshots
        case .history: history
        case .refs: refs
        case .manifests: try manifests()
        case .files: files
        case .partitions: partitions
        case .jobs, .schedules, .producers, .metrics: preconditionFailure("the catalog tells of these")
        }
    }

    private var snapshots: any Relation {
        MetadataRelation<Snapshot>(
            [
                .init("committed_at", .timestamptz) { .instant(ms: $0.timestampMs) },
                .init("snapshot_id", .long) { .long($0.snapshotId) },
                .init("parent_id", .long) { .optional($0.parentSnapshotId) },
                .init("operation", .string) { .optional($0.operation) },
                .init("manifest_list", .string) { .string($0.manifestList) },
                .init("sequence_number", .long) { .long($0.sequenceNumber) },
                .init("schema_id", .int) { $0.schemaId.map { .int(Int32(clamping: $0)) } ?? .null },
                .init("summary", MetadataType.map(to: .string)) { snapshot in
                    .object(snapshot.summary.filter { $0.key != "operation" }.mapValues(Value.string))
                },
            ], rows: metadata.snapshots)
    }

    private var history: any Relation {
        var ancestors: Set<Int64> = []
        var next = metadata.currentSnapshotId
        while let id = next, ancestors.insert(id).inserted { next = metadata.snapshot(id: id)?.parentSnapshotId }
        return MetadataRelation<SnapshotLogEntry>(
            [
                .init("made_current_at", .timestamptz) { .instant(ms: $0.timestampMs) },
                .init("snapshot_id", .long) { .long($0.snapshotId) },
                .init("parent_id", .long) { [metadata] in
                    .optional(metadata.snapshot(id: $0.snapshotId)?.parentSnapshotId)
                },
                .init("is_current_ancestor", .boolean) { .boolean(ancestors.contains($0.snapshotId)) },
            ], rows: metadata.snapshotLog)
    }

    private var refs: any Relation {
        MetadataRelation<(name: String, ref: SnapshotReference)>(
            [
                .init("name", .string) { .string($0.name) },
                .init("type", .string) { .string($0.ref.kind.rawValue.uppercased()) },
                .init("snapshot_id", .long) { .long($0.ref.snapshotId) },
                .init("max_reference_age_in_ms", .long) { .optional($0.ref.maxReferenceAgeMs) },
                .init("min_snapshots_to_keep", .long) { .optional($0.ref.minSnapshotsToKeep) },
                .init("max_snapshot_age_in_ms", .long) { .optional($0.ref.maxSnapshotAgeMs) },
            ], rows: metadata.refs.sorted { $0.key < $1.key }.map { (name: $0.key, ref: $0.value) })
    }

    private func manifests() throws -> any Relation {
        let rows = try snapshot.map { try Manifests.list(of: $0, store: store) } ?? []
        return MetadataRelation<ManifestFile>(
            [
                .init("content", .string) { .string($0.content == .data ? "data" : "deletes") },
                .init("path", .string) { .string($0.path) },
                .init("length", .long) { .long($0.length) },
                .init("partition_spec_id", .int) { .int(Int32(clamping: $0.specId)) },
                .init("sequence_number", .long) { .long($0.sequenceNumber) },
                .init("min_sequence_number", .long) { .long($0.minSequenceNumber) },
                .init("added_snapshot_id", .long) { .long($0.addedSnapshotId) },
                .init("added_files_count", .long) { .optional($0.addedFilesCount) },
                .init("existing_files_count", .long) { .optional($0.existingFilesCount) },
                .init("deleted_files_count", .long) { .optional($0.deletedFilesCount) },
                .init("added_rows_count", .long) { .optional($0.addedRowsCount) },
                .init("existing_rows_count", .long) { .optional($0.existingRowsCount) },
                .init("deleted_rows_count", .long) { .optional($0.deletedRowsCount) },
                .init("partition_summaries", MetadataType.map(to: Self.summaryType)) { [metadata] in
                    summaries(of: $0, metadata)
                },
            ], rows: rows)
    }

    private static let summaryType = DataType.structure(
        StructType(fields: [
            Field(id: 1010, name: "contains_null", required: true, type: .boolean),
            Field(id: 1011, name: "contains_nan", required: false, type: .boolean),
            Field(id: 1012, name: "lower_bound", required: false, type: .string),
            Field(id: 1013, name: "upper_bound", required: false, type: .string),
        ]))

    private func summaries(of manifest: ManifestFile, _ metadata: TableMetadata) -> Value {
        guard let spec = metadata.spec(id: manifest.specId), let summaries = manifest.partitions else { return .null }
        let types = metadata.partitionFields(of: spec).map(\.type)
        var members: [String: Value] = [:]
        for (index, field) in spec.fields.enumerated() where index < summaries.count {
            func bound(_ bytes: [UInt8]?) -> Value {
                guard let bytes, let value = SingleValue.decode(bytes, types[index]) else { return .null }
                return .string(field.transform.format(value))
            }
            let summary = summaries[index]
            members[field.name] = .structure([
                .boolean(summary.containsNull), summary.containsNaN.map(Value.boolean) ?? .null,
                bound(summary.lowerBound), bound(summary.upperBound),
            ])
        }
        return .object(members)
    }
}
