import Base
import CPlatform
import Columnar

/// One JSON value into one row of a column.
extension RecordParser {
    /// Parses the value at `p` as the next row of `own` and returns the position behind it.
    @inline(__always)
    func value(_ own: UnsafeMutablePointer<DecodeNode>, _ p: Cursor, depth: Int) throws(Fault) -> Cursor {
        switch own.pointee.kind {
        case .string:
            if p.pointee == Byte.quote { return try storeText(own, p + 1) }
        case .long:
            if let found = integer(p) {
                own.pointee.put(found.value, tree)
                return found.end
            }
        case .int:
            if let found = integer(p), let value = Int32(exactly: found.value) {
                own.pointee.put(value, tree)
                return found.end
            }
        case .boolean:
            if firn_load32(p) == JSONScan.true {
                own.pointee.put(UInt8(1), tree)
                return p + 4
            }
            if firn_load32(p) == JSONScan.fals, p[4] == Byte.lowerE {
                own.pointee.put(UInt8(0), tree)
                return p + 5
            }
        case .double:
            if p.pointee &- Byte.zero < 10 || p.pointee == Byte.minus {
                let token = try NumberText.scan(p)
                let value = NumberText.double(token)
                guard value.isFinite else { throw Fault(.range, p, node: own.pointee.index) }
                own.pointee.put(value, tree)
                return token.end
            }
        case .timestamp, .timestamptz:
            if p.pointee == Byte.quote {
                let parsed = TimeText.timestamp(p + 1, zoned: own.pointee.kind == .timestamptz, state)
                if parsed.problem == .none, parsed.end.pointee == Byte.quote {
                    own.pointee.put(parsed.micros, tree)
                    return parsed.end + 1
                }
            }
        case .structure:
            if p.pointee == Byte.openBrace { return try object(own.pointee.index, p, depth: depth + 1) }
        case .list:
            if p.pointee == Byte.openBracket { return try list(own, p, depth: depth) }
        default: break
        }
        return try otherValue(own, p, depth: depth)
    }

    /// An integer of up to 18 digits without fraction or exponent; nil for anything else.
    @inline(__always) func integer(_ start: Cursor) -> (value: Int64, end: Cursor)? {
        let negative = start.pointee == Byte.minus
        let first = negative ? start + 1 : start
        var value: UInt64 = 0
        let end = NumberText.digits(first, &value)
        let count = end - first
        guard count > 0, count < 19, first.pointee != Byte.zero || count == 1 else { return nil }
        guard end.pointee != Byte.dot, end.pointee | 0x20 != Byte.lowerE else { return nil }
        let signed = Int64(bitPattern: value)
        return (negative ? 0 &- signed : signed, end)
    }

    /// The types, spellings and faults that the hot path leaves.
    @inline(never)
    private func otherValue(
        _ own: UnsafeMutablePointer<DecodeNode>, _ p: Cursor, depth: Int
    ) throws(Fault) -> Cursor {
        switch (p.pointee, own.pointee.kind) {
        case (Byte.lowerN, _) where firn_load32(p) == JSONScan.null:
            guard !own.pointee.required else { throw Fault(.null, p, node: own.pointee.index) }
            tree.putNull(own.pointee.index)
            return p + 4
        case (_, .variant): return try variant(own, p, depth: depth)
        case (Byte.openBrace, .map): return try map(own, p, depth: depth)
        case (Byte.quote, .date), (Byte.quote, .time), (Byte.quote, .timestamp), (Byte.quote, .timestamptz),
            (Byte.quote, .timestampNs), (Byte.quote, .timestamptzNs), (Byte.quote, .uuid), (Byte.quote, .fixed),
            (Byte.quote, .binary), (Byte.quote, .decimal),
            (Byte.quote, .float), (Byte.quote, .double):
            return try textValue(own, p)
        case (Byte.minus, _), (Byte.zero...Byte.nine, _):
            let token = try NumberText.scan(p)
            try convert(token, own)
            return token.end
        default:
            // Broken JSON is called that, not a wrong type.
            _ = try scan.skipValue(p, depth: depth + 1)
            throw Fault(.kind, p, node: own.pointee.index)
        }
    }

