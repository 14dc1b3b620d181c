import Columnar

/// Counts a change and its effect on the table's totals, with Iceberg's names.
///
/// Values are text. Counts of zero are left out; the six totals follow from those before.
/// Spec: https://iceberg.apache.org/spec/#optional-snapshot-summary-fields
struct SnapshotSummary {
    /// What a snapshot has in all.
    static let totals = [
        "total-data-files", "total-delete-files", "total-records", "total-files-size", "total-position-deletes",
        "total-equality-deletes",
    ]

    private struct Change {
        var added: Int64 = 0
        var removed: Int64 = 0
    }

    private var dataFiles = Change()
    private var records = Change()
    private var bytes = Change()
    private var deleteFiles = Change()
    private var positionDeletes = Change()
    private var equalityDeletes = Change()
    private var positionDeleteFiles = Change()
    private var deletionVectors = Change()
    private var equalityDeleteFiles = Change()
    private var partitions: Set<String> = []

    mutating func add(_ file: DataFile, spec: PartitionSpec) { count(file, spec) { $0.added += $1 } }
    mutating func remove(_ file: DataFile, spec: PartitionSpec) { count(file, spec) { $0.removed += $1 } }

    private mutating func count(_ file: DataFile, _ spec: PartitionSpec, _ add: (inout Change, Int64) -> Void) {
        // Of a Puffin file that several vectors share, each counts its own part.
        add(&bytes, file.isDeletionVector ? file.contentBytes ?? file.fileBytes : file.fileBytes)
        switch file.content {
        case .data:
            add(&dataFiles, 1)
            add(&records, file.recordCount)
        case .positionDeletes:
            add(&deleteFiles, 1)
            add(&positionDeletes, file.recordCount)
            if file.isDeletionVector { add(&deletionVectors, 1) } else { add(&positionDeleteFiles, 1) }
        case .equalityDeletes:
            add(&deleteFiles, 1)
            add(&equalityDeletes, file.recordCount)
            add(&equalityDeleteFiles, 1)
        }
        partitions.insert(spec.path(file.partition))
    }

    var addedRecords: Int64 { records.added }
    var removedRecords: Int64 { records.removed }

    /// The entries of the new snapshot's summary.
    ///
    /// - Parameter before: the totals before the change; nil without parent.
    func entries(operation: String, before: [String: String]?, manifests: ManifestCounts) -> [String: String] {
        var entries = ["operation": operation]
        func put(_ key: String, _ value: Int64) { if value != 0 { entries[key] = String(value) } }
        put("added-data-files", dataFiles.added)
        put("deleted-data-files", dataFiles.removed)
        put("added-delete-files", deleteFiles.added)
        put("removed-delete-files", deleteFiles.removed)
        put("added-position-delete-files", positionDeleteFiles.added)
        put("removed-position-delete-files", positionDeleteFiles.removed)
        put("added-dvs", deletionVectors.added)
        put("removed-dvs", deletionVectors.removed)
        put("added-equality-delete-files", equalityDeleteFiles.added)
        put("removed-equality-delete-files", equalityDeleteFiles.removed)
        put("added-records", records.added)
        put("deleted-records", records.removed)
        put("added-files-size", bytes.added)
        put("removed-files-size", bytes.removed)
        put("added-position-deletes", positionDeletes.added)
        put("removed-position-deletes", positionDeletes.removed)
        put("added-equality-deletes", equalityDeletes.added)
        put("removed-equality-deletes", equalityDeletes.removed)
        put("changed-partition-count", Int64(partitions.count))
        func total(_ key: String, _ change: Change) {
            guard let summary = before else {
                entries[key] = String(change.added - change.removed)
                return
            }
            guard let total = summary[key].flatMap({ Int64($0) }) else { return }
            let after = total + change.added - change.removed
            if after >= 0 { entries[key] = String(after) }
        }
        for (key, change) in zip(
            Self.totals, [dataFiles, deleteFiles, records, bytes, positionDeletes, equalityDeletes])
        {
            total(key, change)
        }
        entries["manifests-created"] = String(manifests.created)
        entries["manifests-kept"] = String(manifests.kept)
        entries["manifests-replaced"] = String(manifests.replaced)
        return entries
    }
}

/// What a commit did to the manifests.
struct ManifestCounts {
    var created = 0
    var kept = 0
    var replaced = 0
}
