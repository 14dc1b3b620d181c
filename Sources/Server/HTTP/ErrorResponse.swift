import Base
import HTTPTypes
import Hummingbird
import Ingest

/// The one place where an error becomes an HTTP answer: `application/problem+json` (RFC 9457) with a stable `code`.
struct Problem {
    static let contentType = "application/problem+json"

    let error: FirnError
    let status: HTTPResponse.Status
    /// The document, with a line feed at its end.
    let body: [UInt8]
    /// Whether `Retry-After` tells the client to come back.
    let isRetryable: Bool

    init(_ thrown: any Error) {
        error = thrown as? FirnError ?? FirnError(.internal, "internal_error", "\(thrown)")
        status = Self.status(error)
        var members: [JSONValue.Member] = [
            .init("type", .string("about:blank")), .init("title", .string(status.reasonPhrase)),
            .init("status", .integer(Int64(status.code))), .init("code", .string(error.code)),
            .init("detail", .string(error.message)),
        ]
        members += error.context.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) }
        if let rejected = error.cause as? AllRecordsRejected {
            members.append(.init("accepted", 0))
            members.append(.init("rejected", .array(rejected.rejections.map(\.json))))
            members.append(.init("rejected-count", .integer(Int64(rejected.rejectedCount))))
        }
        var bytes = JSONValue.object(members).serialize()
        bytes.append(UInt8(ascii: "\n"))
        body = bytes
        isRetryable = error.kind == .overloaded || error.kind == .storageFull || status == .serviceUnavailable
    }

    static func status(_ error: FirnError) -> HTTPResponse.Status {
        switch error.code {
        case "all_records_rejected", "records_rejected": return .unprocessableContent
        case "body_too_large", "decompressed_too_large": return .contentTooLarge
        case "unsupported_media_type", "unsupported_encoding": return .unsupportedMediaType
        case "shutting_down", "not_ready", "too_many_connections", "remote_unavailable": return .serviceUnavailable
        case "remote_refused", "remote_rejected", "remote_answer": return .badGateway
        case "request_timeout": return .requestTimeout
        case "expectation_failed": return .expectationFailed
        case "head_too_large": return .requestHeaderFieldsTooLarge
        case "http_version": return .httpVersionNotSupported
        case "unsupported_transfer_coding": return .notImplemented
        default: break
        }
        switch error.kind {
        case .invalidInput: return .badRequest
        case .notFound: return .notFound
        case .alreadyExists, .conflict, .fenced: return .conflict
        case .unsupported: return .badRequest
        case .limitExceeded: return .contentTooLarge
        case .overloaded: return .tooManyRequests
        case .storageFull: return HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
        case .cancelled: return .serviceUnavailable
        case .outcomeUnknown, .io, .internal, .corrupted: return .internalServerError
        }
    }
}

/// A problem as Hummingbird's response.
enum ErrorResponse {
    static func status(_ error: FirnError) -> HTTPResponse.Status { Problem.status(error) }

    static func make(_ error: any Error) -> Response {
        let problem = Problem(error)
        var response = Response(
            status: problem.status, headers: [.contentType: Problem.contentType],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: problem.body)))
        if problem.isRetryable { response.headers[.retryAfter] = "1" }
        return response
    }
}

enum JSONResponse {
    static func make(
        _ json: JSONValue, status: HTTPResponse.Status = .ok, type: String = "application/json"
    ) -> Response {
        var bytes = json.serialize()
        bytes.append(UInt8(ascii: "\n"))
        return Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

/// Turns every thrown error of the routes below it into a problem answer, and refuses unknown routes the same way.
struct ErrorMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as FirnError {
            if error.kind == .internal || error.kind == .io || error.kind == .corrupted {
                context.logger.error("request failed", metadata: ["code": "\(error.code)", "error": "\(error)"])
            }
            return ErrorResponse.make(error)
        } catch let error as any HTTPResponseError {
            let code = error.status == .notFound ? "route_not_found" : "bad_request"
            let kind: FirnError.Kind = error.status == .notFound ? .notFound : .invalidInput
            return ErrorResponse.make(
                FirnError(kind, code, "\(request.method) \(request.uri.path): \(error.status.reasonPhrase)"))
        } catch {
            context.logger.error("request failed", metadata: ["error": "\(error)"])
            return ErrorResponse.make(error)
        }
    }
}
