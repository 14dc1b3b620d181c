import Base
import CPlatform

/// The strict JSON grammar over a cursor: white space, strings, and values that are only checked.
///
/// The text must be followed by a zero byte (or, line by line, by a newline) and 64 readable bytes. Neither a zero
/// nor a newline continues any token, so no loop needs to know where the text ends.
///
/// Grammar: https://www.rfc-editor.org/rfc/rfc8259
struct JSONScan {
    /// Newlines are white space. False line by line, where a record may not pass its line's end.
    let multiline: Bool

    @inline(__always) func space(_ p: Cursor) -> Cursor {
        if p.pointee > Byte.space { return p }
        if p.pointee == Byte.space, p[1] > Byte.space { return p + 1 }
        return longSpace(p)
    }

    @inline(never) private func longSpace(_ start: Cursor) -> Cursor {
        var p = start
        while true {
            switch p.pointee {
            case Byte.space, Byte.tab, Byte.carriageReturn: p += 1
            case Byte.newline where multiline: p += 1
            default: return p
            }
        }
    }

    // MARK: - Strings

    /// Copies the string whose first byte is at `start` (behind its quote) and unescapes it; returns the position
    /// behind the closing quote. `sink.used` moves only on success.
    @inline(__always)
    static func copyString(_ start: Cursor, _ sink: inout ByteSink) throws(Fault) -> Cursor {
        // Sixteen bytes stay free behind every copy, for the escapes and the multi-byte sequences.
        sink.need(32)
        let count = firn_json_copy_plain(start, sink.base + sink.used, sink.capacity &- sink.used &- 16)
        let p = start + count
        if p.pointee == Byte.quote {
            sink.used &+= count
            return p + 1
        }
        return try copyRest(p, &sink, used: sink.used &+ count)
    }

    @inline(never)
    private static func copyRest(_ start: Cursor, _ sink: inout ByteSink, used: Int) throws(Fault) -> Cursor {
        let before = sink.used
        var p = start
        sink.used = used
        do throws(Fault) {
            while p.pointee != Byte.quote {
                sink.need(32)
                let byte = p.pointee
                if byte >= 0x80 {
                    p = try copySequence(p, &sink)
                } else if byte == Byte.backslash {
                    p = try unescape(p, &sink)
                } else if byte < 0x20 {
                    throw Fault(.controlCharacter, p)
                } else {
                    let count = firn_json_copy_plain(p, sink.base + sink.used, sink.capacity - sink.used - 16)
                    p += count
                    sink.used += count
                }
            }
        } catch {
            sink.used = before
            throw error
        }
        return p + 1
    }

    @inline(__always)
    private static func copySequence(_ p: Cursor, _ sink: inout ByteSink) throws(Fault) -> Cursor {
        let length = Int(firn_utf8_sequence(p))
        guard length > 0 else { throw Fault(.encoding, p) }
        for index in 0..<length { sink.base[sink.used &+ index] = p[index] }
        sink.used &+= length
        return p + length
    }

    private static func unescape(_ p: Cursor, _ sink: inout ByteSink) throws(Fault) -> Cursor {
        switch p[1] {
        case Byte.quote, Byte.backslash, UInt8(ascii: "/"): sink.put(p[1])
        case UInt8(ascii: "b"): sink.put(0x08)
        case UInt8(ascii: "f"): sink.put(0x0c)
        case UInt8(ascii: "n"): sink.put(0x0a)
        case UInt8(ascii: "r"): sink.put(0x0d)
        case UInt8(ascii: "t"): sink.put(0x09)
        case Byte.lowerU:
            let first = try codeUnit(p)
            guard first & 0xf800 == 0xd800 else {
                encode(first, &sink)
                return p + 6
            }
            guard first < 0xdc00, p[6] == Byte.backslash, p[7] == Byte.lowerU else { throw Fault(.loneSurrogate, p) }
            let second = try codeUnit(p + 6)
            guard second & 0xfc00 == 0xdc00 else { throw Fault(.loneSurrogate, p) }
            encode(0x10000 + (first & 0x3ff) << 10 + second & 0x3ff, &sink)
            return p + 12
        default: throw Fault(.escape, p)
        }
        return p + 2
    }

