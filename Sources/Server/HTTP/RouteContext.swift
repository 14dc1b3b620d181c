import Hummingbird
import Logging

/// What a route gets beside its request: path parameters, a logger, and whether the client is still there. The same for
/// both protocols, and without a NIO channel, which an HTTP/1.1 request does not have.
struct RouteContext: RequestContext {
    struct Source: RequestContextSource {
        let logger: Logger
        var presence = ClientPresence()
    }

    var coreContext: CoreRequestContextStorage
    let presence: ClientPresence

    init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        presence = source.presence
    }
}
