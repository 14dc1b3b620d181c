import Catalog

extension IngestService {
    /// A schema was changed through this process: records sent from now on are read with it, without waiting for the
    /// next look at the catalog.
    public func schemaChanged(_ table: Table) {
        let known = tables.withLock { tables in
            tables.byIdentifier.values.first { $0.tableUUID == table.metadata.tableUUID }
        }
        known?.refresh(table)
    }
}
