import Base
import CPlatform

/// The text of a CSV field into one row of a column.
enum CSVText {
    /// Stores a field of a string column. Throws for bytes that are not UTF-8.
    @inline(__always)
    static func store(
        _ field: CSVField, _ node: UnsafeMutablePointer<DecodeNode>, _ tree: DecodeTree.Handle
    ) throws(Fault) {
        node.pointee.text.need(field.count + 16)
        let target = node.pointee.text.base + node.pointee.text.used
        var all: UInt64 = 0
        var at = 0
        let count = field.count
        // Whole words: both sides may be passed by some bytes.
        while at < count {
            var word = firn_load64(field.start + at)
            UnsafeMutableRawPointer(target + at).storeBytes(of: word, as: UInt64.self)
            if count &- at < 8 { word &= (1 &<< UInt64((count &- at) &* 8)) &- 1 }
            all |= word
            at &+= 8
        }
        if all & 0x8080_8080_8080_8080 != 0, let bad = UTF8Check.firstBad(field.bytes) {
            throw Fault(.encoding, field.start + bad, node: -1)
        }
        node.pointee.text.used &+= field.hasDoubled ? unquote(target, count) : count
        node.pointee.close(at: node.pointee.text.used, tree)
    }

    /// Makes doubled quotes single, in place, and returns the bytes left.
    @inline(never) private static func unquote(_ text: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        var (from, to) = (0, 0)
        while from < count {
            text[to] = text[from]
            from += text[from] == Byte.quote ? 2 : 1
            to += 1
        }
        return to
    }

    /// Stores the text of a column that is neither string nor nested. At least 24 bytes follow it.
    @inline(__always)
    static func convert(
        _ text: UnsafeBufferPointer<UInt8>, _ node: UnsafeMutablePointer<DecodeNode>, _ parser: RecordParser,
        at p: Cursor
    ) throws(Fault) {
        let start = text.baseAddress!
        switch node.pointee.kind {
        case .int:
            guard let found = parser.integer(start), found.end == start + text.count,
                let value = Int32(exactly: found.value)
            else { break }
            return node.pointee.put(value, parser.tree)
        case .long:
            guard let found = parser.integer(start), found.end == start + text.count else { break }
            return node.pointee.put(found.value, parser.tree)
        case .double:
            guard let token = try? NumberText.scan(start), token.end == start + text.count else { break }
            let value = NumberText.double(token)
            if value.isFinite { return node.pointee.put(value, parser.tree) }
        default: break
        }
        try convertOther(text, node, parser, at: p)
    }

    @inline(never)
    private static func convertOther(
        _ text: UnsafeBufferPointer<UInt8>, _ node: UnsafeMutablePointer<DecodeNode>, _ parser: RecordParser,
        at p: Cursor
    ) throws(Fault) {
        switch node.pointee.kind {
        case .boolean:
            guard let value = boolean(text) else { throw Fault(.kind, p, node: node.pointee.index) }
            node.pointee.put(value ? UInt8(1) : UInt8(0), parser.tree)
        case .float, .double:
            guard let value = notFinite(text) else { return try parser.convert(text, node, at: p) }
            if node.pointee.kind == .float {
                node.pointee.put(Float(value), parser.tree)
            } else {
                node.pointee.put(value, parser.tree)
            }
        case .timestamp, .timestamptz, .timestampNs, .timestamptzNs:
            let start = text.baseAddress!
            if node.pointee.epochScale >= 0, let token = try? NumberText.scan(start), token.end == start + text.count {
                do throws(Fault) { return try parser.convert(token, node) } catch {
                    throw Fault(error.reason, p, node: error.node)
                }
            }
            try parser.convert(text, node, at: p)
        default: try parser.convert(text, node, at: p)
        }
    }

    /// `true` and `false` in any case.
    static func boolean(_ text: UnsafeBufferPointer<UInt8>) -> Bool? {
        if equal(text, "true") { return true }
        return equal(text, "false") ? false : nil
    }

    /// The spellings of JSON and those of the usual writers of CSV.
    static func notFinite(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        var rest = text[...]
        let isNegative = rest.first == Byte.minus
        if isNegative || rest.first == Byte.plus { rest = rest.dropFirst() }
        let word = UnsafeBufferPointer(rebasing: rest)
        if equal(word, "inf") || equal(word, "infinity") { return isNegative ? -.infinity : .infinity }
        return equal(word, "nan") && word.count == text.count ? .nan : nil
    }

    /// `word` is in lower case; letters of `text` may be in any.
    private static func equal(_ text: UnsafeBufferPointer<UInt8>, _ word: StaticString) -> Bool {
        guard text.count == word.utf8CodeUnitCount else { return false }
        for index in 0..<text.count where text[index] | 0x20 != word.utf8Start[index] { return false }
        return true
    }
}

/// Well-formedness of UTF-8, as Unicode table 3-7 has it.
enum UTF8Check {
    /// The offset of the first byte that belongs to no well-formed sequence; nil when there is none.
    static func firstBad(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let start = text.baseAddress else { return nil }
        var at = 0
        while at < text.count {
            if text[at] < 0x80 {
                at += 1
                continue
            }
            // A sequence cut off by the end of the text must not go on behind it.
            let length = sequence(start + at, left: text.count - at)
            guard length > 0 else { return at }
            at += length
        }
        return nil
    }

    private static func sequence(_ p: Cursor, left: Int) -> Int {
        if left >= 4 { return Int(firn_utf8_sequence(p)) }
        var padded: (UInt8, UInt8, UInt8, UInt8) = (p[0], 0, 0, 0)
        if left > 1 { padded.1 = p[1] }
        if left > 2 { padded.2 = p[2] }
        return withUnsafePointer(to: &padded) { pointer in
            pointer.withMemoryRebound(to: UInt8.self, capacity: 4) { Int(firn_utf8_sequence($0)) }
        }
    }
}
