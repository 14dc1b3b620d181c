import Base
import Columnar
import Storage

extension SnapshotProducer {
    /// Replaces every partition that an added file belongs to by the added files (dynamic overwrite); the whole table
    /// when it is unpartitioned. Only files of the added files' own specs go.
    ///
    /// Throws `.conflict` with a validation, as `overwrite`: `history_changed`, and changes inside those partitions as
    /// `data_files_added`, `delete_files_added`, `data_files_removed`.
    public static func replacePartitions(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, added: [DataFile],
        validation: CommitValidation?, context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        guard !added.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "a replacement of partitions needs files")
        }
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        let partitions = Set(added.map { PartitionKey($0) })
        if let validation {
            try builder.checkUntouched(
                partitions, since: try builder.snapshots(since: validation.startSnapshotId),
                data: validation.isolation == .serializable)
        }
        let specs = Set(added.map(\.specId))
        var removed: Set<String> = []
        var deleteKeys: Set<DeleteFileKey> = []
        for manifest in builder.current where specs.contains(manifest.specId) {
            try Manifests.read(manifest, base, .none, store) {
                guard $0.isLive, partitions.contains(PartitionKey($0.dataFile)) else { return true }
                switch $0.dataFile.content {
                case .data: removed.insert($0.dataFile.path)
                // An equality delete of an unpartitioned spec applies to files of other specs too.
                case .equalityDeletes where builder.base.spec(id: $0.dataFile.specId)?.isUnpartitioned ?? true: break
                case .positionDeletes, .equalityDeletes: deleteKeys.insert($0.dataFile.deleteKey)
                }
                return true
            }
        }
        let (rewritten, removedFiles) = try builder.removing(removed)
        let data = try builder.addedManifests(added) + rewritten
        let deletes = try builder.deleteManifests(
            after: data, removed: removedFiles, removal: SnapshotBuilder.DeleteRemoval(files: deleteKeys))
        return try builder.commit(
            operation: "overwrite", manifests: try builder.merge(data + deletes),
            extra: ["replace-partitions": "true"])
    }
}
