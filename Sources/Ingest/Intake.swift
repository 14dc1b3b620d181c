import Base
import Catalog
import Columnar
import Iceberg
import Synchronization

/// One request on its way from a pool thread to its answer.
///
/// 1. `run`, on a decode thread: find the tables, settle the request's identity with the ledger of each. A twin in
///    flight puts the request off until that one has landed or failed.
/// 2. Decode each body under its table's policy.
/// 3. Append all of it to the log as one record.
/// 4. `landed`, on the log thread, in log order: hand the rows to their tables.
/// 5. Answer, or wait for the commit first.
///
/// Every way out ends in `complete`, once.
final class Intake: Sendable {
    private static let patienceNanos: Int64 = 30_000_000_000

    /// One table's part, decoded.
    struct Decoded: Sendable {
        let ingestor: TableIngestor
        let landing: Landing
        let record: BatchRecord
        let deadLetters: TableIngestor?
        let eventTime: EventTimePolicy?
    }

    private let service: IngestService
    private let request: IngestRequest
    private let arrivedNanos: Int64
    private let reserved: Int
    private let completion: @Sendable (Result<IngestAnswer, any Error>) -> Void

    init(
        _ request: IngestRequest, service: IngestService, reserved: Int,
        completion: @escaping @Sendable (Result<IngestAnswer, any Error>) -> Void
    ) {
        self.request = request
        self.service = service
        self.reserved = reserved
        self.completion = completion
        arrivedNanos = service.warehouse.environment.clock.monotonicNanos()
    }

    /// Runs on a decode thread; may run again when a twin has settled.
    func run() {
        do {
            let ingestors = try request.parts.map { part in
                try service.ingestor(
                    for: part.table, arrivedNanos: arrivedNanos, creatingFrom: part.body, format: part.format)
            }
            guard Set(ingestors.map(\.tableUUID)).count == ingestors.count else {
                throw FirnError(.invalidInput, "table_twice", "a request names each table once")
            }
            if ingestors.count > 1, let attached = ingestors.first(where: \.isAttached) {
                throw FirnError(
                    .unsupported, "attached_table",
                    "\(attached.identifier) is kept in another catalog: send its records in a request of their own")
            }
            switch try settle(ingestors) {
            case .fresh: break
            case .waiting: return
            case .duplicate(let answers):
                service.budget.release(reserved)
                return answer(ingestors, answers, duplicate: true)
            case .takeover(let answers, let takeovers):
                do {
                    return try takeOver(ingestors, answers, takeovers)
                } catch {
                    for takeover in takeovers { takeover.ingestor.abandon(takeover.stamp) }
                    throw error
                }
            }
            do {
                try append(try decode(ingestors))
            } catch {
                for ingestor in ingestors { ingestor.abandon(request.stamp) }
                throw error
            }
        } catch {
            service.budget.release(reserved)
            completion(.failure(error))
        }
    }

    // MARK: Identity

    private enum Identity {
        case fresh
        /// Put off; `run` is called again.
        case waiting
        case duplicate([StoredAnswer])
        /// The same, but the producer's epoch must become durable first in some of the tables.
        case takeover([StoredAnswer], [Takeover])
    }

    /// A table whose producer has a higher epoch than is durable, and its newest sequence there.
    private struct Takeover {
        let ingestor: TableIngestor
        let stamp: ProducerStamp
    }