    private func textValue(_ own: UnsafeMutablePointer<DecodeNode>, _ p: Cursor) throws(Fault) -> Cursor {
        if own.pointee.kind == .uuid {
            if own.pointee.rows == own.pointee.capacity { tree.grow(own.pointee.index) }
            let slot = (own.pointee.base + own.pointee.rows * 16).assumingMemoryBound(to: UInt8.self)
            if p[37] == Byte.quote, firn_parse_uuid(p + 1, slot) != 0 {
                own.pointee.endRow(valid: 1)
                return p + 38
            }
        }
        var end = p
        let text = try text(p + 1, &end)
        switch own.pointee.kind {
        case .float, .double:
            guard let value = Self.notFinite(text) else { throw Fault(.kind, p, node: own.pointee.index) }
            if own.pointee.kind == .float { own.pointee.put(Float(value), tree) } else { own.pointee.put(value, tree) }
        default: try convert(text, own, at: p)
        }
        return end
    }

    /// JSON has no spelling for these, so they are strings.
    static func notFinite(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        if text.elementsEqual("NaN".utf8) { return .nan }
        if text.elementsEqual("Infinity".utf8) { return .infinity }
        if text.elementsEqual("-Infinity".utf8) { return -.infinity }
        return nil
    }

    /// Stores a number as the next row of a numeric column.
    func convert(_ token: NumberToken, _ own: UnsafeMutablePointer<DecodeNode>) throws(Fault) {
        let index = own.pointee.index
        switch own.pointee.kind {
        case .int:
            let value = try integral(token, index)
            guard let narrow = Int32(exactly: value) else { throw Fault(.range, token.start, node: index) }
            own.pointee.put(narrow, tree)
        case .long:
            let value = try integral(token, index)
            guard let narrow = Int64(exactly: value) else { throw Fault(.range, token.start, node: index) }
            own.pointee.put(narrow, tree)
        case .float:
            let value = NumberText.float(token)
            guard value.isFinite else { throw Fault(.range, token.start, node: index) }
            own.pointee.put(value, tree)
        case .double:
            let value = NumberText.double(token)
            guard value.isFinite else { throw Fault(.range, token.start, node: index) }
            own.pointee.put(value, tree)
        case .decimal:
            switch NumberText.exact(token, precision: own.pointee.precision, scale: own.pointee.scale) {
            case .value(let value): own.pointee.put(value, tree)
            case .fraction: throw Fault(.scale, token.start, node: index)
            case .range: throw Fault(.range, token.start, node: index)
            }
        case .timestamp, .timestamptz, .timestampNs, .timestamptzNs: own.pointee.put(try epoch(token, own), tree)
        case .date, .time: throw Fault(.numericTime, token.start, node: index)
        default: throw Fault(.kind, token.start, node: index)
        }
    }

    /// Microseconds, or nanoseconds, from a number in the unit that the column's property names, exactly.
    private func epoch(_ token: NumberToken, _ own: UnsafeMutablePointer<DecodeNode>) throws(Fault) -> Int64 {
        let index = own.pointee.index
        guard own.pointee.epochScale >= 0 else { throw Fault(.numericTime, token.start, node: index) }
        switch NumberText.exact(token, precision: 19, scale: Int(own.pointee.epochScale)) {
        case .value(let value):
            let isNanos = own.pointee.kind == .timestampNs || own.pointee.kind == .timestamptzNs
            guard let instant = Int64(exactly: value), isNanos || EpochUnit.microsecondsRange.contains(instant) else {
                throw Fault(.range, token.start, node: index)
            }
            return instant
        case .fraction: throw Fault(.epochPrecision, token.start, node: index)
        case .range: throw Fault(.range, token.start, node: index)
        }
    }

    /// `1.0` and `1e3` are integers; `1.5` is not.
    private func integral(_ token: NumberToken, _ index: Int32) throws(Fault) -> Int128 {
        switch NumberText.exact(token, precision: 19, scale: 0) {
        case .value(let value): return value
        case .fraction: throw Fault(.fraction, token.start, node: index)
        case .range: throw Fault(.range, token.start, node: index)
        }
    }

