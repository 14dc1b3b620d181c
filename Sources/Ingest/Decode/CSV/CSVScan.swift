import Base
import CPlatform
import Glibc

/// One field of a CSV record, in place.
struct CSVField {
    /// Its content, without the quotes around it.
    let start: Cursor
    let end: Cursor
    let isQuoted: Bool
    /// Quotes in it are doubled.
    let hasDoubled: Bool
    /// Behind the field: a comma, a line's end or the end of the text, where it is well-formed.
    let next: Cursor

    var count: Int { end - start }
    /// As it stands in the text, for messages.
    var shown: Cursor { isQuoted ? start - 1 : start }
    var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: count) }

    /// The content with doubled quotes made single.
    func content() -> [UInt8] {
        guard hasDoubled else { return Array(bytes) }
        var out: [UInt8] = []
        out.reserveCapacity(count)
        var p = start
        while p < end {
            out.append(p.pointee)
            p += p.pointee == Byte.quote ? 2 : 1
        }
        return out
    }
}

/// The grammar of RFC 4180 over a cursor; lines may also end with LF alone. https://www.rfc-editor.org/rfc/rfc4180
///
/// The text must be followed by 64 readable bytes.
struct CSVScan {
    let end: Cursor

    /// The field at `p`; nil when its quotes are still open at the end of the text.
    @inline(__always) func field(_ p: Cursor) -> CSVField? {
        if p < end, p.pointee == Byte.quote { return quoted(p + 1) }
        let stop = plainEnd(p)
        return CSVField(start: p, end: stop, isQuoted: false, hasDoubled: false, next: stop)
    }

    private func quoted(_ start: Cursor) -> CSVField? {
        var p = start
        var hasDoubled = false
        while p < end, let found = memchr(p, Int32(Byte.quote), end - p) {
            let quote = Cursor(found.assumingMemoryBound(to: UInt8.self))
            guard quote + 1 < end, quote[1] == Byte.quote else {
                return CSVField(start: start, end: quote, isQuoted: true, hasDoubled: hasDoubled, next: quote + 1)
            }
            hasDoubled = true
            p = quote + 2
        }
        return nil
    }

    /// The first comma, quote, CR or LF from `p` on, or the end. All of them lie below the hyphen.
    @inline(__always) private func plainEnd(_ start: Cursor) -> Cursor {
        var p = start
        while p < end {
            let word = firn_load64(p)
            let low = (word &- 0x2d2d_2d2d_2d2d_2d2d) & ~word & 0x8080_8080_8080_8080
            guard low != 0 else {
                p += 8
                continue
            }
            p += low.trailingZeroBitCount >> 3
            switch p.pointee {
            case Byte.comma, Byte.newline, Byte.carriageReturn, Byte.quote: return p < end ? p : end
            default: p += 1
            }
        }
        return end
    }

    /// Bytes of the line's end at `p`; 0 when there is none. The end of the text counts as one of none.
    @inline(__always) func lineEnd(_ p: Cursor) -> Int {
        if p < end, p.pointee == Byte.newline { return 1 }
        guard p < end, p.pointee == Byte.carriageReturn else { return 0 }
        if p + 1 == end { return 1 }
        return p[1] == Byte.newline ? 2 : 0
    }

    /// Behind the next LF, or the end.
    func nextLine(_ p: Cursor) -> Cursor {
        guard p < end, let newline = memchr(p, Int32(Byte.newline), end - p) else { return end }
        return Cursor(newline.assumingMemoryBound(to: UInt8.self)) + 1
    }

    /// Behind the byte order mark that spreadsheets put before a text.
    func behindMark(_ p: Cursor) -> Cursor {
        end - p >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf ? p + 3 : p
    }

    /// The names of the header line at `start` and the position behind it; nil when the line breaks the grammar.
    func header(_ start: Cursor) -> (names: [[UInt8]], next: Cursor)? {
        var names: [[UInt8]] = []
        var p = start
        while let field = field(p) {
            names.append(field.content())
            p = field.next
            if p < end, p.pointee == Byte.comma {
                p += 1
                continue
            }
            let line = lineEnd(p)
            return line > 0 || p == end ? (names, p + line) : nil
        }
        return nil
    }
}
