import Base
import Columnar
import Iceberg
import Storage

extension MetadataTables {
    /// One row a live data or delete file, read manifest by manifest.
    var files: any Relation {
        let counts = MetadataType.map(to: .long)
        let bounds = MetadataType.map(to: .string)
        let paths = columnPaths
        func byName(_ counts: [Int: Int64]) -> Value {
            .object(
                Dictionary(
                    counts.map { (paths[$0.key]?.path ?? String($0.key), .long($0.value)) },
                    uniquingKeysWith: { first, _ in first }))
        }
        func byName(_ bounds: [Int: [UInt8]]) -> Value {
            var members: [String: Value] = [:]
            for (id, bytes) in bounds {
                guard let (path, type) = paths[id], let value = SingleValue.decode(bytes, type) else { continue }
                members[path] = .string(value.text(as: type))
            }
            return .object(members)
        }
        let columns: [MetadataColumn<ManifestEntry>] = [
            .init("content", .string) { .string($0.dataFile.content.name) },
            .init("file_path", .string) { .string($0.dataFile.path) },
            .init("file_format", .string) { .string($0.dataFile.format) },
            .init("spec_id", .int) { .int(Int32(clamping: $0.dataFile.specId)) },
            .init("partition", bounds) { [metadata] in Self.partition(of: $0.dataFile, metadata) },
            .init("record_count", .long) { .long($0.dataFile.recordCount) },
            .init("file_size_in_bytes", .long) { .long($0.dataFile.fileBytes) },
            .init("column_sizes", counts) { byName($0.dataFile.columnSizes) },
            .init("value_counts", counts) { byName($0.dataFile.valueCounts) },
            .init("null_value_counts", counts) { byName($0.dataFile.nullValueCounts) },
            .init("nan_value_counts", counts) { byName($0.dataFile.nanValueCounts) },
            .init("lower_bounds", bounds) { byName($0.dataFile.lowerBounds) },
            .init("upper_bounds", bounds) { byName($0.dataFile.upperBounds) },
            .init("split_offsets", MetadataType.list(of: .long)) {
                $0.dataFile.splitOffsets.map { .list($0.map(Value.long)) } ?? .null
            },
            .init("sort_order_id", .int) { $0.dataFile.sortOrderId.map { .int(Int32(clamping: $0)) } ?? .null },
            .init("sequence_number", .long) { .optional($0.sequenceNumber) },
            .init("snapshot_id", .long) { .optional($0.snapshotId) },
        ]
        let statistics: Set<String> = [
            "column_sizes", "value_counts", "null_value_counts", "nan_value_counts", "lower_bounds", "upper_bounds",
        ]
        return MetadataRelation(columns, estimatedRows: fileCount) { used in
            try liveEntries(statistics: !used.isDisjoint(with: statistics))
        }
    }

    private final class PartitionRow {
        let file: DataFile
        var recordCount: Int64 = 0
        var fileCount: Int64 = 0
        var fileBytes: Int64 = 0
        var positionDeleteFiles: Int64 = 0
        var equalityDeleteFiles: Int64 = 0
        var lastUpdate: Snapshot?

        init(file: DataFile) { self.file = file }

        func add(_ entry: ManifestEntry, addedBy snapshot: Snapshot?) {
            switch entry.dataFile.content {
            case .data:
                recordCount += entry.dataFile.recordCount
                fileCount += 1
                fileBytes += entry.dataFile.fileBytes
            case .positionDeletes: positionDeleteFiles += 1
            case .equalityDeletes: equalityDeleteFiles += 1
            }
            if let snapshot, lastUpdate.map({ $0.timestampMs < snapshot.timestampMs }) ?? true {
                lastUpdate = snapshot
            }
        }
    }

    /// One row a partition tuple of each spec.
    var partitions: any Relation {
        struct Key: Hashable {
            let specId: Int
            let partition: [Value]
        }
        let columns: [MetadataColumn<PartitionRow>] = [
            .init("partition", MetadataType.map(to: .string)) { [metadata] in Self.partition(of: $0.file, metadata) },
            .init("spec_id", .int) { .int(Int32(clamping: $0.file.specId)) },
            .init("record_count", .long) { .long($0.recordCount) },
            .init("file_count", .long) { .long($0.fileCount) },
            .init("total_data_file_size_in_bytes", .long) { .long($0.fileBytes) },
            .init("position_delete_file_count", .long) { .long($0.positionDeleteFiles) },
            .init("equality_delete_file_count", .long) { .long($0.equalityDeleteFiles) },
            .init("last_updated_at", .timestamptz) { $0.lastUpdate.map { .instant(ms: $0.timestampMs) } ?? .null },
            .init("last_updated_snapshot_id", .long) { .optional($0.lastUpdate?.snapshotId) },
        ]
        return MetadataRelation(columns, estimatedRows: 100) { _ in
            var byKey: [Key: PartitionRow] = [:]
            var rows: [PartitionRow] = []
            let chunks = try liveEntries(statistics: false)
            while let entries = try chunks() {
                for entry in entries {
                    let key = Key(specId: entry.dataFile.specId, partition: entry.dataFile.partition)
                    let row = byKey[key] ?? PartitionRow(file: entry.dataFile)
                    if byKey.updateValue(row, forKey: key) == nil { rows.append(row) }
                    row.add(entry, addedBy: entry.snapshotId.flatMap { metadata.snapshot(id: $0) })
                }
            }
            var rest: [PartitionRow]? = rows
            return {
                defer { rest = nil }
                return rest
            }
        }
    }

    /// The live entries of the snapshot, one manifest a chunk.
    private func liveEntries(statistics: Bool) throws -> () throws -> [ManifestEntry]? {
        var manifests = try (snapshot.map { try Manifests.list(of: $0, store: store) } ?? [])[...]
        return { [metadata, store] in
            guard let manifest = manifests.popFirst() else { return nil }
            var entries: [ManifestEntry] = []
            guard manifest.mayHaveLiveFiles else { return entries }
            try Manifests.forEachEntry(of: manifest, metadata: metadata, statistics: statistics, store: store) {
                if $0.isLive { entries.append($0) }
                return true
            }
            return entries
        }
    }

    private var fileCount: Int { snapshot?.summary["total-data-files"].flatMap { Int($0) } ?? 1000 }

    /// Dotted names and types of primitive columns by id, of every schema; the current schema's win.
    private var columnPaths: [Int: (path: String, type: DataType)] {
        var paths: [Int: (String, DataType)] = [:]
        for schema in metadata.schemas.filter({ $0.schemaId != metadata.currentSchemaId }) + [metadata.currentSchema] {
            for (path, field) in schema.allFields where field.type.isPrimitive { paths[field.id] = (path, field.type) }
        }
        return paths
    }

    /// `{"ts_day":"2026-01-31"}`; empty for an unpartitioned file.
    private static func partition(of file: DataFile, _ metadata: TableMetadata) -> Value {
        guard let spec = metadata.spec(id: file.specId), spec.fields.count == file.partition.count else {
            return .object([:])
        }
        return .map(
            zip(spec.fields, file.partition).map { field, value in
                Value.MapEntry(
                    key: .string(field.name),
                    value: value == .null ? .null : .string(field.transform.format(value)))
            })
    }
}

extension DataFile.Content {
    var name: String {
        switch self {
        case .data: "data"
        case .positionDeletes: "position deletes"
        case .equalityDeletes: "equality deletes"
        }
    }
}
