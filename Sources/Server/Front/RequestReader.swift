import Base
import Glibc

/// Cuts the bytes of a connection into requests. Pure: no socket, no clock.
///
/// 1. `take` is handed bytes as they came, in any pieces, and says how many it used and what they completed.
/// 2. After `.head` the owner looks at `head` and says whether the body is kept (`keepBody`) or swallowed
///    (`dropBody`).
/// 3. After `.request` the body is in `takeBody`, and the next request begins.
///
/// After a fault nothing more can be read from the connection: where the next request starts is unknown.
struct RequestReader {
    enum Event {
        /// All bytes are used and more are needed.
        case needsMore
        case head
        case request
        /// HTTP/2 with prior knowledge: what follows is not for this reader. `head.bytes` holds what was taken.
        case http2
        case fault(FirnError)
    }

    private enum Phase {
        case head
        /// The head has been reported; `keepBody` or `dropBody` comes next.
        case decision
        case fixed(remaining: Int)
        case chunked(ChunkedBody)
        case failed
    }

    let bodyBytesMax: Int
    private(set) var head = RequestHead()
    private(set) var body: [UInt8] = []
    /// Bytes of body taken from the wire, kept or not.
    private(set) var bodyBytesTaken = 0
    private var keeps = false
    private var phase = Phase.head
    /// Bytes of the head's current line so far, and its last byte.
    private var lineBytes = 0
    private var lastByte: UInt8 = 0

    init(bodyBytesMax: Int) { self.bodyBytesMax = bodyBytesMax }

    /// Nothing of a next request has come.
    var isBetweenRequests: Bool { if case .head = phase { head.bytes.isEmpty } else { false } }
    var isInBody: Bool {
        switch phase {
        case .fixed, .chunked: true
        default: false
        }
    }
    /// Memory that the kept body holds, or will once all its announced bytes are here.
    var bodyBytesHeld: Int { body.capacity }

    static func bodyTooLarge(_ limit: Int) -> FirnError {
        FirnError(
            .limitExceeded, "body_too_large",
            "the body is larger than the \(limit) bytes allowed; send it in several requests")
    }

    /// Precondition: `.head` was the last event.
    mutating func keepBody() { start(keeps: true) }
    mutating func dropBody() { start(keeps: false) }

    /// The body of the request just completed.
    mutating func takeBody() -> [UInt8] {
        defer { body = [] }
        return body
    }

    /// Swallows the rest of a body that was kept so far.
    mutating func stopKeeping() {
        keeps = false
        body = []
    }

    /// Nothing more of this connection is understood; what comes is swallowed.
    mutating func giveUp() {
        stopKeeping()
        phase = .failed
    }

    private mutating func start(keeps: Bool) {
        self.keeps = keeps
        bodyBytesTaken = 0
        phase = head.isChunked ? .chunked(ChunkedBody()) : .fixed(remaining: head.contentLength ?? 0)
    }

    mutating func take(_ input: UnsafeBufferPointer<UInt8>) -> (taken: Int, event: Event) {
        do {
            switch phase {
            case .head: return try takeHead(input)
            case .decision: return (0, .head)
            case .fixed(let remaining): return takeFixed(input, remaining)
            case .chunked(let chunked): return try takeChunked(input, chunked)
            case .failed: return (input.count, .needsMore)
            }
        } catch {
            phase = .failed
            return (input.count, .fault(error))
        }
    }

    // MARK: Head

    /// Begins the next request; called when the last one has been looked at.
    mutating func next() {
        head.reset()
        phase = .head
        lineBytes = 0
        lastByte = 0
    }

    private mutating func takeHead(_ input: UnsafeBufferPointer<UInt8>) throws(FirnError) -> (Int, Event) {
        guard let base = input.baseAddress, !input.isEmpty else { return (0, .needsMore) }
        // Nobody needs to wait for a whole line of what cannot be HTTP, such as a TLS handshake.
        if head.bytes.isEmpty, lineBytes == 0, !ASCII.isToken[Int(input[0])], input[0] != 0x0d {
            throw RequestHead.fault("this is not an HTTP request")
        }
        var start = 0
        var at = 0
        while let found = memchr(base + at, 0x0a, input.count - at) {
            let feed = base.distance(to: found.assumingMemoryBound(to: UInt8.self))
            let line = lineBytes + feed - at
            guard line > 0, (feed > 0 ? input[feed - 1] : lastByte) == 0x0d else {
                throw RequestHead.fault("a line of the head does not end with CR LF")
            }
            at = feed + 1
            lineBytes = 0
            guard line == 1 else { continue }
            if head.bytes.count + (at - start) == 2 {
                // One empty line before a request is a common slip of older clients (RFC 9112 section 2.2).
                head.bytes.removeAll(keepingCapacity: true)
                start = at
                continue
            }
            head.bytes.append(contentsOf: input[start..<at])
            return (at, try finishHead())
        }
        head.bytes.append(contentsOf: input[start...])
        lineBytes += input.count - at
        lastByte = input[input.count - 1]
        guard head.bytes.count <= RequestHead.bytesMax else { throw RequestHead.tooLarge() }
        return (input.count, .needsMore)
    }

    private mutating func finishHead() throws(FirnError) -> Event {
        if head.bytes.elementsEqual("PRI * HTTP/2.0\r\n\r\n".utf8) { return .http2 }
        try head.parse()
        phase = .decision
        return .head
    }

    // MARK: Body

    private mutating func takeFixed(_ input: UnsafeBufferPointer<UInt8>, _ remaining: Int) -> (Int, Event) {
        let count = min(remaining, input.count)
        if keeps, count > 0 {
            keep(UnsafeBufferPointer(rebasing: input[0..<count]), expected: bodyBytesTaken + remaining)
        }
        bodyBytesTaken += count
        guard count == remaining else {
            phase = .fixed(remaining: remaining - count)
            return (count, .needsMore)
        }
        phase = .fixed(remaining: 0)
        return (count, .request)
    }

    private mutating func takeChunked(
        _ input: UnsafeBufferPointer<UInt8>, _ state: ChunkedBody
    ) throws(FirnError) -> (Int, Event) {
        var chunked = state
        let taken = try chunked.take(input, chunkBytesMax: bodyBytesMax) { piece throws(FirnError) in
            bodyBytesTaken += piece.count
            guard bodyBytesTaken <= bodyBytesMax else { throw Self.bodyTooLarge(bodyBytesMax) }
            if keeps { keep(piece, expected: 0) }
        }
        phase = .chunked(chunked)
        return (taken, chunked.isDone ? .request : .needsMore)
    }

    /// Memory grows with what has come, not with what was announced.
    private mutating func keep(_ piece: UnsafeBufferPointer<UInt8>, expected: Int) {
        let needed = body.count + piece.count
        if needed > body.capacity {
            let room = max(needed, body.capacity * 4, 64 << 10)
            body.reserveCapacity(expected > 0 ? max(needed, min(expected, room)) : room)
        }
        body.append(contentsOf: piece)
    }
}
