import Base
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP2
import NIOHTTPTypes
import NIOHTTPTypesHTTP2
import NIOPosix
import Synchronization

/// HTTP/2 with prior knowledge, on connections that the front door hands over: NIO speaks it, Hummingbird's router
/// answers it.
final class HTTP2Door: Sendable {
    private static let streamsMax = 100

    private let bridge: RouterBridge
    private let group: any EventLoopGroup
    private let logger: Logger
    private let date: DateField
    private let channels = Mutex([ObjectIdentifier: any Channel]())
    private let count = Atomic(0)
    private let busy = Atomic(0)

    init(bridge: RouterBridge, clock: any Clock, logger: Logger) {
        self.bridge = bridge
        self.logger = logger
        date = DateField(clock: clock)
        group = MultiThreadedEventLoopGroup.singleton
    }

    var openCount: Int { count.load(ordering: .relaxed) }

    /// Requests that have not been answered yet. Connections may be open without any: their peers may never look again.
    var busyCount: Int { busy.load(ordering: .relaxed) }

    /// Takes over a connected socket, of which `taken` has been read already.
    func adopt(_ descriptor: Int32, taken: [UInt8]) {
        let stream = HTTP1Channel { [bridge, date] request, writer, _ in
            var response = await bridge.respond(to: request)
            bridge.counters.answered(response.status.code, code: nil, isIngest: false)
            response.headers[.server] = "firn"
            response.headers[.date] = date.value
            try await writer.write(response: response.head, body: response.body)
        }
        count.wrappingAdd(1, ordering: .relaxed)
        Task { [self] in
            defer { count.wrappingSubtract(1, ordering: .relaxed) }
            do {
                let connection = try await ClientBootstrap(group: group)
                    .channelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
                    .withConnectedSocket(descriptor) { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try Self.configure(channel, taken: taken, logger: self.logger)
                        }
                    }
                let name = ObjectIdentifier(connection.channel)
                channels.withLock { $0[name] = connection.channel }
                defer { channels.withLock { $0[name] = nil } }
                try await withThrowingDiscardingTaskGroup { tasks in
                    for try await request in connection.streams.inbound {
                        busy.wrappingAdd(1, ordering: .relaxed)
                        tasks.addTask { [self] in
                            await stream.handle(value: request, logger: logger)
                            busy.wrappingSubtract(1, ordering: .relaxed)
                        }
                    }
                }
            } catch {
                logger.debug("HTTP/2 connection ended", metadata: ["error": "\(error)"])
            }
        }
    }

    private typealias Stream = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    private struct Connection: Sendable {
        let channel: any Channel
        let streams: NIOHTTP2Handler.AsyncStreamMultiplexer<Stream>
    }

    private static func configure(_ channel: any Channel, taken: [UInt8], logger: Logger) throws -> Connection {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(ReplayHandler(taken: taken))
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: channel.eventLoop,
            configuration: NIOHTTP2ServerConnectionManagementHandler.Configuration(
                maxIdleTime: .nanoseconds(FrontOptions.idleNanosMax), maxAge: nil, maxGraceTime: .seconds(30),
                keepalive: nil))
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: streamsMax),
            HTTP2Setting(parameter: .maxHeaderListSize, value: RequestHead.bytesMax),
        ]
        let streams = try pipeline.configureAsyncHTTP2Pipeline(
            mode: .server, streamDelegate: manager.http2StreamDelegate,
            configuration: NIOHTTP2Handler.Configuration(connection: connection, stream: .init())
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(HTTP2FramePayloadToHTTPServerCodec())
                // Ends a stream whose request does not go on.
                try stream.pipeline.syncOperations.addHandler(
                    HTTPConnectionStateHandler(idleTimeout: .nanoseconds(FrontOptions.idleNanosMax), logger: logger))
                return try Stream(wrappingChannelSynchronously: stream)
            }
        }
        try pipeline.addHandler(manager)
        return Connection(channel: channel, streams: streams)
    }

    /// Tells every peer to go away; streams that are open finish.
    func drain() {
        for channel in channels.withLock({ Array($0.values) }) {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    /// Ends what is still open.
    func stop() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}

/// Gives the pipeline what was read before it existed.
private final class ReplayHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let taken: [UInt8]

    init(taken: [UInt8]) { self.taken = taken }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: taken)))
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
