import Base

extension SnapshotProducer {
    /// Sets and removes table properties. Reserved names are dropped.
    ///
    /// Throws `.invalidInput` (`property_set_and_removed`) for a key in both.
    public static func setProperties(
        base: TableMetadata, baseLocation: String, updates: [String: String], removals: [String] = [],
        context: CommitContext
    ) throws -> PreparedCommit {
        if let both = removals.first(where: { updates[$0] != nil }) {
            throw FirnError(.invalidInput, "property_set_and_removed", "\"\(both)\" is both set and removed")
        }
        var changes: [TableUpdate] = []
        let stored = updates.filter { !TableProperties.reserved.contains($0.key) }
        if !stored.isEmpty { changes.append(.setProperties(stored)) }
        if !removals.isEmpty { changes.append(.removeProperties(removals)) }
        return try MetadataCommit.prepare(
            applying: changes, to: base, baseLocation: baseLocation, context: context)
    }
}
