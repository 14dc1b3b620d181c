import AsyncHTTPClient
import Base
import Catalog
import NIOHTTP1
import Synchronization

/// The bearer token of a catalog: as a file holds it, or as the catalog gives it for credentials that a file holds
/// (OAuth2 client credentials, RFC 6749 section 4.4).
///
/// Files are read when a token is needed that is not known or was refused, so whoever renews them need tell nobody.
final class RestTokens: Sendable {
    private struct Token {
        let text: String
        let untilNanos: Int64
    }

    private static let fileBytesMax = 64 << 10
    /// A token is renewed so long before it ends.
    private static let marginSeconds: Int64 = 10
    /// Of tokens that do not say how long they are good.
    private static let lifetimeSeconds: Int64 = 3600

    private let endpoint: RemoteEndpoint
    private let exchange: String
    private let transport: HTTPTransport
    private let clock = Environment.live.clock
    private let state = Mutex<Token?>(nil)

    /// Throws `.invalidInput` (`bad_endpoint`).
    init(_ endpoint: RemoteEndpoint, base: String, transport: HTTPTransport) throws {
        guard endpoint.tokenFile == nil || endpoint.credentialFile == nil else {
            throw FirnError(.invalidInput, "bad_endpoint", "give a token or credentials, not both")
        }
        self.endpoint = endpoint
        self.transport = transport
        exchange = endpoint.tokenURI ?? base + "/v1/oauth/tokens"
    }

    /// Nil where the catalog wants none.
    func current() throws -> String? {
        if let known = state.withLock({ $0 }), clock.monotonicNanos() < known.untilNanos { return known.text }
        let made: Token
        if let file = endpoint.tokenFile {
            made = Token(text: try Self.secret(file), untilNanos: .max)
        } else if let file = endpoint.credentialFile {
            made = try exchanged(try Self.secret(file))
        } else {
            return nil
        }
        state.withLock { $0 = made }
        return made.text
    }

    /// Forgets a token that was refused; false where there is no other to be had.
    func renew(_ refused: String?) -> Bool {
        guard let refused else { return false }
        state.withLock { if $0?.text == refused { $0 = nil } }
        // A file that holds the same token still would be refused again.
        guard let file = endpoint.tokenFile else { return true }
        return (try? Self.secret(file)) != refused
    }

    private func exchanged(_ credential: String) throws -> Token {
        let parts = credential.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else {
            throw FirnError(
                .invalidInput, "bad_credential", "the credential file holds client-id:client-secret",
                context: ["file": endpoint.credentialFile ?? ""])
        }
        var form = [
            ("grant_type", "client_credentials"), ("client_id", parts[0]), ("client_secret", parts[1]),
        ]
        form.append(("scope", endpoint.scope ?? "catalog"))
        let body = form.map { "\($0.0)=\(PercentEncoding.component($0.1))" }.joined(separator: "&")
        let answer = try transport.send(
            .POST, exchange,
            headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")],
            body: Array(body.utf8), timeout: .seconds(10))
        guard answer.status == 200 else {
            guard answer.status < 500, answer.status != 429 else {
                throw TransportFailure("the token endpoint answered \(answer.status)", mayHaveArrived: false)
            }
            throw FirnError(
                .invalidInput, "remote_refused", "the token endpoint refuses the credentials (\(answer.status))",
                context: ["uri": exchange, "remote-status": String(answer.status)])
        }
        guard let json = try? JSONValue(parsing: answer.body, source: exchange),
            let text = json["access_token"]?.stringValue
        else {
            throw FirnError(
                .corrupted, "remote_answer", "the token endpoint's answer holds no token", context: ["uri": exchange])
        }
        let seconds = max(1, (json["expires_in"]?.intValue ?? Self.lifetimeSeconds) - Self.marginSeconds)
        return Token(text: text, untilNanos: clock.monotonicNanos() + min(seconds, 86_400) * 1_000_000_000)
    }

    private static func secret(_ file: String) throws -> String {
        let bytes: [UInt8]
        do {
            bytes = try Environment.live.files.readAll(file, limit: fileBytesMax)
        } catch {
            throw FirnError(
                .invalidInput, "secret_unreadable", "the file with the catalog's secret cannot be read",
                context: ["file": file], cause: error)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let trimmed = text.split(whereSeparator: { $0.isNewline || $0 == " " || $0 == "\t" })
        guard trimmed.count == 1, let secret = trimmed.first else {
            throw FirnError(
                .invalidInput, "secret_unreadable", "the file with the catalog's secret holds one line, without spaces",
                context: ["file": file])
        }
        return String(secret)
    }
}
