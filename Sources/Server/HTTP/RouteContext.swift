import Hummingbird
import Logging

/// What a route gets beside its request: path parameters and a logger. The same for both protocols, and without a
/// NIO channel, which an HTTP/1.1 request does not have.
struct RouteContext: RequestContext {
    struct Source: RequestContextSource {
        let logger: Logger
    }

    var coreContext: CoreRequestContextStorage

    init(source: Source) { coreContext = CoreRequestContextStorage(source: source) }
}
