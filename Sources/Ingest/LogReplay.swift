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
        var decoded: [Intake.Decoded] = []
        for batch in try LoggedRequest.decode(record.payload) {
            if let part = try decode(batch, at: record.position) { decoded.append(part) }
        }
        let answers = decoded.map { $0.landing.answer(at: record.position) }
        let deliveries = Delivery.make(
            decoded, answers, position: record.position,
            arrivedNanos: warehouse.environment.clock.monotonicNanos())
        // Rows and letters are committed together, unless one of the two tables was dropped or fenced: each has a
        // position of its own.
        for delivery in deliveries where record.position > delivery.ingestor.committedPosition {
            budget.adjust(from: 0, to: delivery.chunk.bytes)
            _ = delivery.ingestor.accept(delivery.chunk)
        }
        records += decoded.reduce(0) { $0 + $1.landing.batch.rowCount }
        if let full = deliveries.first(where: { $0.ingestor.uncommittedBytes >= options.flushBytes }) {
            flush(full.ingestor)
        }
    }

    /// A batch as it was decoded the first time; nil when it is in the table already, or when its table is gone.
    private func decode(_ batch: BatchRecord, at position: UInt64) throws -> Intake.Decoded? {
        let settings = try LandingSettings(decoding: batch.settings)
        // Dead letters whose table was dropped went with it.
        let deadLetters = try settings.deadLetters.flatMap { try self.ingestor($0) }
        guard let ingestor = try ingestor(batch.table) else { return nil }
        let isMissing = position > ingestor.committedPosition
        guard isMissing || deadLetters.map({ position > $0.committedPosition }) ?? false else { return nil }
        if isMissing, !settings.isTakeover {
            guard case .fresh = try ingestor.begin(batch.stamp) else { return nil }
        }
        guard let schema = ingestor.metadata.schema(id: Int(batch.schemaId)) else {
            throw FirnError(
                .corrupted, "log_schema_missing",
                "the log names schema \(batch.schemaId) of table \(ingestor.identifier), which its metadata lacks",
                context: ["position": String(position)])
        }
        let landing = try Landing(
            batch.body, format: batch.format, schema: schema, settings: settings, nowMs: batch.arrivalMicros / 1000)
        guard landing.batch.rowCount == batch.acceptedCount else {
            throw FirnError(
                .corrupted, "replay_differs",
                "replaying the log gave \(landing.batch.rowCount) records where \(batch.acceptedCount) were acknowledged",
                context: ["position": String(position), "table": "\(ingestor.identifier)"])
        }
        return Intake.Decoded(
            ingestor: ingestor, landing: landing, record: batch, deadLetters: deadLetters,
            eventTime: settings.eventTime)
    }

    /// Commits what a table has gathered, with the tables tied to it; on failure it stays and the service tries again.
    private func flush(_ ingestor: TableIngestor) {
        if ingestor.beginReconcile() { ingestor.reconcile(isReplaying: true) }
        _ = TableFlush(ingestor) { ingestors[$0] }?.run(warehouse)
    }

    /// The ingestors with what is left to commit.
    func finish() throws -> [TableIngestor] {
        if records > 0 {
            logger.info("replayed the log", metadata: ["records": "\(records)", "tables": "\(ingestors.count)"])
        }
        return Array(ingestors.values)
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
