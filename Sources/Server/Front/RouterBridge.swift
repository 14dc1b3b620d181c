import Base
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Runs the requests of the front door that are not ingest through Hummingbird's router, in process.
struct RouterBridge: Sendable {
    /// Where an answer goes, and how it is framed.
    struct Outlet: Sendable {
        let mailbox: FrontMailbox
        let connection: UInt64
        let serial: UInt64
        let closes: Bool
        let date: [UInt8]
        /// HTTP/1.0 knows no chunks: such a body ends with the connection.
        let knowsChunks: Bool
        let isHead: Bool

        init(
            mailbox: FrontMailbox, connection: UInt64, serial: UInt64, head: RequestHead, closes: Bool, date: [UInt8]
        ) {
            self.mailbox = mailbox
            self.connection = connection
            self.serial = serial
            self.closes = closes
            self.date = date
            knowsChunks = head.minorVersion == 1
            isHead = head.matches(head.method, Array("HEAD".utf8))
        }
    }

    let responder: any HTTPResponder<RouteContext>
    let counters: HTTPCounters
    let logger: Logger

    /// The router's answer; errors have become problem documents.
    func respond(to request: Request, _ presence: ClientPresence = ClientPresence()) async -> Response {
        do {
            return try await responder.respond(
                to: request, context: RouteContext(source: RouteContext.Source(logger: logger, presence: presence)))
        } catch {
            return ErrorResponse.make(error)
        }
    }

    /// - Parameter onAnswered: called once, when the route has answered; says whether the connection is to end.
    func run(
        _ request: Request, _ outlet: Outlet, _ presence: ClientPresence, onAnswered: @escaping @Sendable () -> Bool
    ) {
        Task {
            let response = await respond(to: request, presence)
            let isLast = onAnswered()
            counters.answered(response.status.code, code: nil, isIngest: false)
            let writer = AnswerWriter(outlet, response, closes: outlet.closes || isLast)
            do {
                try await response.body.write(FrontBodyWriter(writer: writer))
                writer.finish()
            } catch {
                logger.info(
                    "answer broken off",
                    metadata: ["method": "\(request.method)", "path": "\(request.uri.path)", "error": "\(error)"])
                writer.breakOff(error)
            }
        }
    }

    static func request(_ head: RequestHead, body: [UInt8]) -> Request {
        var fields = HTTPFields()
        for field in head.fields {
            guard let name = HTTPField.Name(head.text(Int(field.nameStart)..<Int(field.nameEnd))) else { continue }
            fields.append(HTTPField(name: name, value: head.text(Int(field.valueStart)..<Int(field.valueEnd))))
        }
        let request = HTTPRequest(
            method: HTTPRequest.Method(head.text(head.method)) ?? .get, scheme: "http", authority: head.text(.host),
            path: head.text(head.target), headerFields: fields)
        return Request(head: request, body: RequestBody(buffer: ByteBuffer(bytes: body)))
    }
}

/// One answer of the router on its way: small ones leave in one piece, large ones as they come.
private final class AnswerWriter {
    private static let pieceBytes = 64 << 10

    private let outlet: RouterBridge.Outlet
    private let isChunked: Bool
    private let closes: Bool
    private var head: [UInt8] = []
    private var body: [UInt8] = []
    private var hasBegun = false
    private var isOver = false

    init(_ outlet: RouterBridge.Outlet, _ response: Response, closes: Bool) {
        self.outlet = outlet
        let length = response.body.contentLength
        let mayHaveBody = response.status != .noContent && response.status != .notModified
        isChunked = length == nil && outlet.knowsChunks && mayHaveBody
        self.closes = closes || length == nil && !outlet.knowsChunks
        AnswerBytes.line(response.status, into: &head)
        for field in response.headers where field.name != .contentLength && field.name != .transferEncoding {
            head += "\(field.name): \(field.value)\r\n".utf8
        }
        if isChunked {
            head += "Transfer-Encoding: chunked\r\n".utf8
        } else if let length, mayHaveBody {
            head += "Content-Length: \(length)\r\n".utf8
        }
        AnswerBytes.finishHead(closes: self.closes, date: outlet.date, into: &head)
    }

    func write(_ buffer: ByteBuffer) async throws {
        guard !outlet.isHead else { return }
        body += buffer.readableBytesView
        guard body.count >= Self.pieceBytes else { return }
        let piece = takePiece(isLast: false)
        try await withCheckedThrowingContinuation { taken in
            outlet.mailbox.post(
                .piece(connection: outlet.connection, serial: outlet.serial, bytes: piece, taken: taken))
        }
    }

    func finish() {
        guard !isOver else { return }
        end(takePiece(isLast: true), closes: closes)
    }

    /// After an error. Where nothing has been sent the client gets it as an answer; otherwise the body stays without
    /// its end, and the closed connection tells.
    func breakOff(_ error: any Error) {
        guard !isOver else { return }
        guard !hasBegun else {
            if isChunked { return end([], closes: true) }
            // The end of the connection would be that of the body.
            isOver = true
            return outlet.mailbox.post(.abort(connection: outlet.connection))
        }
        end(AnswerBytes.problem(Problem(error), closes: closes, date: outlet.date), closes: closes)
    }

    private func end(_ bytes: [UInt8], closes: Bool) {
        isOver = true
        outlet.mailbox.post(
            .answer(connection: outlet.connection, serial: outlet.serial, bytes: bytes, closes: closes))
    }

    private func takePiece(isLast: Bool) -> [UInt8] {
        var out = hasBegun ? [] : head
        hasBegun = true
        if isChunked, !outlet.isHead {
            if !body.isEmpty {
                out += String(body.count, radix: 16).utf8
                out += "\r\n".utf8
                out += body
                out += "\r\n".utf8
            }
            if isLast { out += "0\r\n\r\n".utf8 }
        } else {
            out += body
        }
        body.removeAll(keepingCapacity: true)
        return out
    }
}

private struct FrontBodyWriter: ResponseBodyWriter {
    let writer: AnswerWriter

    mutating func write(_ buffer: ByteBuffer) async throws { try await writer.write(buffer) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws { writer.finish() }
}
