import Base

/// Reads a chunked body (RFC 9112 section 7.1) from bytes that come in any pieces.
///
/// Extensions and trailers are checked for form, bounded and dropped.
struct ChunkedBody {
    private enum Phase {
        case size(digits: Int)
        case extensions
        case sizeEnd
        case data
        case dataEnd
        case dataEndLine
        case trailer(line: Int)
        case done
    }

    /// Extensions of one chunk, and all trailers.
    static let asideBytesMax = 4096

    private var phase = Phase.size(digits: 0)
    private var remaining = 0
    private var aside = 0
    private var lastTrailerByte: UInt8 = 0

    var isDone: Bool { if case .done = phase { true } else { false } }

    /// Takes bytes until the body or the input ends; returns how many. Hands the data over in pieces.
    ///
    /// Throws `.invalidInput` (`bad_request`); a chunk of more than `chunkBytesMax` is `.limitExceeded`
    /// (`body_too_large`).
    mutating func take(
        _ input: UnsafeBufferPointer<UInt8>, chunkBytesMax: Int,
        onData: (UnsafeBufferPointer<UInt8>) throws(FirnError) -> Void
    ) throws(FirnError) -> Int {
        var at = 0
        while at < input.count, !isDone {
            if case .data = phase {
                let count = min(remaining, input.count - at)
                try onData(UnsafeBufferPointer(rebasing: input[at..<at + count]))
                at += count
                remaining -= count
                if remaining == 0 { phase = .dataEnd }
                continue
            }
            try step(input[at], chunkBytesMax)
            at += 1
        }
        return at
    }

    private mutating func step(_ byte: UInt8, _ chunkBytesMax: Int) throws(FirnError) {
        switch phase {
        case .size(let digits):
            if let digit = Self.hexDigit(byte), digits < 8 {
                remaining = remaining << 4 | digit
                phase = .size(digits: digits + 1)
                return
            }
            guard digits > 0 else { throw Self.fault() }
            guard remaining <= chunkBytesMax else { throw RequestReader.bodyTooLarge(chunkBytesMax) }
            aside = 0
            if byte == UInt8(ascii: ";") { phase = .extensions } else { try expect(byte, 0x0d, then: .sizeEnd) }
        case .extensions:
            if byte == 0x0d {
                phase = .sizeEnd
            } else {
                try countAside(byte)
            }
        case .sizeEnd: try expect(byte, 0x0a, then: remaining == 0 ? .trailer(line: 0) : .data)
        case .dataEnd: try expect(byte, 0x0d, then: .dataEndLine)
        case .dataEndLine: try expect(byte, 0x0a, then: .size(digits: 0))
        case .trailer(let line): try trailer(byte, line)
        case .data, .done: break
        }
    }

    /// A trailer line must look like a field; an empty one ends the body.
    private mutating func trailer(_ byte: UInt8, _ line: Int) throws(FirnError) {
        defer { lastTrailerByte = byte }
        if byte == 0x0a {
            guard lastTrailerByte == 0x0d else { throw Self.fault() }
            phase = line == 1 ? .done : .trailer(line: 0)
            return
        }
        guard line == 0 || lastTrailerByte != 0x0d else { throw Self.fault() }
        if byte != 0x0d {
            guard line > 0 || ASCII.isToken[Int(byte)] else { throw Self.fault() }
            try countAside(byte)
        }
        phase = .trailer(line: line + 1)
    }

    private mutating func countAside(_ byte: UInt8) throws(FirnError) {
        aside += 1
        guard byte >= 0x20 && byte != 0x7f || byte == 0x09, aside <= Self.asideBytesMax else { throw Self.fault() }
    }

    private mutating func expect(_ byte: UInt8, _ wanted: UInt8, then next: Phase) throws(FirnError) {
        guard byte == wanted else { throw Self.fault() }
        phase = next
    }

    private static func hexDigit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    private static func fault() -> FirnError { RequestHead.fault("the chunked body is not well formed") }
}
