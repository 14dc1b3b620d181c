import Base

/// Firn's HTTP API for the CLI: one connection, reopened when lost.
final class FirnClient {
    private let host: String
    private let port: Int
    private let timeoutSeconds: Int
    private var connection: HTTPConnection?

    /// Throws `.invalidInput` (`bad_url`) unless the address is `http://host[:port]`.
    init(_ address: String, timeoutSeconds: Int = 120) throws(FirnError) {
        self.timeoutSeconds = timeoutSeconds
        guard address.hasPrefix("http://") else {
            throw FirnError(.invalidInput, "bad_url", "\"\(address)\" is not a server address; write http://host:port")
        }
        let authority = address.dropFirst(7).prefix { $0 != "/" }
        let parts = authority.split(separator: ":", maxSplits: 1)
        guard let name = parts.first, let port = parts.count == 2 ? Int(parts[1]) : 8181 else {
            throw FirnError(.invalidInput, "bad_url", "\"\(address)\" is not a server address; write http://host:port")
        }
        host = String(name)
        self.port = port
    }

    /// Sends a request; on a lost connection opens a new one and, when `retry`, repeats it once.
    /// An answer of 400 or above is thrown as the `FirnError` that its problem document describes.
    @discardableResult
    func call(
        _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8] = [], retry: Bool = true
    ) throws -> JSONValue {
        let answer = try send(method, path, headers: headers, body: body, retry: retry)
        guard answer.status < 400 else { throw Self.problem(answer) }
        return answer.body.isEmpty ? .null : try JSONValue(parsing: answer.body, source: "server answer")
    }

    func send(
        _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8] = [], retry: Bool = false
    ) throws -> HTTPConnection.Answer {
        var collected: [UInt8] = []
        do {
            let answer = try open().request(method, path, headers: headers, body: body, onBody: { collected += $0 })
            return HTTPConnection.Answer(status: answer.status, headers: answer.headers, body: collected)
        } catch let error as FirnError where error.code == "connection_lost" && retry {
            connection = nil
            return try send(method, path, headers: headers, body: body)
        } catch {
            connection = nil
            throw error
        }
    }

    /// Sends a request and hands the body of a good answer over in pieces as they arrive. Throws as `call`; what has
    /// been handed over then is not the whole.
    func stream(
        _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8] = [],
        onBody: ([UInt8]) throws -> Void
    ) throws {
        var refusal: [UInt8] = []
        var isGood = false
        let answer = try open().request(
            method, path, headers: headers, body: body, onHead: { isGood = $0.status < 400 },
            onBody: { piece in if isGood { try onBody(Array(piece)) } else { refusal += piece } })
        guard answer.status < 400 else {
            throw Self.problem(HTTPConnection.Answer(status: answer.status, headers: answer.headers, body: refusal))
        }
    }

    /// The connection, open.
    func open() throws -> HTTPConnection {
        if let connection { return connection }
        let opened = try HTTPConnection(host: host, port: port, timeoutSeconds: timeoutSeconds)
        connection = opened
        return opened
    }

    /// Gives the connection up; the next request opens a new one.
    func close() { connection = nil }

    static func problem(_ answer: HTTPConnection.Answer) -> FirnError {
        let json = try? JSONValue(parsing: answer.body, source: "server answer")
        let kind: FirnError.Kind =
            switch answer.status {
            case 404: .notFound
            case 409: .conflict
            case 429, 503: .overloaded
            case 507: .storageFull
            case 400..<500: .invalidInput
            default: .internal
            }
        var message = json?["detail"]?.stringValue ?? "the server answered with status \(answer.status)"
        if let first = json?["rejected"]?.arrayValue?.first {
            message += "; first: line \(first["line"]?.intValue ?? 0): \(first["message"]?.stringValue ?? "")"
        }
        return FirnError(kind, json?["code"]?.stringValue ?? "http_\(answer.status)", message)
    }
}
