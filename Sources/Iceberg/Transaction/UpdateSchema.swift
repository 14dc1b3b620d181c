import Base
import Columnar

extension SnapshotProducer {
    /// Makes a schema the current one, adding it unless an equal one is there. Its ids must already be given.
    ///
    /// Throws `.invalidInput` for names that clash, `.conflict` (`column_in_use`) when the default spec or order needs
    /// a column that it lacks.
    public static func setSchema(
        base: TableMetadata, baseLocation: String, schema: Schema, context: CommitContext
    ) throws -> PreparedCommit {
        try MetadataCommit.prepare(
            applying: [.addSchema(schema), .setCurrentSchema(TableUpdate.lastAdded)], to: base,
            baseLocation: baseLocation, context: context)
    }
}
