import Base
import Catalog

/// Which ingestor serves a table, and what is asked of one.
extension IngestService {
    /// The catalog's version as it was at `nanos` (of the monotonic clock) or later. Requests that queued up together
    /// share one look.
    func catalogVersion(since nanos: Int64) throws -> Int64 {
        let known = catalogCheck.withLock { $0 }
        if known.nanos >= nanos { return known.version }
        let began = warehouse.environment.clock.monotonicNanos()
        let version = try warehouse.catalogVersion()
        catalogCheck.withLock { if began > $0.nanos { $0 = (version, began) } }
        return version
    }

    /// The ingestor of the table that the name means now, opened on first use.
    ///
    /// - Parameter arrivedNanos: when the request came; what was true of the catalog later holds for it.
    func ingestor(
        for identifier: TableIdentifier, arrivedNanos: Int64? = nil, creatingFrom body: [UInt8]? = nil,
        format: RecordFormat = .ndjson
    ) throws -> TableIngestor {
        let version = try catalogVersion(since: arrivedNanos ?? .max)
        if let known = tables.withLock({ $0.registry[identifier] }), known.isCurrent(identifier, at: version) {
            return known
        }
        let table = try TableOpener(warehouse: warehouse).open(identifier, creatingFrom: body, format: format)
        let known = tables.withLock { $0.registry[table.metadata.tableUUID] }.flatMap {
            $0.condition == .dropped ? nil : $0
        }
        if let known, known.condition == .fenced { throw known.conditionError(.fenced)! }
        let opened =
            try known
            ?? TableIngestor(table: table, warehouse: warehouse, options: options, budget: budget, logger: logger)
        let chosen = tables.withLock { $0.registry.add(opened, as: identifier) }
        chosen.refresh(table, version: version)
        return chosen
    }

    /// The ingestor of a table's dead letters, which is created when the first record needs it.
    func deadLetters(of ingestor: TableIngestor, arrivedNanos: Int64) throws -> TableIngestor {
        let identifier = ingestor.identifier.deadLetters
        do {
            return try self.ingestor(for: identifier, arrivedNanos: arrivedNanos)
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
        try await flush(try await decodePool.run { [self] in try self.ingestor(for: identifier) })
    }

    private func flush(_ ingestor: TableIngestor) async throws -> Int64? {
        let newest = ingestor.newestUncommitted ?? 0
        if newest > 0 { ingestor.requestFlush() }
        return try await withCheckedThrowingContinuation { continuation in
            ingestor.whenCommitted(newest) { continuation.resume(with: $0) }
            tick.signal()
        }
    }

    /// Commits everything acknowledged for every open table (G5).
    ///
    /// - Parameter attached: of the attached tables only these, since others' catalogs are nothing to wait for; nil for
    ///   all.
    public func flushAll(attached: Set<TableIdentifier>? = nil) async throws {
        for ingestor in tables.withLock({ $0.registry.all }) where ingestor.oldestUncommitted != nil {
            guard !ingestor.isAttached || attached?.contains(ingestor.identifier) ?? true else { continue }
            _ = try await flush(ingestor)
        }
    }

    /// A table was dropped or renamed through this process: what its name meant is forgotten at once.
    public func forget(_ identifier: TableIdentifier) {
        let known = tables.withLock { tables in
            defer { tables.registry.forget(identifier) }
            return tables.registry[identifier]
        }
        _ = try? known?.locate()
    }
}
