import Base
import Glibc

/// One keep-alive HTTP/1.1 connection over plain TCP, blocking: what the CLI needs to speak to a server, no more.
///
/// A request on a connection that the server has closed meanwhile fails; `FirnClient` opens a new one and repeats what
/// is safe to repeat.
final class HTTPConnection {
    struct Answer {
        let status: Int
        let headers: [String: String]
        let body: [UInt8]
    }

    let descriptor: Int32
    private let host: String
    private let timeoutSeconds: Int
    private var input: [UInt8] = []
    private var at = 0

    /// Throws `.io` (`connect_failed`).
    init(host: String, port: Int, timeoutSeconds: Int = 120) throws(FirnError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        defer { if let found { freeaddrinfo(found) } }
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let first = found else {
            throw Self.failed("the host name \"\(host)\" cannot be resolved")
        }
        var candidate: UnsafeMutablePointer<addrinfo>? = first
        var connected: Int32 = -1
        while let address = candidate, connected < 0 {
            let descriptor = socket(address.pointee.ai_family, Int32(SOCK_STREAM.rawValue), 0)
            if connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 {
                connected = descriptor
            } else {
                Glibc.close(descriptor)
            }
            candidate = address.pointee.ai_next
        }
        guard connected >= 0 else {
            throw Self.failed("no server answers at \(host):\(port); start one with \"firn serve\"")
        }
        descriptor = connected
        self.host = "\(host):\(port)"
        self.timeoutSeconds = timeoutSeconds
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var patience = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { Glibc.close(descriptor) }

    private static func failed(_ message: String) -> FirnError { FirnError(.io, "connect_failed", message) }

    /// Sends one request and hands status and headers, then the body in pieces, over as they arrive; returns status and
    /// headers.
    func request(
        _ method: String, _ path: String, headers: [String: String], body: [UInt8],
        onHead: (Answer) throws -> Void = { _ in },
        onBody: (ArraySlice<UInt8>) throws -> Void
    ) throws -> Answer {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\nContent-Length: \(body.count)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        try send(Array((head + "\r\n").utf8))
        try send(body)
        let statusLine = try line().split(separator: " ", maxSplits: 2)
        guard statusLine.count >= 2, let status = Int(statusLine[1]) else { throw Self.failed("not an HTTP answer") }
        var answerHeaders: [String: String] = [:]
        while true {
            let text = try line()
            if text.isEmpty { break }
            guard let colon = text.firstIndex(of: ":") else { continue }
            answerHeaders[text[..<colon].lowercased()] = String(text[text.index(after: colon)...].drop { $0 == " " })
        }
        try onHead(Answer(status: status, headers: answerHeaders, body: []))
        if answerHeaders["transfer-encoding"] == "chunked" {
            while true {
                let size = Int(try line().split(separator: ";").first ?? "", radix: 16) ?? 0
                try bodyPiece(size, onBody)
                _ = try line()
                if size == 0 { break }
            }
        } else if let length = answerHeaders["content-length"].flatMap({ Int($0) }) {
            try bodyPiece(length, onBody)
        }
        return Answer(status: status, headers: answerHeaders, body: [])
    }

    private func bodyPiece(_ count: Int, _ onBody: (ArraySlice<UInt8>) throws -> Void) throws {
        var left = count
        while left > 0 {
            if at == input.count { try receive() }
            let take = min(left, input.count - at)
            try onBody(input[at..<at + take])
            at += take
            left -= take
        }
    }

    private func line() throws -> String {
        var text: [UInt8] = []
        while true {
            if at == input.count { try receive() }
            let byte = input[at]
            at += 1
            if byte == UInt8(ascii: "\n") {
                if text.last == UInt8(ascii: "\r") { text.removeLast() }
                return String(decoding: text, as: UTF8.self)
            }
            text.append(byte)
        }
    }

    private func receive() throws {
        var failure: Int32 = 0
        input = [UInt8](unsafeUninitializedCapacity: 1 << 16) { room, used in
            used = Self.uninterrupted(&failure) { recv(descriptor, room.baseAddress, 1 << 16, 0) }
        }
        at = 0
        guard !input.isEmpty else { throw lost(failure) }
    }

    private func send(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            var failure: Int32 = 0
            let sent = bytes.withUnsafeBytes { bytes in
                Self.uninterrupted(&failure) {
                    Glibc.send(descriptor, bytes.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
                }
            }
            guard sent > 0 else { throw lost(failure) }
            done += sent
        }
    }

    /// Repeats what a signal broke off: with a time limit, the kernel does not by itself. Returns how many bytes, 0 on
    /// `failure`.
    private static func uninterrupted(_ failure: inout Int32, _ call: () -> Int) -> Int {
        while true {
            let count = call()
            if count >= 0 { return count }
            failure = errno
            if failure != EINTR { return 0 }
        }
    }

    private func lost(_ failure: Int32) -> FirnError {
        guard failure == EAGAIN else { return FirnError(.io, "connection_lost", "the server closed the connection") }
        return FirnError(.io, "no_answer", "no answer from \(host) for \(timeoutSeconds) s")
    }
}
