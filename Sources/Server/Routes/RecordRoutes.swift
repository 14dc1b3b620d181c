import Base
import Catalog
import HTTPTypes
import Hummingbird
import Ingest

/// `POST …/records` and what a producer asks about itself.
struct RecordRoutes {
    let ingest: IngestService
    let bodyBytesMax: Int
    let pool: WorkerPool
    let admission: Admission

    func add(to router: Router<RouteContext>) {
        router.post("/v1/tables/:namespace/:table/records") { request, context in
            try await post(request, table: try context.table)
        }
        router.post("/v1/records") { request, _ in try await post(request, table: nil) }
        router.get("/v1/tables/:namespace/:table/producers/:producer") { _, context in
            let table = try context.table
            let id = try context.parameters.text("producer")
            return try await pool.run { try producer(id, table: table) }
        }
        router.post("/v1/tables/:namespace/:table/flush") { _, context in
            let snapshot = try await ingest.flush(try context.table)
            return JSONResponse.make(["snapshot-id": snapshot.map { .integer($0) } ?? .null])
        }
        router.post("/v1/flush") { _, _ in JSONResponse.make(["tables": .object(try await flushAll())]) }
    }

    /// Commits what is acknowledged, of all tables at once. Throws what the flush of one throws, when all have ended.
    private func flushAll() async throws -> [JSONValue.Member] {
        let tables = ingest.figures.tables.filter { $0.uncommittedRows > 0 }.map(\.table)
        return try await withThrowingTaskGroup(of: JSONValue.Member.self) { group in
            for table in tables {
                group.addTask {
                    let snapshot = try await ingest.flush(table)
                    return .init(table.description, snapshot.map { .integer($0) } ?? .null)
                }
            }
            var members: [JSONValue.Member] = []
            for try await member in group { members.append(member) }
            return members.sorted { $0.key < $1.key }
        }
    }

    /// - Parameter table: nil when the body names the tables.
    private func post(_ request: Request, table: TableIdentifier?) async throws -> Response {
        let format = try Self.format(request.headers[.contentType])
        let coding = try ContentCoding(header: request.headers[.contentEncoding])
        let stamp = try Self.stamp(request.headers)
        let wait = Self.waitsForCommit(prefer: request.headers[.prefer])
        let share = table?.description ?? IngestTarget.severalName
        var held = (requests: 0, bytes: 0)
        defer { admission.leave(table: share, requests: held.requests, bytes: held.bytes) }
        var body = try await request.bytes(limit: bodyBytesMax) { count in
            if let error = admission.reserve(bytes: count, table: share) { throw error }
            held.bytes += count
        }
        if let error = admission.enter(table: share, bytes: 0) { throw error }
        held.requests = 1
        if let coding {
            let packed = body
            body = try await pool.run { try coding.decode(packed, limit: bodyBytesMax) }
        }
        guard !body.isEmpty else {
            throw FirnError(.invalidInput, "empty_body", "the body holds no record")
        }
        let ingestRequest: IngestRequest
        if let table {
            ingestRequest = IngestRequest(
                table: table, body: body, format: format, stamp: stamp, waitCommitted: wait)
        } else {
            let whole = body
            let parts = try await pool.run { try SectionSplitter.split(whole, format: format) }
            ingestRequest = IngestRequest(parts: parts, stamp: stamp, waitCommitted: wait)
        }
        let answer = try await ingest.ingest(ingestRequest)
        return JSONResponse.make(answer.json)
    }

    private func producer(_ id: String, table: TableIdentifier) throws -> Response {
        guard let state = try ingest.producerPosition(id, in: table) else {
            throw FirnError(
                .notFound, "producer_not_found", "producer \"\(id)\" has not sent anything to \(table)")
        }
        func number(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }
        return JSONResponse.make([
            "producer": .string(id), "epoch": .integer(state.epoch), "durable-sequence": number(state.durable),
            "committed-sequence": number(state.committed),
        ])
    }

    // MARK: Headers

    static func format(_ contentType: String?) throws(FirnError) -> RecordFormat {
        let type = (contentType ?? "application/x-ndjson").split(separator: ";").first.map(String.init) ?? ""
        switch type.lowercased().filter({ $0 != " " }) {
        case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
            return .ndjson
        case "application/json": return .json
        case "text/csv": return .csv
        case "application/vnd.apache.avro", "application/avro", "avro/binary": return .avro
        case "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file": return .arrow
        case "application/vnd.apache.parquet", "application/x-parquet": return .parquet
        default:
            throw FirnError(
                .invalidInput, "unsupported_media_type",
                "Content-Type \"\(type)\" is not understood; send application/x-ndjson, application/json, text/csv, "
                    + "application/vnd.apache.avro, application/vnd.apache.arrow.stream or "
                    + "application/vnd.apache.parquet")
        }
    }

    static func stamp(_ headers: HTTPFields) throws(FirnError) -> ProducerStamp {
        try stamp(
            key: headers[.idempotencyKey], producer: headers[.firnProducer], epoch: headers[.firnEpoch],
            sequence: headers[.firnSequence])
    }

    /// The identity of a batch from the values of its header fields.
    static func stamp(
        key: String?, producer: String?, epoch: String?, sequence: String?
    ) throws(FirnError) -> ProducerStamp {
        if key != nil && producer != nil {
            throw bad("send either Idempotency-Key or Firn-Producer, not both")
        }
        if let key { return .key(try checked(key, "Idempotency-Key")) }
        guard let producer else {
            guard sequence == nil && epoch == nil else {
                throw bad("Firn-Sequence and Firn-Epoch need Firn-Producer")
            }
            return .none
        }
        guard let sequence = sequence.flatMap({ Int64($0) }), sequence >= 0 else {
            throw bad("Firn-Producer needs Firn-Sequence, a whole number from 0 that rises with every batch")
        }
        guard let epoch = Int64(epoch ?? "0"), epoch >= 0 else { throw bad("Firn-Epoch must be a whole number from 0") }
        return .sequence(producer: try checked(producer, "Firn-Producer"), epoch: epoch, sequence: sequence)
    }

    private static func checked(_ id: String, _ header: String) throws(FirnError) -> String {
        guard !id.isEmpty, id.utf8.count <= Limits.producerIdBytesMax else {
            throw bad("\(header) must have 1 to \(Limits.producerIdBytesMax) bytes")
        }
        return id
    }

    static func waitsForCommit(prefer: String?) -> Bool {
        guard let prefer else { return false }
        return prefer.split(separator: ",").contains { $0.filter { $0 != " " } == "wait=committed" }
    }

    private static func bad(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_header", message) }
}

extension HTTPField.Name {
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let firnProducer = HTTPField.Name("Firn-Producer")!
    static let firnEpoch = HTTPField.Name("Firn-Epoch")!
    static let firnSequence = HTTPField.Name("Firn-Sequence")!
    static let prefer = HTTPField.Name("Prefer")!
}

extension RequestContext {
    /// The table that the path names. Throws `.invalidInput` (`bad_identifier`).
    var table: TableIdentifier {
        get throws {
            try TableIdentifier(
                namespace: parameters.text("namespace").split(separator: ".", omittingEmptySubsequences: false)
                    .map(String.init),
                name: parameters.text("table"))
        }
    }
}
