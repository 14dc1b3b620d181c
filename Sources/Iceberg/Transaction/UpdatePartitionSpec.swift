import Base
import Columnar

extension SnapshotProducer {
    /// Makes a partition spec the one of new files, adding it unless an equal one is there. Files that exist keep
    /// theirs.
    ///
    /// Throws `.invalidInput` (`bad_partition_spec`).
    public static func setSpec(
        base: TableMetadata, baseLocation: String, spec: PartitionSpec, context: CommitContext
    ) throws -> PreparedCommit {
        try MetadataCommit.prepare(
            applying: [.addSpec(spec), .setDefaultSpec(TableUpdate.lastAdded)], to: base, baseLocation: baseLocation,
            context: context)
    }
}
