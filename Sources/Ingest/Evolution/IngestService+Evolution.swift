import Base
import Catalog
import Columnar
import Iceberg

extension IngestService {
    /// A schema was changed through this process: records sent from now on are read with it, without waiting for the
    /// next look at the catalog.
    public func schemaChanged(_ table: Table) {
        let known = tables.withLock { $0.registry[table.metadata.tableUUID] }
        known?.refresh(table)
    }

    /// What the refused records of a body make of their table's schema under its policy: a schema that takes more of
    /// them, or a proposal. Nil when the schema stays.
    func evolve(
        _ ingestor: TableIngestor, _ part: IngestRequest.Part, _ metadata: TableMetadata, _ policy: IngestPolicy,
        refused: Int
    ) throws -> TableMetadata? {
        let schema = metadata.currentSchema
        let plan: SchemaPlanner.Plan?
        do {
            plan = try SchemaPlanner.planned(
                part.body, format: part.format, schema: schema, settings: policy.decode)
        } catch {
            // The records stay refused, with their own reasons.
            logger.info(
                "no schema change could be planned", metadata: ["table": "\(part.table)", "error": "\(error)"])
            return nil
        }
        guard let plan else { return nil }
        let change = plan.change
        switch policy.schema {
        case .strict: return nil
        case .propose:
            try warehouse.propose(
                ingestor.tableUUID, change: change, records: plan.records > 0 ? plan.records : refused,
                sample: plan.sample)
            return nil
        case .additive:
            let table = try warehouse.evolve(
                ingestor.identifier, uuid: ingestor.tableUUID, change: change, partially: true)
            ingestor.refresh(table)
            logger.notice(
                "the schema has grown", metadata: ["table": "\(part.table)", "change": "\(change.description)"])
            return table.metadata.currentSchemaId == metadata.currentSchemaId ? nil : table.metadata
        }
    }
}
