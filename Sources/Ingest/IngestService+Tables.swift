import Base
import Catalog

/// Which ingestor serves a table, and what is asked of one.
extension IngestService {
    /// The ingestor of a table, opened on first use; looks once a second whether the catalog still agrees.
    func ingestor(
        for identifier: TableIdentifier, creatingFrom body: [UInt8]? = nil, format: RecordFormat = .ndjson
    ) throws -> TableIngestor {
        if let known = tables.withLock({ $0.byIdentifier[identifier] }) {
            if let error = known.conditionError(known.condition), known.condition == .fenced { throw error }
            if known.condition == .open {
                guard known.dueForCheck() else { return known }
                if try isStill(known, identifier) { return known }
            }
            tables.withLock { if $0.byIdentifier[identifier] === known { $0.byIdentifier[identifier] = nil } }
        }
        let table = try TableOpener(warehouse: warehouse).open(identifier, creatingFrom: body, format: format)
        let opened = try TableIngestor(
            table: table, warehouse: warehouse, options: options, budget: budget, logger: logger)
        return tables.withLock { tables in
            if let other = tables.byIdentifier[identifier], other.tableUUID == opened.tableUUID { return other }
            // One ingestor a table, whatever its name: two would commit the same stretch of the log past each other.
            let same = tables.byIdentifier.first {
                $0.value.tableUUID == opened.tableUUID && $0.value.condition != .dropped
            }
            if let same { tables.byIdentifier[same.key] = nil }
            let chosen = same?.value ?? opened
            chosen.refresh(table)
            tables.byIdentifier[identifier] = chosen
            return chosen
        }
    }

    /// Compares an open ingestor with the catalog. False when its table has another name now or is gone; throws when
    /// the catalog cannot tell, and then changes nothing.
    private func isStill(_ known: TableIngestor, _ identifier: TableIdentifier) throws -> Bool {
        do {
            let table = try warehouse.loadTable(identifier)
            if table.metadata.tableUUID == known.tableUUID {
                known.refresh(table)
                return true
            }
        } catch let error as FirnError where error.code == "table_not_found" {}
        if try known.locate() { tables.withLock { $0.byIdentifier[known.identifier] = known } }
        return false
    }

    /// The ingestor of a table's dead letters, which is created when the first record needs it.
    func deadLetters(of ingestor: TableIngestor) throws -> TableIngestor {
        let identifier = ingestor.identifier.deadLetters
        if let known = tables.withLock({ $0.byIdentifier[identifier] }), known.isFresh { return known }
        do {
            return try self.ingestor(for: identifier)
        } catch let error as FirnError where error.code == "table_not_found" {
            let table = try warehouse.createTable(
                TableDefinition(
                    identifier: identifier, schema: DeadLetters.definition, partition: nil, sort: nil),
                ifNotExists: true)
            return try self.ingestor(for: table.identifier)
        }
    }

    /// Where a producer stands in a table; nil when it has never been seen.
    public func producerPosition(
        _ id: String, in identifier: TableIdentifier
    ) throws -> (epoch: Int64, durable: Int64?, committed: Int64?)? {
        guard let producer = try ingestor(for: identifier).producer(id) else { return nil }
        return (producer.epoch, producer.sequence, producer.committedSequence)
    }

    /// Commits everything acknowledged for a table so far; returns the newest snapshot id this process committed.
    @discardableResult
    public func flush(_ identifier: TableIdentifier) async throws -> Int64? {
        let ingestor = try await decodePool.run { [self] in try self.ingestor(for: identifier) }
        let newest = ingestor.newestUncommitted ?? 0
        if newest > 0 { ingestor.requestFlush() }
        return try await withCheckedThrowingContinuation { continuation in
            ingestor.whenCommitted(newest) { continuation.resume(with: $0) }
            tick.signal()
        }
    }

    /// Commits everything acknowledged for every open table (G5).
    public func flushAll() async throws {
        let open = tables.withLock { Array($0.byIdentifier.keys) }
        for identifier in open where (try? ingestor(for: identifier))?.oldestUncommitted != nil {
            try await flush(identifier)
        }
    }

    /// A table was dropped or renamed through this process: forget it at once.
    public func forget(_ identifier: TableIdentifier) {
        tables.withLock { $0.byIdentifier.removeValue(forKey: identifier) }?.close(.dropped)
    }

    /// Uncommitted rows and bytes, for metrics.
    public var backlog: (tables: Int, rows: Int, bytes: Int) {
        let open = tables.withLock { Array($0.byIdentifier.values) }
        return (open.count, open.reduce(0) { $0 + $1.uncommittedRows }, open.reduce(0) { $0 + $1.uncommittedBytes })
    }

    public var logBytes: Int { log.bytesInUse }
}