    /// Asks every table's ledger. The identity is reserved in all of them, or in none.
    private func settle(_ ingestors: [TableIngestor]) throws -> Identity {
        var reserved: [TableIngestor] = []
        var known: [StoredAnswer] = []
        var takeovers: [Takeover] = []
        func withdraw() {
            for ingestor in reserved { ingestor.abandon(request.stamp) }
            for takeover in takeovers { takeover.ingestor.abandon(takeover.stamp) }
        }
        for ingestor in ingestors {
            let decision: ProducerLedger.Decision
            do {
                decision = try ingestor.begin(request.stamp)
            } catch {
                withdraw()
                throw error
            }
            switch decision {
            case .fresh: reserved.append(ingestor)
            case .duplicate(let answer): known.append(answer)
            case .takeover(let answer, let sequence):
                known.append(answer)
                takeovers.append(Takeover(ingestor: ingestor, stamp: request.stamp.at(sequence)))
            case .inFlight:
                withdraw()
                try putOff(ingestor)
                return .waiting
            case .fenced(let epoch):
                withdraw()
                throw FirnError(
                    .fenced, "producer_fenced",
                    "a producer with epoch \(epoch) has taken over; this one must stop sending")
            case .busy:
                withdraw()
                throw FirnError(
                    .conflict, "producer_busy",
                    "another batch of this producer is still in flight; send sequences one after the other")
            }
        }
        if known.isEmpty { return .fresh }
        guard reserved.isEmpty else {
            withdraw()
            throw FirnError(
                .conflict, "stamp_used",
                "some of the tables have taken a batch with this key or sequence, others have not; use a new one")
        }
        service.counters.duplicate()
        return takeovers.isEmpty ? .duplicate(known) : .takeover(known, takeovers)
    }

    private func putOff(_ ingestor: TableIngestor) throws(FirnError) {
        guard service.warehouse.environment.clock.monotonicNanos() - arrivedNanos < Self.patienceNanos else {
            throw FirnError(.conflict, "in_flight", "the same batch is still in flight; try again")
        }
        ingestor.whenSettled(request.stamp) { [self] in service.decodePool.submit { self.run() } }
    }

    /// Logs a producer's higher epoch before its repeated batch is answered.
    private func takeOver(
        _ ingestors: [TableIngestor], _ answers: [StoredAnswer], _ takeovers: [Takeover]
    ) throws {
        let decoded = try takeovers.map { takeover in
            let ingestor = takeover.ingestor
            let record = BatchRecord(
                table: ingestor.tableUUID, schemaId: Int32(ingestor.metadata.currentSchemaId), format: .ndjson,
                stamp: takeover.stamp, acceptedCount: 0,
                arrivalMicros: service.warehouse.environment.clock.nowMicros(),
                settings: LandingSettings(isTakeover: true).encode(), body: [])
            return Decoded(
                ingestor: ingestor, landing: try Landing(empty: ingestor.schema), record: record, deadLetters: nil,
                eventTime: nil)
        }
        let entry = try LoggedRequest.entry(decoded.map(\.record))
        try service.log.append(entry) { [self] result in
            switch result {
            case .success(let position):
                let nothing = decoded.map { $0.landing.answer(at: position) }
                let deliveries = Delivery.make(decoded, nothing, position: position, arrivedNanos: arrivedNanos)
                service.budget.adjust(from: reserved, to: deliveries.reduce(0) { $0 + $1.chunk.bytes })
                _ = service.deliver(deliveries, position: position)
                answer(ingestors, answers, duplicate: true)
            case .failure(let error):
                for takeover in takeovers { takeover.ingestor.abandon(takeover.stamp) }
                service.budget.release(reserved)
                completion(.failure(error))
            }
        }
    }

    // MARK: Rows

    private func decode(_ ingestors: [TableIngestor]) throws -> [Decoded] {
        var decoded: [Decoded] = []
        for (part, ingestor) in zip(request.parts, ingestors) { decoded.append(try decode(part, ingestor)) }
        let refused = decoded.reduce(0) { $0 + $1.landing.refusedCount }
        let landed = decoded.reduce(0) { $0 + $1.landing.batch.rowCount + $1.landing.deadLetters.count }
        if landed == 0, refused == 0 {
            throw FirnError(.invalidInput, "empty_body", "the body holds no record")
        }
        guard landed == 0 || request.isMultiTable && refused > 0 else { return decoded }
        let rejections = decoded.flatMap(\.landing.rejections)
        let message =
            landed == 0
            ? "none of the \(refused) records could be accepted"
            : "\(refused) records could not be accepted, and a request for several tables lands as a whole or not at all"
        throw FirnError(
            .invalidInput, landed == 0 ? "all_records_rejected" : "records_rejected", message,
            cause: AllRecordsRejected(rejections: rejections, rejectedCount: refused))
    }

