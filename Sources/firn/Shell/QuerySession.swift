import Base
import Catalog
import Query
import Synchronization

/// Where the statements of a shell run.
protocol QuerySession: AnyObject {
    /// What the shell says it is connected to.
    var place: String { get }

    /// Runs a statement. Rows come until there are no more or `onRow` answers false.
    ///
    /// - Throws: what running it throws; `.cancelled` (`query_cancelled`) after Ctrl-C.
    func run(
        _ sql: String, onColumns: ([OutputColumn]) throws -> Void, onRow: ([Cell]) throws -> Bool
    ) throws

    /// All tables, as `namespace.table`, sorted.
    func tables() throws -> [String]
}

extension QuerySession {
    /// The columns of a table or metadata table as SQL names it.
    func columns(of table: String) throws -> [OutputColumn] {
        let parts = table.split(separator: ".", omittingEmptySubsequences: false).map { Completer.quoted(String($0)) }
        var found: [OutputColumn] = []
        try run(
            "SELECT * FROM \(parts.joined(separator: ".")) LIMIT 0", onColumns: { found = $0 }, onRow: { _ in true })
        return found
    }
}

/// Statements on a warehouse that this process opened.
final class WarehouseSession: QuerySession {
    private let warehouse: Warehouse
    private let engine: QueryEngine
    private let options: QueryOptions
    /// Has a server beside it commit what it has acknowledged, before each statement.
    private let flushes: Bool

    init(_ warehouse: Warehouse, options: QueryOptions, flushes: Bool) {
        self.warehouse = warehouse
        engine = QueryEngine(warehouse: warehouse)
        self.options = options
        self.flushes = flushes
    }

    var place: String { warehouse.directory }

    func run(
        _ sql: String, onColumns: ([OutputColumn]) throws -> Void, onRow: ([Cell]) throws -> Bool
    ) throws {
        let running = Running()
        try Interrupts.during({ running.cancel() }) {
            if flushes { LiveServer.flush(beside: warehouse) }
            let result = try engine.execute(sql, options: options)
            defer { result.close() }
            running.begin(result)
            try onColumns(result.columns.map { OutputColumn($0) })
            while let row = try result.nextRow(), try onRow(result.cells(row)) {}
        }
    }

    func tables() throws -> [String] { try warehouse.listTables().map(\.description).sorted() }

    /// A statement that may be cancelled before it has begun.
    private final class Running: Sendable {
        private let state = Mutex<(result: QueryResult?, isCancelled: Bool)>((nil, false))

        func begin(_ result: QueryResult) {
            let isCancelled = state.withLock { state in
                state.result = result
                return state.isCancelled
            }
            if isCancelled { result.cancel() }
        }

        func cancel() {
            let result = state.withLock { state in
                state.isCancelled = true
                return state.result
            }
            result?.cancel()
        }
    }
}

extension LiveServer {
    /// Has the server that works on a warehouse, if any does, commit what it has acknowledged; says so when it cannot.
    static func flush(beside warehouse: Warehouse) {
        guard let live = find(warehouse: warehouse.directory) else { return tellOfWhatWaits(in: warehouse) }
        do {
            try live.flush()
        } catch {
            Console.error("firn: the server at \(live.url) could not commit what it has acknowledged: \(error)")
        }
    }
}
