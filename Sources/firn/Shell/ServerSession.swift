import Base
import Glibc
import Query

/// Statements that a running server runs: `POST /v1/query`.
final class ServerSession: QuerySession {
    /// The server ends a statement after five minutes; its own message should come first.
    private static let patienceSeconds = 330
    private static let rowBytesMax = 256 << 20
    private static let problemBytesMax = 1 << 20

    let place: String
    private let client: FirnClient
    /// Whether the last request got the beginning of an answer.
    private var hasAnswered = false

    init(_ address: String) throws {
        place = address
        client = try FirnClient(address, timeoutSeconds: Self.patienceSeconds)
    }

    func tables() throws -> [String] {
        let names = try client.call("GET", "/v1/tables")["tables"]?.arrayValue ?? []
        return names.compactMap(\.stringValue).sorted()
    }

    func run(
        _ sql: String, onColumns: ([OutputColumn]) throws -> Void, onRow: ([Cell]) throws -> Bool
    ) throws {
        var columns: [OutputColumn]?
        var line: [UInt8] = []
        func take(_ bytes: [UInt8]) throws {
            let row = try JSONValue(parsing: bytes, source: "server answer").objectValue ?? []
            if columns == nil {
                columns = row.map { OutputColumn(name: $0.key) }
                try onColumns(columns!)
            }
            guard row.count == columns!.count else {
                throw FirnError(.corrupted, "bad_answer", "the server sent a row of \(row.count) columns")
            }
            guard try onRow(row.map { Cell($0.value) }) else { throw Enough() }
        }
        do {
            try send(
                sql, accept: OutputFormat.ndjson.contentType,
                onHead: { answer in
                    columns = answer.headers["firn-columns"].flatMap { OutputColumn.parse(header: $0) }
                    if let columns { try onColumns(columns) }
                },
                onBody: { piece in
                    var rest = piece
                    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                        line += rest[..<end]
                        try take(line)
                        line = []
                        rest = rest[(end + 1)...]
                    }
                    line += rest
                    guard line.count <= Self.rowBytesMax else {
                        throw FirnError(
                            .limitExceeded, "row_too_large",
                            "a row of the answer has more than \(Self.rowBytesMax >> 20) MiB; select fewer columns")
                    }
                })
            if columns == nil { try onColumns([]) }
        } catch is Enough {
            // The rest of the answer is still on its way.
            client.close()
        }
    }

    /// Hands the server's answer over as it is.
    func copy(_ sql: String, as format: OutputFormat, to sink: ([UInt8]) throws -> Void) throws {
        try send(sql, accept: format.contentType, onHead: { _ in }, onBody: { try sink(Array($0)) })
    }

    /// Ends an answer of which no more is wanted.
    private struct Enough: Error {}

    private func send(
        _ sql: String, accept: String, onHead: (HTTPConnection.Answer) throws -> Void,
        onBody: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        let body = JSONValue.object([.init("sql", .string(sql))]).serialize()
        let headers = ["Content-Type": "application/json", "Accept": accept]
        do {
            try attempt(headers, body, onHead, onBody)
        } catch let error as FirnError where error.code == "connection_lost" && !hasAnswered {
            // The server ends connections that rest.
            try attempt(headers, body, onHead, onBody)
        }
    }

    private func attempt(
        _ headers: [String: String], _ body: [UInt8], _ onHead: (HTTPConnection.Answer) throws -> Void,
        _ onBody: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        hasAnswered = false
        let connection = try client.open()
        let descriptor = connection.descriptor
        var isProblem = false
        var problem: [UInt8] = []
        do {
            try Interrupts.during({ shutdown(descriptor, Int32(SHUT_RDWR)) }) {
                let answer = try connection.request(
                    "POST", "/v1/query", headers: headers, body: body,
                    onHead: {
                        hasAnswered = true
                        isProblem = $0.status >= 400
                        if !isProblem { try onHead($0) }
                    },
                    onBody: { piece in
                        guard isProblem else { return try onBody(piece) }
                        problem += piece.prefix(Self.problemBytesMax - problem.count)
                    })
                guard isProblem else { return }
                throw FirnClient.problem(
                    HTTPConnection.Answer(status: answer.status, headers: answer.headers, body: problem))
            }
        } catch {
            // An answer that broke off leaves the connection in the middle of it.
            client.close()
            throw error
        }
    }
}
