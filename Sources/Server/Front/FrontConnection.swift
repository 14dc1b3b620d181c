import Base
import CPlatform
import Glibc

/// One HTTP/1.1 connection of the front door: what has come and is not understood yet, what is being answered and in
/// which order, what is still to be sent. Belongs to the front door's thread.
final class FrontConnection {
    /// One request that is not fully answered. Answers leave in the order of the requests.
    struct Pending {
        let isIngest: Bool
        /// The answer's bytes, once it is complete; nil before, and while it is streamed.
        var answer: [UInt8]?
        var closes = false
        /// Told when the client goes away before it has its answer.
        var presence: ClientPresence?
    }

    enum Phase: Equatable {
        case open
        /// Nothing more is read; closed once everything is sent.
        case lastAnswer
        /// Everything is sent, the sending side is shut: what still comes is swallowed, so that the peer can read the
        /// answer before it sees the connection reset.
        case lingering
        case closed
    }

    let descriptor: Int32
    let id: UInt64
    var reader: RequestReader
    var heads = IngestHeads()
    var phase = Phase.open
    var isReadable = true
    var isWritable = true
    /// The peer will send nothing more.
    var isInputOver = false

    /// The body being read: where it goes, what it has reserved, and why it is refused, if it is.
    var call: IngestCall?
    var reserved = 0
    var refusal: FirnError?
    /// The request is one of the Iceberg catalog's, whose errors have a shape of their own.
    var isCatalog = false
    /// A complete request that has to wait until all before it are answered.
    var isHeld = false
    /// The peer waits for "100 Continue".
    var owesContinue = false
    /// Received and not looked at yet.
    var leftover: [UInt8] = []

    private(set) var pending: [Pending] = []
    private(set) var firstSerial: UInt64 = 0

    private var output: [[UInt8]] = []
    private var outputHead = 0
    private var outputOffset = 0
    private(set) var outputBytes = 0
    /// Resumed when a streamed answer may go on.
    var streamers: [CheckedContinuation<Void, any Error>] = []

    /// When what the clock watches began: the wait for a request, its head, its body, the lingering.
    var watchedSince: Int64
    /// Since when the peer has not taken what is sent; nil while it does.
    var stalledSince: Int64?
    /// The kernel has reported the end of input or an error: the next reads tell which.
    var sawHangup = false
    var isTouched = false

    init(descriptor: Int32, id: UInt64, bodyBytesMax: Int, now: Int64) {
        self.descriptor = descriptor
        self.id = id
        reader = RequestReader(bodyBytesMax: bodyBytesMax)
        watchedSince = now
    }

    // MARK: Order of answers

    var nextSerial: UInt64 { firstSerial + UInt64(pending.count) }

    func begin(isIngest: Bool) -> UInt64 {
        pending.append(Pending(isIngest: isIngest))
        return nextSerial - 1
    }

    /// What a route asks about the client of a request that is not answered yet.
    func presence(of serial: UInt64) -> ClientPresence {
        let presence = ClientPresence()
        pending[Int(serial - firstSerial)].presence = presence
        if isInputOver { presence.leave() }
        return presence
    }

    /// The client sends nothing more, or is gone altogether.
    func clientLeft() {
        for request in pending { request.presence?.leave() }
    }

    /// Stores a whole answer and queues all that are due.
    func answer(_ serial: UInt64, _ bytes: [UInt8], closes: Bool) {
        guard serial >= firstSerial, serial < nextSerial, phase == .open else { return }
        let index = Int(serial - firstSerial)
        pending[index].answer = bytes
        pending[index].closes = closes
        while phase == .open, let first = pending.first, let answer = first.answer {
            queue(answer)
            pending.removeFirst()
            firstSerial += 1
            if first.closes { phase = .lastAnswer }
        }
    }

    /// A piece of the answer to the oldest request.
    func piece(_ serial: UInt64, _ bytes: [UInt8]) -> Bool {
        guard serial == firstSerial, !pending.isEmpty, phase == .open else { return false }
        queue(bytes)
        return true
    }

    // MARK: Output

    var hasOutput: Bool { outputHead < output.count }

    func queue(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        output.append(bytes)
        outputBytes += bytes.count
    }

    /// Sends what the socket takes. False when the peer is gone.
    func flush() -> Bool {
        while isWritable, outputHead < output.count {
            let sent = output[outputHead].withUnsafeBytes { bytes in
                firn_send(descriptor, bytes.baseAddress! + outputOffset, bytes.count - outputOffset)
            }
            if sent < 0 {
                if firn_errno() == EINTR { continue }
                guard firn_errno() == EAGAIN else { return false }
                isWritable = false
                return true
            }
            outputBytes -= sent
            outputOffset += sent
            if outputOffset == output[outputHead].count {
                outputHead += 1
                outputOffset = 0
            }
        }
        if outputHead == output.count, outputHead > 0 {
            output.removeAll(keepingCapacity: true)
            outputHead = 0
        }
        return true
    }
}
