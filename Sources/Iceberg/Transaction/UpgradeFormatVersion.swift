import Base

extension SnapshotProducer {
    /// Raises the table's format version, to 2 or 3. It cannot be lowered again.
    ///
    /// Files stay as they are. In version 3 those that exist get row ids by the next commit to their branch.
    ///
    /// Throws `.invalidInput` (`format_version_lowered`), `.unsupported` (`format_version`, `inline_manifests`).
    public static func upgrade(
        base: TableMetadata, baseLocation: String, formatVersion: Int, context: CommitContext
    ) throws -> PreparedCommit {
        try MetadataCommit.prepare(
            applying: [.upgradeFormatVersion(formatVersion)], to: base, baseLocation: baseLocation, context: context)
    }
}