    /// What an attached table refuses as it was last seen may fit as it is now.
    private func decode(_ part: IngestRequest.Part, _ ingestor: TableIngestor) throws -> Decoded {
        guard ingestor.isAttached else { return try decodeAsKnown(part, ingestor) }
        let schemaId = ingestor.metadata.currentSchemaId
        let first = Result { try decodeAsKnown(part, ingestor) }
        if let known = try? first.get(), known.landing.rejectedCount == 0 { return known }
        guard let table = try? service.warehouse.loadTable(ingestor.identifier),
            table.metadata.currentSchemaId != schemaId
        else { return try first.get() }
        ingestor.refresh(table)
        return try decodeAsKnown(part, ingestor)
    }

    private func decodeAsKnown(_ part: IngestRequest.Part, _ ingestor: TableIngestor) throws -> Decoded {
        let (metadata, policy) = ingestor.target
        // A record that can never be committed must not be acknowledged.
        guard metadata.formatVersion >= 2 else {
            throw FirnError(
                .unsupported, "format_version",
                "tables of format version \(metadata.formatVersion) can only be read; records go into version 2 and 3")
        }
        let decoded: Decoded
        do {
            decoded = try land(part, ingestor, metadata, policy)
        } catch let error where policy.schema != .strict && part.format.hasColumns {
            guard let evolved = try service.evolve(ingestor, part, metadata, policy, refused: 1) else { throw error }
            return try land(part, ingestor, evolved, IngestPolicy(evolved))
        }
        guard policy.schema != .strict, Self.mayGrow(decoded.landing, part.format),
            let evolved = try service.evolve(ingestor, part, metadata, policy, refused: decoded.landing.rejectedCount)
        else { return decoded }
        return try land(part, ingestor, evolved, IngestPolicy(evolved))
    }

    /// False when no refused record is of a kind that another schema would take, so that nothing is planned in vain.
    private static func mayGrow(_ landing: Landing, _ format: RecordFormat) -> Bool {
        let isListed = landing.rejections.count == landing.rejectedCount
        return landing.rejectedCount > 0
            && (format.hasColumns || !isListed || landing.rejections.contains { EvolutionWalk.mayHelp($0.code) })
    }

    private func land(
        _ part: IngestRequest.Part, _ ingestor: TableIngestor, _ metadata: TableMetadata, _ policy: IngestPolicy
    ) throws -> Decoded {
        let clock = service.warehouse.environment.clock
        // They and their table change together, which two catalogs cannot.
        let keepsDeadLetters = policy.keepsDeadLetters && !ingestor.isAttached
        let deadLetters = keepsDeadLetters ? try service.deadLetters(of: ingestor, arrivedNanos: arrivedNanos) : nil
        let settings = LandingSettings(
            decode: policy.decode, deadLetters: deadLetters?.tableUUID, eventTime: policy.eventTime,
            cutoff: policy.eventTime.flatMap { ingestor.cutoff($0, nowMs: clock.nowMs()) },
            lines: part.lines, tableName: request.isMultiTable ? part.table.description : nil)
        let arrivalMicros = clock.nowMicros()
        let landing = try Landing(
            part.body, format: part.format, schema: metadata.currentSchema, settings: settings,
            nowMs: arrivalMicros / 1000, memoryBytesMax: service.options.memoryBytesMax, decoders: ingestor.decoders)
        let record = BatchRecord(
            table: ingestor.tableUUID, schemaId: Int32(metadata.currentSchemaId), format: part.format,
            stamp: request.stamp, acceptedCount: landing.batch.rowCount, arrivalMicros: arrivalMicros,
            settings: settings.logged(with: landing).encode(), body: part.body)
        return Decoded(
            ingestor: ingestor, landing: landing, record: record, deadLetters: deadLetters,
            eventTime: policy.eventTime)
    }

