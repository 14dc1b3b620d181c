import Base
import Catalog
import HTTPTypes
import Hummingbird
import Ingest
import Synchronization

/// What the operations share: the catalog, the threads that work on it, and how a change is answered once.
final class RestService: Sendable {
    /// Requests under way; a client that opens more gets 503 and comes again.
    static let requestsMax = 1024

    let warehouse: Warehouse
    let ingest: IngestService
    /// Commits wait for each other, and reads must not wait for them.
    let reads = WorkerPool(name: "rest-read", threads: 4)
    private let changes = WorkerPool(name: "rest-change", threads: 4)
    private let underWay = Atomic(0)

    init(warehouse: Warehouse, ingest: IngestService) {
        self.warehouse = warehouse
        self.ingest = ingest
    }

    func answer(_ endpoint: RestEndpoint, _ call: RestCall) async throws -> Response {
        let count = underWay.wrappingAdd(1, ordering: .relaxed).newValue
        defer { underWay.wrappingSubtract(1, ordering: .relaxed) }
        guard count <= Self.requestsMax else {
            throw FirnError(
                .overloaded, "too_many_requests", "the catalog has \(Self.requestsMax) requests under way; try again")
        }
        return try await endpoint.answer(call)
    }

    /// Lets a reader see what it is to see: commits acknowledged records first, where the table or the reader's header
    /// does not put up with older ones (G5).
    func freshen(_ table: Table, _ call: RestCall) async throws {
        var freshness = ReadFreshness(properties: table.metadata.properties)
        if let text = call.request.headers[.firnMaxStaleness] {
            guard let number = Int(text), (0...ReadFreshness.stalenessMsMax).contains(number) else {
                throw FirnError(
                    .invalidInput, "bad_staleness",
                    "Firn-Max-Staleness-Ms must be a number from 0 to \(ReadFreshness.stalenessMsMax)")
            }
            freshness.maxStalenessMs = number
        }
        do {
            try await ingest.freshen(table.metadata.tableUUID, freshness)
        } catch let error as FirnError where error.kind != .notFound {
            throw FirnError(
                .overloaded, "not_fresh",
                "acknowledged records could not be committed yet (\(error.message)); try again, or send the header "
                    + "Firn-Max-Staleness-Ms to read without them", cause: error)
        }
    }

    /// Commits what is acknowledged for a table that is about to leave the catalog with its files: it may come back.
    func settle(_ id: TableIdentifier) async throws {
        let uuid = try await reads.run { [warehouse] in try? warehouse.loadTable(id).metadata.tableUUID }
        guard let uuid else { return }
        try await ingest.freshen(uuid, ReadFreshness(minSnapshotIntervalMs: 0))
    }

    /// What a change is answered with.
    enum Outcome: Sendable {
        /// 204.
        case nothing
        case json(JSONValue)
        case table(Table)
        case staged(RestTableAnswer)
    }

    /// Carries out a change: once for each idempotency key, and with every failure in the shape that `scope` wants.
    ///
    /// - Parameter body: gets the parsed body, null where there is none, and hands the request to the change so that
    ///   both are one transaction.
    func change(
        _ call: RestCall, scope: RestError.Scope = .other, status: HTTPResponse.Status = .ok,
        _ body: @escaping @Sendable (JSONValue, KeyedRequest?) throws -> Outcome
    ) async throws -> Response {
        let bytes = try await call.bytes()
        let encoding = call.request.headers[.acceptEncoding]
        return try await changes.run { [self] in
            var keyed: KeyedRequest?
            do {
                keyed = try call.keyed(bytes, status: status)
                if let known = try keyed.flatMap({ try warehouse.answer(to: $0) }) { return try replay(known, call) }
                let json = bytes.isEmpty ? .null : try JSONValue(parsing: bytes, source: "request body")
                return try response(try body(json, keyed), status, encoding)
            } catch {
                // Lost to itself: sent twice, it was carried out while this one was on its way.
                if let known = keyed.flatMap({ try? warehouse.answer(to: $0) }) { return try replay(known, call) }
                let answer = RestError(error, scope: scope)
                if let keyed, answer.isDefinite {
                    // Without this the request would only be judged again.
                    try? warehouse.keep(
                        KeyedRequest.Answer(status: answer.status.code, body: answer.json.serialize()), to: keyed)
                }
                if answer.status.code >= 500 {
                    call.context.logger.error(
                        "request failed", metadata: ["path": "\(call.request.uri.path)", "error": "\(error)"])
                }
                return answer.response()
            }
        }
    }

    private func response(
        _ outcome: Outcome, _ status: HTTPResponse.Status, _ encoding: String?
    ) throws -> Response {
        switch outcome {
        case .nothing: Response(status: .noContent)
        case .json(let json): JSONResponse.make(json, status: status)
        case .table(let table): try RestTableAnswer(table).response(acceptEncoding: encoding)
        case .staged(let answer): try answer.response(acceptEncoding: encoding)
        }
    }

    /// The first answer again. Of a table it shows the state that the request led to, while that is still kept, else
    /// the present one.
    private func replay(_ answer: KeyedRequest.Answer, _ call: RestCall) throws -> Response {
        let status = HTTPResponse.Status(code: answer.status)
        guard status != .noContent else { return Response(status: status) }
        guard let location = answer.metadataLocation else {
            return Response(
                status: status, headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body + [UInt8(ascii: "\n")])))
        }
        let encoding = call.request.headers[.acceptEncoding]
        if let metadata = try? warehouse.metadata(at: location) {
            return try RestTableAnswer(metadataLocation: location, metadata: metadata).response(
                acceptEncoding: encoding)
        }
        return try RestTableAnswer(warehouse.loadTable(call.table)).response(acceptEncoding: encoding)
    }
}

extension HTTPField.Name {
    /// How old acknowledged records may be that a reader does not see.
    static let firnMaxStaleness = HTTPField.Name("Firn-Max-Staleness-Ms")!
}
