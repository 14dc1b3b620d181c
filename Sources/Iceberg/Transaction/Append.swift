import Base
import Columnar
import Storage

extension SnapshotProducer {
    /// Adds data files (merge append). The new manifest joins the list; older manifests stay as they are unless
    /// `commit.manifest.min-count-to-merge` of them have gathered.
    ///
    /// Throws `.invalidInput` for no files, a file twice, or a file of an unknown spec.
    public static func append(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, files: [DataFile],
        context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        try append(base, baseLocation, branch, files, context, store) { try $0.merge($1) }
    }

    /// Adds data files without touching any older manifest, whatever their number (fast append).
    ///
    /// Throws as `append`.
    public static func fastAppend(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, files: [DataFile],
        context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        try append(base, baseLocation, branch, files, context, store) { $1 }
    }

    private static func append(
        _ base: TableMetadata, _ baseLocation: String, _ branch: String, _ files: [DataFile],
        _ context: CommitContext, _ store: any ObjectStore,
        _ merge: (inout SnapshotBuilder, [ManifestFile]) throws -> [ManifestFile]
    ) throws -> PreparedCommit {
        guard !files.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "an append needs at least one file")
        }
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        let added = try builder.addedManifests(files)
        return try builder.commit(operation: "append", manifests: try merge(&builder, added + builder.current))
    }
}
