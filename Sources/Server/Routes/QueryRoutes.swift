import Base
import Catalog
import HTTPTypes
import Hummingbird
import Ingest
import Query

/// `POST /v1/query`: SQL in, rows out, streamed. What was acknowledged before the request is committed first, so that
/// the statement sees it (G5).
///
/// An error before the first piece of the answer is a problem document. A later one breaks the answer off: a body in
/// chunks then lacks its end, and the connection is closed, so that no client takes a part for the whole, whatever the
/// format.
struct QueryRoutes {
    /// A statement that runs longer is ended; the CLI has no such bound.
    static let timeLimitMs = 300_000
    private static let statementBytesMax = 1 << 20

    let engine: QueryEngine
    let ingest: IngestService
    private let gate = QueryGate()
    private let pool = WorkerPool(name: "query", threads: QueryGate.Limits().running)

    init(warehouse: Warehouse, ingest: IngestService) {
        engine = QueryEngine(warehouse: warehouse)
        self.ingest = ingest
    }

    func add(to router: Router<RouteContext>) {
        router.post("/v1/query") { request, context in
            let (sql, options) = try await Self.statement(request)
            let format = Self.format(request.headers[.accept])
            let turn = try await gate.enter(context.presence)
            try await ingest.flushAll(attached: QueryEngine.tables(in: sql))
            let stream = try await pool.run {
                let result = try engine.execute(sql, options: options)
                context.presence.onGone { result.cancel() }
                return ResultStream(result, format: format)
            }
            // The first piece is made before the status line, so that most errors still get one of their own.
            let first = try await pool.run { try stream.next() }
            var headers: HTTPFields = [.contentType: format.contentType]
            headers[.firnColumns] = OutputColumn.header(stream.outputColumns)
            return Response(
                status: .ok, headers: headers,
                body: ResponseBody { [pool] writer in
                    defer {
                        stream.close()
                        turn.end()
                    }
                    var piece = first
                    while let bytes = piece {
                        try await writer.write(ByteBuffer(bytes: bytes))
                        piece = try await pool.run { try stream.next() }
                    }
                    try await writer.finish(nil)
                })
        }
    }

    /// The body as a statement alone, or as JSON with bounds beside it.
    private static func statement(_ request: Request) async throws -> (sql: String, options: QueryOptions) {
        let bytes = try await request.bytes(limit: statementBytesMax)
        var options = QueryOptions(timeLimitMs: timeLimitMs)
        guard request.headers[.contentType]?.hasPrefix("application/json") ?? false else {
            guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
                throw FirnError(.invalidInput, "empty_query", "send a SQL statement as text, or as {\"sql\": \"…\"}")
            }
            return (text, options)
        }
        let json = try JSONValue(parsing: bytes, source: "request body")
        guard let sql = json["sql"]?.stringValue else {
            throw FirnError(.invalidInput, "empty_query", "the JSON body needs a member \"sql\"")
        }
        options.rowLimit = try number(json, "limit", 0...Int.max)
        options.timeLimitMs = try number(json, "timeout-ms", 1...timeLimitMs) ?? timeLimitMs
        for member in json.objectValue ?? [] where !["sql", "limit", "timeout-ms"].contains(member.key) {
            throw FirnError(
                .invalidInput, "unknown_member",
                "the body has the member \"\(member.key)\"; it may have \"sql\", \"limit\" and \"timeout-ms\"")
        }
        return (sql, options)
    }

    /// Nil for a member that is missing or null.
    private static func number(_ json: JSONValue, _ name: String, _ range: ClosedRange<Int>) throws(FirnError) -> Int? {
        guard let value = json[name], !value.isNull else { return nil }
        guard let number = value.intValue.flatMap({ Int(exactly: $0) }), range.contains(number) else {
            let bound =
                range.upperBound == .max ? "from \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw FirnError(.invalidInput, "bad_member", "\"\(name)\" must be a whole number, \(bound)")
        }
        return number
    }

    /// The first known type of the list; NDJSON where there is none.
    static func format(_ accept: String?) -> ResultFormat {
        let formats: [ResultFormat] = [.arrowStream, .arrow, .parquet] + OutputFormat.allCases.map(ResultFormat.text)
        for item in (accept ?? "").split(separator: ",") {
            let type = item.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
            if let format = formats.first(where: { $0.contentType.prefix { $0 != ";" } == type }) { return format }
        }
        return .text(.ndjson)
    }
}

extension HTTPField.Name {
    /// Names and types of a query's columns, as `OutputColumn.header` writes them.
    static let firnColumns = HTTPField.Name("Firn-Columns")!
}
