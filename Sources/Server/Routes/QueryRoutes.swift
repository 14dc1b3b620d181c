import Base
import Catalog
import HTTPTypes
import Hummingbird
import Ingest
import Query

/// `POST /v1/query`: SQL in, rows out, streamed. What was acknowledged before the request is committed first, so that
/// the statement sees it (G5).
struct QueryRoutes {
    /// A statement that runs longer is ended; the CLI has no such bound.
    static let timeLimitMs = 300_000

    let engine: QueryEngine
    let ingest: IngestService
    private let pool = WorkerPool(name: "query", threads: 4)

    init(warehouse: Warehouse, ingest: IngestService) {
        engine = QueryEngine(warehouse: warehouse)
        self.ingest = ingest
    }

    func add(to router: Router<RouteContext>) {
        router.post("/v1/query") { request, _ in
            let sql = try await Self.statement(request)
            let format = Self.format(request.headers[.accept])
            try await ingest.flushAll()
            let stream = try await pool.run {
                QueryStream(
                    try engine.execute(sql, options: QueryOptions(timeLimitMs: Self.timeLimitMs)), format: format)
            }
            // The first piece is made before the status line, so that most errors still get one of their own.
            let first = try await pool.run { try stream.next() }
            return Response(
                status: .ok, headers: [.contentType: format.contentType],
                body: ResponseBody { [pool] writer in
                    defer { stream.close() }
                    var piece = first
                    while let bytes = piece {
                        try await writer.write(ByteBuffer(bytes: bytes))
                        piece = try await pool.run { try stream.next() }
                    }
                    try await writer.finish(nil)
                })
        }
    }

    private static func statement(_ request: Request) async throws -> String {
        let bytes = try await request.bytes(limit: 1 << 20)
        guard request.headers[.contentType]?.hasPrefix("application/json") ?? false else {
            guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
                throw FirnError(.invalidInput, "empty_query", "send a SQL statement as text, or as {\"sql\": \"…\"}")
            }
            return text
        }
        guard let sql = try JSONValue(parsing: bytes, source: "request body")["sql"]?.stringValue else {
            throw FirnError(.invalidInput, "empty_query", "the JSON body needs a member \"sql\"")
        }
        return sql
    }

    private static func format(_ accept: String?) -> OutputFormat {
        let accept = accept ?? ""
        if accept.contains("text/csv") { return .csv }
        if accept.contains("text/plain") { return .table }
        if accept.contains("application/json") { return .json }
        return .ndjson
    }
}
