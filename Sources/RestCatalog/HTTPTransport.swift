import AsyncHTTPClient
import Base
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

struct HTTPAnswer {
    let status: Int
    let headers: HTTPHeaders
    let body: [UInt8]
}

/// No answer came, or one that says to come again.
struct TransportFailure: Error {
    let message: String
    /// Whether the request may have been read by somebody.
    let mayHaveArrived: Bool

    init(_ message: String, mayHaveArrived: Bool) {
        self.message = message
        self.mayHaveArrived = mayHaveArrived
    }

    func unavailable(_ uri: String) -> FirnError {
        FirnError(.io, "remote_unavailable", message, context: ["uri": uri])
    }
}

/// Requests over HTTP and TLS for callers that wait.
struct HTTPTransport: Sendable {
    /// Metadata of a table comes whole.
    private static let answerBytesMax = 256 << 20

    /// By the file of certificates, "" for the system's. They live as long as the process, with their connections.
    private static let clients = Mutex<[String: HTTPClient]>([:])

    /// A PEM file of the certificates to trust, read at the first request; nil for those that the system trusts.
    let caFile: String?

    private func client() throws -> HTTPClient {
        try Self.clients.withLock { clients in
            if let known = clients[caFile ?? ""] { return known }
            let made = HTTPClient(eventLoopGroupProvider: .singleton, configuration: try configuration())
            clients[caFile ?? ""] = made
            return made
        }
    }

    private func configuration() throws -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(2), read: .seconds(60)),
            decompression: .enabled(limit: .size(Self.answerBytesMax)))
        // Who asks knows better when to ask again.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        if let caFile {
            guard let trusted = try? NIOSSLCertificate.fromPEMFile(caFile), !trusted.isEmpty else {
                throw FirnError(
                    .invalidInput, "bad_ca_file", "no certificates can be read from the file of those to trust",
                    context: ["file": caFile])
            }
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .certificates(trusted)
            configuration.tlsConfiguration = tls
        }
        return configuration
    }

    /// Throws `TransportFailure`; `.invalidInput` (`bad_endpoint`) for a URL that is none, (`bad_ca_file`).
    func send(
        _ method: HTTPMethod, _ url: String, headers: [(String, String)], body: [UInt8]?, timeout: TimeAmount
    ) throws -> HTTPAnswer {
        let client = try client()
        let request: HTTPClient.Request
        do {
            request = try HTTPClient.Request(
                url: url, method: method, headers: HTTPHeaders(headers), body: body.map { .bytes($0) })
        } catch {
            throw FirnError(.invalidInput, "bad_endpoint", "not a URL that can be asked", context: ["uri": url])
        }
        do {
            let answer = try client.execute(
                request: request,
                delegate: ResponseAccumulator(request: request, maxBodySize: Self.answerBytesMax),
                deadline: .now() + timeout
            ).wait()
            return HTTPAnswer(
                status: Int(answer.status.code), headers: answer.headers,
                body: answer.body.map { Array($0.readableBytesView) } ?? [])
        } catch {
            let place = "\(request.scheme)://\(request.host):\(request.port)"
            if Self.isOfHandshake(error) {
                throw TransportFailure(
                    "no TLS connection to \(place), for its certificate or what it offers: \(error)",
                    mayHaveArrived: false)
            }
            if Self.isOfConnecting(error) {
                throw TransportFailure("no connection to \(place)", mayHaveArrived: false)
            }
            let known = (error as? HTTPClientError)?.shortDescription
            throw TransportFailure("no answer from \(place): \(known ?? "\(error)")", mayHaveArrived: true)
        }
    }

    /// Nothing was sent yet.
    private static func isOfHandshake(_ error: any Error) -> Bool {
        if let error = error as? NIOSSLError, case .handshakeFailed = error { return true }
        return error is NIOSSLExtraError
    }

    /// Nothing was sent yet.
    private static func isOfConnecting(_ error: any Error) -> Bool {
        if error is NIOConnectionError { return true }
        if let system = error as? IOError { return system.errnoCode == ECONNREFUSED }
        guard let known = error as? HTTPClientError else { return false }
        return known == .connectTimeout || known == .getConnectionFromPoolTimeout
    }
}

enum PercentEncoding {
    /// Everything but unreserved characters (RFC 3986, section 2.3).
    static func component(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default: encoded += "%" + Hex.encode([byte]).uppercased()
            }
        }
        return encoded
    }
}