    /// Stores text, a string value or a map's key that stands at `p`, as the next row of a column that is not a string.
    func convert(
        _ text: UnsafeBufferPointer<UInt8>, _ own: UnsafeMutablePointer<DecodeNode>, at p: Cursor
    ) throws(Fault) {
        let index = own.pointee.index
        // An empty slice of the text still has an address: that of its closing quote.
        let start = text.baseAddress!
        let end = start + text.count
        switch own.pointee.kind {
        case .boolean:
            guard text.count >= 4, JSONScan.literal(start) == end, start.pointee != Byte.lowerN else {
                throw Fault(.kind, p, node: index)
            }
            own.pointee.put(start.pointee == Byte.lowerT ? UInt8(1) : UInt8(0), tree)
        case .int, .long, .float, .double, .decimal: try convertNumber(text, own, at: p)
        case .date:
            var days = 0
            guard text.count == 10 else { throw Fault(.date, p, node: index) }
            let problem = TimeText.date(start, &days, state)
            guard problem == .none else {
                throw Fault(problem == .range ? .range : .date, p, node: index)
            }
            own.pointee.put(Int32(days), tree)
        case .time:
            let parsed = TimeText.time(start)
            guard parsed.problem == .none, parsed.end == end else {
                throw Fault(parsed.problem == .range ? .range : .time, p, node: index)
            }
            own.pointee.put(parsed.micros, tree)
        case .timestamp, .timestamptz:
            let parsed = TimeText.timestamp(start, zoned: own.pointee.kind == .timestamptz, state)
            guard parsed.problem == .none, parsed.end == end else {
                throw Fault(parsed.problem.reason(otherwise: .timestamp), p, node: index)
            }
            own.pointee.put(parsed.micros, tree)
        case .timestampNs, .timestamptzNs:
            let parsed = TimeText.nanoseconds(start, zoned: own.pointee.kind == .timestamptzNs, state)
            guard parsed.problem == .none, parsed.end == end else {
                throw Fault(parsed.problem.reason(otherwise: .timestamp), p, node: index)
            }
            own.pointee.put(parsed.value, tree)
        case .uuid, .fixed, .binary: try convertBytes(text, own, at: p)
        case .unknown: throw Fault(.kind, p, node: index)
        default: throw Fault(.mapKey, p, node: index)
        }
    }

    private func convertNumber(
        _ text: UnsafeBufferPointer<UInt8>, _ own: UnsafeMutablePointer<DecodeNode>, at p: Cursor
    ) throws(Fault) {
        let token: NumberToken
        do throws(Fault) {
            token = try NumberText.scan(text.baseAddress!)
            guard token.end == text.baseAddress! + text.count else { throw Fault(.kind, p) }
        } catch {
            throw Fault(error.reason == .numberLength ? .numberLength : .kind, p, node: own.pointee.index)
        }
        do throws(Fault) {
            try convert(token, own)
        } catch {
            throw Fault(error.reason, p, node: error.node)
        }
    }

    private func convertBytes(
        _ text: UnsafeBufferPointer<UInt8>, _ own: UnsafeMutablePointer<DecodeNode>, at p: Cursor
    ) throws(Fault) {
        let index = own.pointee.index
        let start = text.baseAddress!
        if own.pointee.kind == .binary {
            own.pointee.text.need(text.count)
            let count = firn_base64_decode(start, text.count, own.pointee.text.base + own.pointee.text.used)
            guard count >= 0 else { throw Fault(.base64, p, node: index) }
            own.pointee.text.used += count
            own.pointee.close(at: own.pointee.text.used, tree)
            return
        }
        if own.pointee.rows == own.pointee.capacity { tree.grow(index) }
        let slot = own.pointee.base + own.pointee.rows * own.pointee.width
        if own.pointee.kind == .uuid {
            guard text.count == 36, firn_parse_uuid(start, slot.assumingMemoryBound(to: UInt8.self)) != 0 else {
                throw Fault(.uuid, p, node: index)
            }
        } else {
            let width = own.pointee.width
            let decoded = Buffer<UInt8>(capacity: text.count)
            let count = firn_base64_decode(start, text.count, decoded.pointer)
            guard count >= 0 else { throw Fault(.base64, p, node: index) }
            guard count == width else { throw Fault(.length, p, node: index) }
            slot.copyMemory(from: decoded.pointer, byteCount: width)
        }
        own.pointee.endRow(valid: 1)
    }
}
