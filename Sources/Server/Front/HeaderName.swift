/// The header fields that the front door looks at; all others are checked for form and passed on.
enum HeaderName: UInt8 {
    case other
    case host, contentLength, transferEncoding, contentType, contentEncoding, connection, expect
    case prefer, idempotencyKey, firnProducer, firnEpoch, firnSequence

    private static let names: [(text: StaticString, name: HeaderName)] = [
        ("host", .host), ("content-length", .contentLength), ("transfer-encoding", .transferEncoding),
        ("content-type", .contentType), ("content-encoding", .contentEncoding), ("connection", .connection),
        ("expect", .expect), ("prefer", .prefer), ("idempotency-key", .idempotencyKey),
        ("firn-producer", .firnProducer), ("firn-epoch", .firnEpoch), ("firn-sequence", .firnSequence),
    ]

    /// Bit n is set when a known name has n bytes: most names are settled by one look.
    private static let lengths: UInt32 = names.reduce(0) { $0 | 1 << UInt32($1.text.utf8CodeUnitCount) }

    /// Names are compared without regard to case.
    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self = .other
        guard bytes.count < 32, Self.lengths & (1 << UInt32(bytes.count)) != 0 else { return }
        for (text, name) in Self.names where text.utf8CodeUnitCount == bytes.count {
            if ASCII.equal(bytes, text) {
                self = name
                return
            }
        }
    }
}

/// Comparisons of protocol text.
enum ASCII {
    /// `lower` is in lower case; the bytes may be in any.
    static func equal(_ bytes: UnsafeBufferPointer<UInt8>, _ lower: StaticString) -> Bool {
        guard bytes.count == lower.utf8CodeUnitCount else { return false }
        let wanted = lower.utf8Start
        for index in 0..<bytes.count where lowered(bytes[index]) != wanted[index] { return false }
        return true
    }

    static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// RFC 9110 section 5.6.2: what methods and field names are made of.
    static let isToken: [Bool] = (0...255).map { byte in
        switch UInt8(byte) {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(UInt8(byte))
        }
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
