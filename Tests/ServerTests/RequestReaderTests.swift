import Base
import TestSupport
import Testing

@testable import Server

/// What a reader made of some bytes, as text that can be compared.
private func outcome(of pieces: [[UInt8]], bodyBytesMax: Int = 1000) -> [String] {
    var reader = RequestReader(bodyBytesMax: bodyBytesMax)
    var seen: [String] = []
    for piece in pieces {
        var at = 0
        reading: while true {
            let (taken, event) = piece.withUnsafeBufferPointer {
                reader.take(UnsafeBufferPointer(rebasing: $0[at...]))
            }
            at += taken
            switch event {
            case .needsMore: break reading
            case .head: reader.keepBody()
            case .request:
                let head = reader.head
                let body = String(decoding: reader.takeBody(), as: UTF8.self)
                seen.append("\(head.text(head.method)) \(head.text(head.target)) close=\(head.wantsClose) \(body)")
                reader.next()
            case .http2: return seen + ["http2 \(reader.head.bytes.count)"]
            case .fault(let error): return seen + ["fault \(error.code)"]
            }
        }
    }
    return seen
}

private func outcome(_ text: String, bodyBytesMax: Int = 1000) -> [String] {
    outcome(of: [Array(text.utf8)], bodyBytesMax: bodyBytesMax)
}

@Suite struct RequestReaderTests {
    private static let stream =
        "POST /v1/tables/a/b/records HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
        + "GET /healthz?x=1 HTTP/1.1\r\nhost: h:80\r\nConnection: keep-alive,  Close\r\n\r\n"
        + "\r\nPOST http://h/p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
        + "3;a=\"b\"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: t\r\nU:v\r\n\r\n"
        + "POST / HTTP/1.1\r\nHost: [::1]:8181\r\nContent-Length: 0\r\n\r\n"

    private static let expected = [
        "POST /v1/tables/a/b/records close=false hello", "GET /healthz?x=1 close=true ",
        "POST /p close=false abc0123456789", "POST / close=false ",
    ]

    @Test func anySplitOfTheBytesGivesTheSameRequests() {
        let bytes = Array(Self.stream.utf8)
        #expect(outcome(of: [bytes]) == Self.expected)
        #expect(outcome(of: bytes.map { [$0] }) == Self.expected)
        for cut in 0...bytes.count {
            #expect(outcome(of: [Array(bytes[..<cut]), Array(bytes[cut...])]) == Self.expected)
        }
        var dice = SeededRandom(seed: 7)
        for _ in 0..<500 {
            var pieces: [[UInt8]] = []
            var at = 0
            while at < bytes.count {
                let end = min(bytes.count, at + Int.random(in: 1...40, using: &dice))
                pieces.append(Array(bytes[at..<end]))
                at = end
            }
            #expect(outcome(of: pieces) == Self.expected)
        }
    }

