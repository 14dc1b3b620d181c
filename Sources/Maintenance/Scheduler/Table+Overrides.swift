import Catalog

extension Table {
    /// The table with some properties replaced for one run.
    func overriding(_ properties: [String: String]) -> Table {
        guard !properties.isEmpty else { return self }
        var metadata = metadata
        metadata.properties.merge(properties) { $1 }
        return Table(identifier: identifier, metadataLocation: metadataLocation, metadata: metadata)
    }
}
