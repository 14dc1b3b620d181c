import Base
import HTTPTypes
import Hummingbird

/// The one place where an error becomes an answer of the Iceberg REST catalog:
/// `{"error":{"message":…,"type":…,"code":…}}`.
///
/// Clients choose what to do by status and type. Of a commit, 409 means that it did not happen and may be tried again,
/// while any 5xx means that nobody knows, so that a client then keeps files which nothing may need: 5xx is kept for
/// when that is true.
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (ErrorModel)
struct RestError {
    /// What the request was about.
    enum Scope: Sendable { case other, commit }

    let status: HTTPResponse.Status
    let type: String
    let message: String
    /// The answer to a request that is sent again will be the same.
    let isDefinite: Bool
    var isRetryable: Bool { status == .serviceUnavailable }

    init(_ thrown: any Error, scope: Scope = .other) {
        let known = thrown as? FirnError
        message = known?.description ?? "\(thrown)"
        (status, type) = known.map { Self.answer($0, scope) } ?? Self.unknown(scope)
        let isPassing = [.io, .storageFull, .overloaded, .cancelled].contains(known?.kind)
        isDefinite = status.kind == .clientError && !isPassing && known?.code != "idempotency_key_reused"
    }

    var json: JSONValue {
        ["error": ["message": .string(message), "type": .string(type), "code": .integer(Int64(status.code))]]
    }

    func response(isHead: Bool = false) -> Response {
        var response = isHead ? Response(status: status) : JSONResponse.make(json, status: status)
        if isRetryable { response.headers[.retryAfter] = "1" }
        return response
    }

    private static func unknown(_ scope: Scope) -> (HTTPResponse.Status, String) {
        (500, scope == .commit ? "CommitStateUnknownException" : "InternalServerError")
    }

    private static func answer(_ error: FirnError, _ scope: Scope) -> (HTTPResponse.Status, String) {
        switch error.code {
        case "namespace_not_found": return (.notFound, "NoSuchNamespaceException")
        case "table_not_found": return (.notFound, "NoSuchTableException")
        case "view_not_found": return (.notFound, "NoSuchViewException")
        case "plan_not_found": return (.notFound, "NoSuchPlanIdException")
        case "plan_task_not_found": return (.notFound, "NoSuchPlanTaskException")
        case "route_not_found": return (.notFound, "NoSuchEndpointException")
        case "namespace_not_empty": return (.conflict, "NamespaceNotEmptyException")
        case "idempotency_key_reused", "property_set_and_removed":
            return (.unprocessableContent, "UnprocessableEntityException")
        case "body_too_large", "decompressed_too_large": return (.contentTooLarge, "BadRequestException")
        case "unsupported_encoding": return (.unsupportedMediaType, "BadRequestException")
        case "remote_unavailable" where scope != .commit: return (.serviceUnavailable, "ServiceUnavailableException")
        default: break
        }
        switch error.kind {
        case .invalidInput, .limitExceeded: return (.badRequest, "BadRequestException")
        case .unsupported: return (.notAcceptable, "UnsupportedOperationException")
        case .notFound: return (.notFound, "NotFoundException")
        case .alreadyExists: return (.conflict, "AlreadyExistsException")
        case .conflict, .fenced: return (.conflict, "CommitFailedException")
        case .outcomeUnknown: return (.internalServerError, "CommitStateUnknownException")
        case .overloaded, .storageFull, .cancelled:
            return scope == .commit ? (.conflict, "CommitFailedException") : (.serviceUnavailable, "SlowDownException")
        case .io, .internal, .corrupted:
            return scope == .commit
                ? (.conflict, "CommitFailedException") : (.internalServerError, "InternalServerError")
        }
    }
}

/// Gives every error below `/iceberg` the catalog's own shape, that of an unknown route too.
struct RestErrorMiddleware: RouterMiddleware {
    static let root = "/iceberg"
    static let rootBytes = Array("/iceberg/".utf8)

    func handle(
        _ request: Request, context: RouteContext, next: (Request, RouteContext) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        guard path == Self.root || path.hasPrefix(Self.root + "/") else { return try await next(request, context) }
        do {
            return try await next(request, context)
        } catch {
            let answer = RestError(Self.known(error, request))
            if answer.status.code == 500 {
                context.logger.error("request failed", metadata: ["path": "\(path)", "error": "\(error)"])
            }
            return answer.response(isHead: request.method == .head)
        }
    }

    private static func known(_ error: any Error, _ request: Request) -> any Error {
        guard let error = error as? any HTTPResponseError else { return error }
        guard error.status == .notFound else {
            return FirnError(.invalidInput, "bad_request", "the request cannot be read: \(error.status.reasonPhrase)")
        }
        return FirnError(
            .notFound, "route_not_found",
            "this catalog does not serve \(request.method) \(request.uri.path); GET /iceberg/v1/config lists what it does"
        )
    }
}
