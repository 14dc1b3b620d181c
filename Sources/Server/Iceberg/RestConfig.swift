import Base
import Hummingbird

/// What a client asks first: what is served, and with which settings.
struct RestConfig {
    /// How long the answer to a request with an idempotency key is kept.
    static let keyLifetimeMs: Int64 = 1_800_000

    let endpoints: [RestEndpoint]

    var json: JSONValue {
        [
            "defaults": [:], "overrides": [:],
            "endpoints": .array(endpoints.filter(\.isListed).map { .string($0.name) }),
            "idempotency-key-lifetime": .string("PT\(Self.keyLifetimeMs / 60_000)M"),
        ]
    }

    /// The answer to clients that want a token before they ask anything. The server knows no users: whoever reaches it
    /// may use it, so the token says nothing and is asked for by nobody.
    static func token(form body: [UInt8]) -> Response {
        let form = String(decoding: body, as: UTF8.self).split(separator: "&")
        let grants: [Substring] = [
            "grant_type=client_credentials",
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
        ]
        guard grants.contains(where: form.contains) else {
            return JSONResponse.make(
                [
                    "error": "unsupported_grant_type",
                    "error_description": "send grant_type=client_credentials as a form",
                ], status: .badRequest)
        }
        return JSONResponse.make([
            "access_token": "firn", "token_type": "bearer", "expires_in": 86_400,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        ])
    }
}
