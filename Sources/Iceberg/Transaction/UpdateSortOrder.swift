import Base
import Columnar

extension SnapshotProducer {
    /// Makes a sort order the one of new files, adding it unless an equal one is there.
    ///
    /// Throws `.invalidInput` (`bad_sort_order`).
    public static func setSortOrder(
        base: TableMetadata, baseLocation: String, order: SortOrder, context: CommitContext
    ) throws -> PreparedCommit {
        try MetadataCommit.prepare(
            applying: [.addSortOrder(order), .setDefaultSortOrder(TableUpdate.lastAdded)], to: base,
            baseLocation: baseLocation, context: context)
    }
}