    // MARK: Log

    private func append(_ decoded: [Decoded]) throws {
        let entry = try LoggedRequest.entry(decoded.map(\.record))
        try service.log.append(entry) { [self] result in
            switch result {
            case .success(let position): landed(decoded, at: position)
            case .failure(let error):
                for part in decoded { part.ingestor.abandon(request.stamp) }
                service.budget.release(reserved)
                completion(.failure(error))
            }
        }
    }

    private func landed(_ decoded: [Decoded], at position: UInt64) {
        let answers = decoded.map { $0.landing.answer(at: position) }
        let deliveries = Delivery.make(decoded, answers, position: position, arrivedNanos: arrivedNanos)
        service.budget.adjust(from: reserved, to: deliveries.reduce(0) { $0 + $1.chunk.bytes })
        let taken = service.deliver(deliveries, position: position)
        // Parts of tables that were dropped meanwhile went with them; a request of which nothing is left has failed.
        guard taken else { return completion(.failure(decoded[0].ingestor.conditionError(.dropped)!)) }
        let bytes = request.byteCount
        let nanos = service.warehouse.environment.clock.monotonicNanos() - arrivedNanos
        service.counters.acknowledged(
            answers, bytes: bytes, late: decoded.reduce(0) { $0 + $1.landing.lateCount }, nanos: nanos)
        answer(decoded.map(\.ingestor), answers, duplicate: false)
    }

    // MARK: Answer

    private func answer(_ ingestors: [TableIngestor], _ answers: [StoredAnswer], duplicate: Bool) {
        guard request.waitCommitted else {
            return complete(ingestors, answers, duplicate: duplicate, snapshots: ingestors.map { _ in nil })
        }
        let pending = Mutex((left: ingestors.count, snapshots: ingestors.map { _ in Int64?.none }))
        let shared = Shared(pending)
        for (index, (ingestor, stored)) in zip(ingestors, answers).enumerated() {
            ingestor.whenCommitted(stored.position) { [self] result in
                // The commit failed for now; what is durable must not be answered as an error, or it is sent again.
                let ready: [Int64?]? = shared.value.withLock { pending in
                    pending.left -= 1
                    if case .success(let id) = result { pending.snapshots[index] = id }
                    return pending.left == 0 ? pending.snapshots : nil
                }
                if let ready { complete(ingestors, answers, duplicate: duplicate, snapshots: ready) }
            }
        }
        service.tick.signal()
    }

    private func complete(
        _ ingestors: [TableIngestor], _ answers: [StoredAnswer], duplicate: Bool, snapshots: [Int64?]
    ) {
        if ingestors.allSatisfy({ $0.condition == .dropped }), request.waitCommitted {
            return completion(.failure(ingestors[0].conditionError(.dropped)!))
        }
        let committed = zip(ingestors, answers).allSatisfy { $0.committedPosition >= $1.position }
        var answer = IngestAnswer(
            accepted: answers.reduce(0) { $0 + $1.accepted },
            rejections: Array(answers.flatMap(\.rejections).prefix(Limits.rejectionsReportedMax)),
            rejectedCount: answers.reduce(0) { $0 + $1.rejectedCount },
            deadLettered: answers.reduce(0) { $0 + $1.deadLettered }, duplicate: duplicate,
            state: committed ? .committed : .durable, position: answers.map(\.position).max() ?? 0,
            snapshotId: request.isMultiTable ? nil : snapshots[0])
        if request.isMultiTable {
            answer.parts = request.parts.indices.map { index in
                IngestAnswer.Part(
                    table: request.parts[index].table, accepted: answers[index].accepted,
                    rejectedCount: answers[index].rejectedCount, deadLettered: answers[index].deadLettered,
                    snapshotId: snapshots[index])
            }
        }
        completion(.success(answer))
    }
}

/// A lock that several callbacks share.
private final class Shared<Value>: Sendable {
    let value: Mutex<Value>
    init(_ value: consuming sending Mutex<Value>) { self.value = value }
}
