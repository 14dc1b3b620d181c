import Base
import Catalog
import Hummingbird
import Ingest

/// Dead letters over HTTP: count, show, redrive, discard. What was acknowledged before the request is committed first.
struct DeadLetterRoutes {
    private static let lettersShownMax = 1000

    let warehouse: Warehouse
    let ingest: IngestService
    let pool: WorkerPool

    func add(to router: Router<RouteContext>) {
        router.get("/v1/dead-letters") { _, _ in
            try await pool.run {
                let counts = try DeadLetterOffice(warehouse: warehouse).count().map(Self.json)
                return JSONResponse.make(["dead-letters": .array(counts)])
            }
        }
        router.get("/v1/tables/:namespace/:table/dead-letters") { request, context in
            let table = try context.table
            let selection = try Self.selection(request)
            let limit = min(request.query("limit").flatMap { Int($0) } ?? 100, Self.lettersShownMax)
            return try await pool.run {
                let letters = try DeadLetterOffice(warehouse: warehouse).show(table, selection, limit: limit)
                return JSONResponse.make(["dead-letters": .array(letters.map(\.json))])
            }
        }
        router.post("/v1/tables/:namespace/:table/dead-letters/redrive") { request, context in
            let table = try context.table
            let selection = try Self.selection(request)
            _ = try await ingest.flush(table)
            return try await pool.run {
                JSONResponse.make(try DeadLetterOffice(warehouse: warehouse).redrive(table, selection).json)
            }
        }
        router.delete("/v1/tables/:namespace/:table/dead-letters") { request, context in
            let table = try context.table
            let selection = try Self.selection(request)
            _ = try await ingest.flush(table)
            return try await pool.run {
                JSONResponse.make(try DeadLetterOffice(warehouse: warehouse).discard(table, selection).json)
            }
        }
    }

    /// `?code=a,b&column=path&from-position=1&to-position=9`
    private static func selection(_ request: Request) throws(FirnError) -> DeadLetterSelection {
        var selection = DeadLetterSelection()
        selection.codes = Set((request.query("code") ?? "").split(separator: ",").map(String.init))
        selection.column = request.query("column")
        let from = try position(request, "from-position") ?? 0
        let to = try position(request, "to-position") ?? .max
        guard from <= to else {
            throw FirnError(.invalidInput, "bad_parameter", "from-position is above to-position")
        }
        selection.positions = from...to
        return selection
    }

    private static func position(_ request: Request, _ name: String) throws(FirnError) -> UInt64? {
        guard let text = request.query(name) else { return nil }
        guard let position = UInt64(text) else {
            throw FirnError(.invalidInput, "bad_parameter", "\(name) must be a log position, a whole number")
        }
        return position
    }

    private static func json(_ count: DeadLetterOffice.Count) -> JSONValue {
        .object([
            .init("table", .string(count.table.description)), .init("letters", .integer(Int64(count.total))),
            .init(
                "by-code",
                .object(count.byCode.sorted { $0.key < $1.key }.map { .init($0.key, .integer(Int64($0.value))) })),
        ])
    }
}
