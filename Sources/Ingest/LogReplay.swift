import Base
import Catalog
import Columnar
import Iceberg
import Logging

/// Replays the log above each table's committed position, before the service opens.
///
/// 1. A record at or below the position that the catalog holds for its table is in the table already: skip it.
/// 2. A record whose stamp the ledger knows is a second copy (its first acknowledgement never reached the sender):
///    skip it.
/// 3. Everything else is decoded again with the schema it was first decoded with, which yields the same rows, and
///    waits in its table's micro-batch; a table that holds too much is flushed on the way.
///
/// Records of tables that no longer exist went with their table.
final class LogReplay {
    let budget: MemoryBudget
    private(set) var lastPosition: UInt64 = 0
    private let warehouse: Warehouse
    private let options: IngestOptions
    private let logger: Logger
    private var ingestors: [UUID: TableIngestor] = [:]
    private var records = 0
    private var missing: Set<UUID> = []

    init(warehouse: Warehouse, options: IngestOptions, budget: MemoryBudget, logger: Logger) {
        self.warehouse = warehouse
        self.options = options
        self.budget = budget
        self.logger = logger
    }

    func replay(_ record: LogRecord) throws {
        lastPosition = record.position
        let batch = try BatchRecord(decoding: record.payload)
        guard let ingestor = try ingestor(batch.table), record.position > ingestor.committedPosition else { return }
        guard case .fresh = try ingestor.begin(batch.stamp) else { return }
        let metadata = ingestor.metadata
        guard let schema = metadata.schema(id: Int(batch.schemaId)) else {
            throw FirnError(
                .corrupted, "log_schema_missing",
                "the log names schema \(batch.schemaId) of table \(ingestor.identifier), which its metadata lacks",
                context: ["position": String(record.position)])
        }
        let decoded = try decode(batch.body, format: batch.recordFormat, schema: schema)
        guard decoded.batch.rowCount == batch.acceptedCount else {
            throw FirnError(
                .corrupted, "replay_differs",
                "replaying the log gave \(decoded.batch.rowCount) records where \(batch.acceptedCount) were acknowledged",
                context: ["position": String(record.position), "table": "\(ingestor.identifier)"])
        }
        let bytes = decoded.batch.byteCount
        budget.adjust(from: 0, to: bytes)
        _ = ingestor.accept(
            TableIngestor.Chunk(
                position: record.position, batch: decoded.batch, bytes: bytes, stamp: batch.stamp,
                answer: StoredAnswer(
                    accepted: decoded.batch.rowCount, rejections: decoded.rejections,
                    rejectedCount: decoded.rejectedCount, position: record.position),
                arrivedNanos: warehouse.environment.clock.monotonicNanos()))
        records += decoded.batch.rowCount
        if ingestor.uncommittedBytes >= options.flushBytes { _ = ingestor.flush() }
    }

    /// The ingestors with what is left to commit, by name.
    func finish() throws -> [TableIdentifier: TableIngestor] {
        if records > 0 {
            logger.info("replayed the log", metadata: ["records": "\(records)", "tables": "\(ingestors.count)"])
        }
        return Dictionary(ingestors.values.map { ($0.identifier, $0) }) { first, _ in first }
    }

    private func ingestor(_ uuid: UUID) throws -> TableIngestor? {
        if let known = ingestors[uuid] { return known }
        if missing.contains(uuid) { return nil }
        if let table = try warehouse.findTable(uuid) {
            let opened = try TableIngestor(
                table: table, warehouse: warehouse, options: options, budget: budget, logger: logger)
            ingestors[uuid] = opened
            return opened
        }
        missing.insert(uuid)
        logger.warning("the log holds records of a table that no longer exists", metadata: ["table-uuid": "\(uuid)"])
        return nil
    }
}
