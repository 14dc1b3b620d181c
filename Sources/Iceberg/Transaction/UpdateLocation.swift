import Base

extension SnapshotProducer {
    /// Moves the place of new files; those that exist stay where they are.
    ///
    /// Throws `.invalidInput` (`bad_location`).
    public static func setLocation(
        base: TableMetadata, baseLocation: String, location: String, context: CommitContext
    ) throws -> PreparedCommit {
        try MetadataCommit.prepare(
            applying: [.setLocation(location)], to: base, baseLocation: baseLocation, context: context)
    }
}