    /// Damaged streams must neither trap nor depend on how they are cut.
    @Test func damagedBytesAreReadTheSameInAnyPieces() {
        let bytes = Array(Self.stream.utf8)
        var dice = SeededRandom(seed: 11)
        let interesting: [UInt8] = [0, 9, 10, 13, 32, 58, 0x30, 0x7f, 0x80, 0xff]
        for _ in 0..<3000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                let at = Int.random(in: 0..<damaged.count, using: &dice)
                switch Int.random(in: 0..<3, using: &dice) {
                case 0: damaged[at] = interesting.randomElement(using: &dice)!
                case 1: damaged.remove(at: at)
                default: damaged.insert(interesting.randomElement(using: &dice)!, at: at)
                }
            }
            let whole = outcome(of: [damaged])
            #expect(outcome(of: damaged.map { [$0] }) == whole)
        }
    }

    @Test(arguments: [
        // Two lengths, or a length and chunks: whoever is in front may have believed the other one.
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
        // Lines.
        "GET / HTTP/1.1\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\n",
        "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA\u{0}B: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nA: x\u{0}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: x\ry\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        // Hosts.
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h/p\r\n\r\n",
        // Request lines.
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / http/1.1\r\nHost: h\r\n\r\n", "GET nopath HTTP/1.1\r\nHost: h\r\n\r\n", "GET\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: h\r\n\r\n", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", "\u{16}\u{3}\u{1}", "\u{0}",
    ])
    func malformedHeadsAreRefused(_ text: String) {
        #expect(outcome(text) == ["fault bad_request"])
    }

    @Test func whatIsUnderstoodAndRefusedHasItsOwnCode() {
        #expect(outcome("GET / HTTP/2.0\r\nHost: h\r\n\r\n") == ["fault http_version"])
        #expect(
            outcome("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
                == ["fault unsupported_transfer_coding"])
        #expect(outcome("POST / HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n") == ["fault expectation_failed"])
        let long = String(repeating: "a", count: RequestHead.bytesMax)
        #expect(outcome("GET /\(long)") == ["fault head_too_large"])
        #expect(outcome("GET /\(long) HTTP/1.1\r\nHost: h\r\n\r\n") == ["fault head_too_large"])
        let many = String(repeating: "a: b\r\n", count: RequestHead.fieldsMax)
        #expect(outcome("GET / HTTP/1.1\r\nHost: h\r\n\(many)\r\n") == ["fault head_too_large"])
        #expect(outcome("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == ["http2 18"])
    }

    @Test(arguments: [
        "g\r\n", "\r\n", "5\nhello", "3\r\nabcd\r\n", "3\r\nabc\r0", "3 \r\nabc\r\n", "-1\r\n", "0x3\r\nabc\r\n",
        "123456789\r\n", "0\r\n bad: t\r\n\r\n", "0\r\nt: a\u{0}\r\n\r\n", "3;\u{1}\r\nabc\r\n",
    ])
    func malformedChunksAreRefused(_ body: String) {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(outcome(head + body, bodyBytesMax: 1 << 40) == ["fault bad_request"])
    }

    @Test func chunkedBodiesAreBounded() {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(outcome(head + "b\r\n", bodyBytesMax: 10) == ["fault body_too_large"])
        #expect(outcome(head + "6\r\n123456\r\n5\r\n12345\r\n", bodyBytesMax: 10) == ["fault body_too_large"])
        #expect(outcome(head + "6\r\n123456\r\n4\r\n1234\r\n0\r\n\r\n", bodyBytesMax: 10).count == 1)
        let aside = String(repeating: "a", count: ChunkedBody.asideBytesMax + 1)
        #expect(outcome(head + "1;\(aside)\r\n") == ["fault bad_request"])
    }

    @Test func aBodyTakesMemoryAsItComesAndNotAsAnnounced() {
        var reader = RequestReader(bodyBytesMax: 1 << 30)
        let head = Array("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n".utf8)
        _ = head.withUnsafeBufferPointer { reader.take($0) }
        reader.keepBody()
        let some = [UInt8](repeating: 1, count: 1000)
        _ = some.withUnsafeBufferPointer { reader.take($0) }
        #expect(reader.bodyBytesTaken == 1000)
        #expect(reader.bodyBytesHeld < 1 << 20)
        reader.stopKeeping()
        _ = some.withUnsafeBufferPointer { reader.take($0) }
        #expect(reader.bodyBytesTaken == 2000 && reader.bodyBytesHeld == 0)
    }

    @Test func headersThatTheFrontDoorKnowsAreFoundInAnyCase() {
        func name(_ text: String) -> HeaderName {
            var text = text
            return text.withUTF8 { HeaderName($0) }
        }
        #expect(name("HOST") == .host && name("content-LENGTH") == .contentLength)
        #expect(name("Firn-Producer") == .firnProducer && name("idempotency-key") == .idempotencyKey)
        #expect(name("Hos") == .other && name("Accept") == .other && name("") == .other)
        #expect(name(String(repeating: "x", count: 300)) == .other)
    }
}
