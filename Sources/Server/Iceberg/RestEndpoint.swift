import Base
import Catalog
import HTTPTypes
import Hummingbird

/// One operation of the protocol. Router and `config` are made from the same list, so they cannot differ.
struct RestEndpoint: Sendable {
    let method: HTTPRequest.Method
    /// As the specification writes it: `/v1/{prefix}/namespaces/{namespace}`.
    let path: String
    /// False for what every server has, and for what the specification wants left out.
    let isListed: Bool
    let answer: @Sendable (RestCall) async throws -> Response

    init(
        _ method: HTTPRequest.Method, _ path: String, isListed: Bool = true,
        answer: @escaping @Sendable (RestCall) async throws -> Response
    ) {
        self.method = method
        self.path = path
        self.isListed = isListed
        self.answer = answer
    }

    /// The form of `config`: `GET /v1/{prefix}/namespaces`.
    var name: String { "\(method.rawValue) \(path)" }

    /// What the router listens to. A prefix is accepted whatever it is; `config` gives none.
    var routes: [String] {
        let levels = path.split(separator: "/")
        let short = levels.filter { $0 != "{prefix}" }
        let forms = short.count == levels.count ? [levels] : [short, levels]
        return forms.map { RestErrorMiddleware.root + "/" + $0.joined(separator: "/") }
    }
}

/// A request and its route's parameters, read as the protocol means them.
struct RestCall: Sendable {
    /// A commit of many snapshots at once, with a schema of thousands of columns, stays far below.
    static let bodyBytesMax = 16 << 20
    private static let keyBytesMax = 255

    let request: Request
    let context: RouteContext

    /// Throws `.notFound` (`namespace_not_found`) for a name that no namespace can have.
    var namespace: [String] {
        get throws { try Self.namespace(try context.parameters.text("namespace")) }
    }

    var table: TableIdentifier {
        get throws { try TableIdentifier(existing: namespace, name: try context.parameters.text("table")) }
    }

    func query(_ name: String) -> String? { request.query(name) }

    /// Levels are joined by the unit separator.
    static func namespace(_ text: String) throws(FirnError) -> [String] {
        let levels = text.split(separator: "\u{1f}", omittingEmptySubsequences: false).map(String.init)
        try NameRules.checkExisting(levels)
        return levels
    }

    /// The body, decompressed and bounded.
    func bytes() async throws -> [UInt8] {
        let coding = try ContentCoding(header: request.headers[.contentEncoding])
        let bytes = try await request.bytes(limit: Self.bodyBytesMax)
        return try coding?.decode(bytes, limit: Self.bodyBytesMax) ?? bytes
    }

    /// The key under which a change keeps its answer; nil without one. Throws `.invalidInput` (`bad_idempotency_key`).
    func keyed(_ body: [UInt8], status: HTTPResponse.Status) throws(FirnError) -> KeyedRequest? {
        guard let key = request.headers[.idempotencyKey] else { return nil }
        guard !key.isEmpty, key.utf8.count <= Self.keyBytesMax else {
            throw FirnError(
                .invalidInput, "bad_idempotency_key", "an idempotency key has 1 to \(Self.keyBytesMax) bytes")
        }
        let target = Array("\(request.method) \(request.uri)\n".utf8)
        let fingerprint = Hex.encode(XXHash64.hash(target + body), width: 16) + "-" + String(body.count, radix: 16)
        return KeyedRequest(
            key: key, fingerprint: fingerprint, status: status.code, lifetimeMs: RestConfig.keyLifetimeMs)
    }
}