    /// The four hexadecimal digits of the `\u` escape at `p`.
    private static func codeUnit(_ p: Cursor) throws(Fault) -> UInt32 {
        var unit: UInt32 = 0
        for index in 2..<6 {
            let digit = firn_hex_digit(p[index])
            guard digit < 16 else { throw Fault(.escape, p) }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }

    private static func encode(_ scalar: UInt32, _ sink: inout ByteSink) {
        func trail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | scalar >> shift & 0x3f) }
        if scalar < 0x80 {
            sink.put(UInt8(scalar))
        } else if scalar < 0x800 {
            sink.put(UInt8(0xc0 | scalar >> 6))
            sink.put(trail(0))
        } else if scalar < 0x10000 {
            sink.put(UInt8(0xe0 | scalar >> 12))
            sink.put(trail(6))
            sink.put(trail(0))
        } else {
            sink.put(UInt8(0xf0 | scalar >> 18))
            sink.put(trail(12))
            sink.put(trail(6))
            sink.put(trail(0))
        }
    }

    // MARK: - Values that are only checked

    /// The position behind the JSON value at `p`, which is checked in full. Duplicate keys are allowed here: RFC 8259
    /// leaves them open, and nothing is built from this value.
    func skipValue(_ p: Cursor, depth: Int) throws(Fault) -> Cursor {
        switch p.pointee {
        case Byte.quote: return try skipString(p + 1)
        case Byte.openBrace, Byte.openBracket: return try skipContainer(p, depth: depth)
        case Byte.lowerN, Byte.lowerT, Byte.lowerF:
            guard let end = Self.literal(p) else { throw Fault(.syntax, p) }
            return end
        case Byte.minus, Byte.zero...Byte.nine: return try NumberText.scan(p).end
        default: throw Fault(.syntax, p)
        }
    }

    private func skipContainer(_ start: Cursor, depth: Int) throws(Fault) -> Cursor {
        guard depth < Limits.nestingDepthMax else { throw Fault(.depth, start) }
        let isObject = start.pointee == Byte.openBrace
        let close = isObject ? Byte.closeBrace : Byte.closeBracket
        var p = space(start + 1)
        if p.pointee == close { return p + 1 }
        while true {
            if isObject {
                guard p.pointee == Byte.quote else { throw Fault(.syntax, p) }
                p = try space(skipString(p + 1))
                guard p.pointee == Byte.colon else { throw Fault(.syntax, p) }
                p = space(p + 1)
            }
            p = try space(skipValue(p, depth: depth + 1))
            if p.pointee == close { return p + 1 }
            guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
            p = space(p + 1)
        }
    }

    /// The position behind the closing quote of the string whose first byte is at `start`.
    @inline(__always) func skipString(_ start: Cursor) throws(Fault) -> Cursor {
        let p = start + firn_json_plain_length(start)
        return p.pointee == Byte.quote ? p + 1 : try skipRest(p)
    }

    @inline(never) private func skipRest(_ start: Cursor) throws(Fault) -> Cursor {
        var p = start
        let small = Buffer<UInt8>(capacity: 64)
        var sink = ByteSink(small, capacity: 64)
        while p.pointee != Byte.quote {
            sink.used = 0
            if p.pointee >= 0x80 {
                p = try Self.copySequence(p, &sink)
            } else if p.pointee == Byte.backslash {
                p = try Self.unescape(p, &sink)
            } else if p.pointee < 0x20 {
                throw Fault(.controlCharacter, p)
            } else {
                p += firn_json_plain_length(p)
            }
        }
        return p + 1
    }

    /// The position behind `true`, `false` or `null`, nil for anything else.
    @inline(__always) static func literal(_ p: Cursor) -> Cursor? {
        switch firn_load32(p) {
        case Self.null, Self.true: p + 4
        case Self.fals: p[4] == Byte.lowerE ? p + 5 : nil
        default: nil
        }
    }

    /// The literals as little-endian words.
    static let null: UInt32 = 0x6c6c_756e
    static let `true`: UInt32 = 0x6575_7274
    static let fals: UInt32 = 0x736c_6166

    /// Checks that `bytes` are one JSON text and nothing else; nil when they are.
    static func validate(_ bytes: [UInt8]) -> Fault.Reason? {
        let padded = bytes + [UInt8](repeating: 0, count: 64)
        return padded.withUnsafeBufferPointer { text in
            let scan = JSONScan(multiline: true)
            let start = text.baseAddress!
            do throws(Fault) {
                let end = try scan.space(scan.skipValue(scan.space(start), depth: 0))
                return end == start + bytes.count ? nil : .trailing
            } catch {
                return error.reason
            }
        }
    }
}
