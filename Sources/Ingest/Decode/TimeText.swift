import Base
import CPlatform

/// Dates and times in their fixed layout, as ISO 8601 and RFC 3339 write them: `YYYY-MM-DD`, `HH:MM:SS[.ffffff]`, both
/// joined by `T` or a space, and an offset `Z`, `±HH:MM`, `±HHMM` or `±HH`. https://www.rfc-editor.org/rfc/rfc3339
///
/// Each layout is checked eight bytes at a time: within a word, subtracting the expected pattern leaves 0 to 9 where a
/// digit must stand and 0 where a separator must. Reads at most 24 bytes past the end of the text.
enum TimeText {
    enum Problem {
        case none
        /// Not in the layout.
        case shape
        /// In the layout, but no such day or time: 2023-02-29, 24:00:00, year 0000.
        case range
        /// More than six fraction digits (nine, for nanoseconds), not all of them zero beyond.
        case precision
        case offsetMissing, offsetPresent

        func reason(otherwise shape: Fault.Reason) -> Fault.Reason {
            switch self {
            case .none, .shape: shape
            case .range: .range
            case .precision: .precision
            case .offsetMissing: .offsetMissing
            case .offsetPresent: .offsetPresent
            }
        }
    }

    struct Parsed {
        var micros: Int64 = 0
        /// Behind what was parsed; meaningful when there is no problem.
        var end: Cursor
        var problem = Problem.none
    }

    /// The date at `p`, ten bytes, as days from 1970-01-01.
    @inline(__always)
    static func date(_ p: Cursor, _ days: inout Int, _ state: UnsafeMutablePointer<RecordParser.State>) -> Problem {
        let head = firn_load64(p)
        let day = firn_load16(p + 8)
        if head == state.pointee.dateText.0, day == state.pointee.dateText.1 {
            days = state.pointee.dateDays
            return .none
        }
        return freshDate(head, day, &days, state)
    }

    @inline(never)
    private static func freshDate(
        _ head: UInt64, _ day: UInt16, _ days: inout Int, _ state: UnsafeMutablePointer<RecordParser.State>
    ) -> Problem {
        let h = head ^ 0x2d30_302d_3030_3030  // 0000-00-
        let d = day ^ 0x3030
        guard (h &+ 0x7f76_767f_7676_7676 | h) & 0x8080_8080_8080_8080 == 0, (d &+ 0x7676 | d) & 0x8080 == 0 else {
            return .shape
        }
        let year = (digit(h, 0) * 10 + digit(h, 1)) * 100 + digit(h, 2) * 10 + digit(h, 3)
        let month = digit(h, 5) * 10 + digit(h, 6)
        let dayOfMonth = Int(d & 0xff) * 10 + Int(d >> 8)
        guard year >= 1, (1...12).contains(month), dayOfMonth >= 1,
            dayOfMonth <= CivilTime.daysInMonth(year: year, month: month)
        else { return .range }
        days = CivilTime.days(year: year, month: month, day: dayOfMonth)
        state.pointee.dateText = (head, day)
        state.pointee.dateDays = days
        return .none
    }

    @inline(__always) private static func digit(_ word: UInt64, _ index: UInt64) -> Int {
        Int(truncatingIfNeeded: word >> (index &* 8) & 0xff)
    }

    /// The time of day at `p`, as microseconds from midnight.
    @inline(__always) static func time(_ p: Cursor) -> Parsed {
        var parsed = clock(p)
        if parsed.problem == .none, p[8] == Byte.dot { addFraction(&parsed) }
        return parsed
    }

    /// The same without its fraction.
    @inline(__always) private static func clock(_ p: Cursor) -> Parsed {
        let t = firn_load64(p) ^ 0x3030_3a30_303a_3030  // 00:00:00
        guard (t &+ 0x7676_7f76_767f_7676 | t) & 0x8080_8080_8080_8080 == 0 else {
            return Parsed(end: p, problem: .shape)
        }
        let hour = digit(t, 0) &* 10 &+ digit(t, 1)
        let minute = digit(t, 3) &* 10 &+ digit(t, 4)
        let second = digit(t, 6) &* 10 &+ digit(t, 7)
        guard hour < 24, minute < 60, second < 60 else { return Parsed(end: p, problem: .range) }
        let seconds = (hour &* 60 &+ minute) &* 60 &+ second
        return Parsed(micros: Int64(truncatingIfNeeded: seconds) &* 1_000_000, end: p + 8)
    }

    @inline(__always) private static func addFraction(_ parsed: inout Parsed) {
        let first = parsed.end + 1
        var p = first
        var value: Int64 = 0
        while Byte.isDigit(p.pointee), p - first < 6 {
            value = value &* 10 &+ Int64(p.pointee &- Byte.zero)
            p += 1
        }
        let count = p - first
        if count == 0 { parsed.problem = .shape }
        parsed.micros &+= value &* Int64(bitPattern: firn_pow10_u64(6 &- count))
        while Byte.isDigit(p.pointee) {
            if p.pointee != Byte.zero { parsed.problem = .precision }
            p += 1
        }
        parsed.end = p
    }

    /// The timestamp at `p`, as microseconds from 1970-01-01T00:00:00, normalised to UTC when `zoned`.
    @inline(__always)
    static func timestamp(
        _ p: Cursor, zoned: Bool, _ state: UnsafeMutablePointer<RecordParser.State>
    ) -> Parsed {
        var days = 0
        let problem = date(p, &days, state)
        guard problem == .none else { return Parsed(end: p, problem: problem) }
        guard p[10] | 0x20 == UInt8(ascii: "t") || p[10] == Byte.space else { return Parsed(end: p, problem: .shape) }
        var parsed = time(p + 11)
        guard parsed.problem == .none else { return parsed }
        parsed.micros &+= Int64(truncatingIfNeeded: days) &* CivilTime.microsPerDay
        applyZone(&parsed, zoned: zoned)
        return parsed
    }

    /// The timestamp at `p` with up to nine fraction digits, as nanoseconds from 1970-01-01T00:00:00, normalised to
    /// UTC when `zoned`. They fit from 1677-09-21 to 2262-04-11.
    @inline(never)
    static func nanoseconds(
        _ p: Cursor, zoned: Bool, _ state: UnsafeMutablePointer<RecordParser.State>
    ) -> (value: Int64, end: Cursor, problem: Problem) {
        var days = 0
        let problem = date(p, &days, state)
        guard problem == .none else { return (0, p, problem) }
        guard p[10] | 0x20 == UInt8(ascii: "t") || p[10] == Byte.space else { return (0, p, .shape) }
        var parsed = clock(p + 11)
        guard parsed.problem == .none else { return (0, p, parsed.problem) }
        var fraction: Int64 = 0
        if parsed.end.pointee == Byte.dot { fraction = fractionNanos(&parsed) }
        parsed.micros &+= Int64(truncatingIfNeeded: days) &* CivilTime.microsPerDay
        if parsed.problem == .none { applyZone(&parsed, zoned: zoned) }
        let nanos = Int128(parsed.micros) * 1000 + Int128(fraction)
        guard parsed.problem == .none, let value = Int64(exactly: nanos) else {
            return (0, parsed.end, parsed.problem == .none ? .range : parsed.problem)
        }
        return (value, parsed.end, .none)
    }

    /// The fraction of a second, whose point is at the end of `parsed`.
    private static func fractionNanos(_ parsed: inout Parsed) -> Int64 {
        let first = parsed.end + 1
        var p = first
        var value: Int64 = 0
        while Byte.isDigit(p.pointee) {
            if p - first < 9 {
                value = value * 10 + Int64(p.pointee - Byte.zero)
            } else if p.pointee != Byte.zero {
                parsed.problem = .precision
            }
            p += 1
        }
        if p == first { parsed.problem = .shape }
        parsed.end = p
        return value * Int64(bitPattern: firn_pow10_u64(max(0, 9 - (p - first))))
    }

    /// Takes the offset behind a time.
    @inline(__always) private static func applyZone(_ parsed: inout Parsed, zoned: Bool) {
        let mark = parsed.end.pointee
        if zoned, mark | 0x20 == UInt8(ascii: "z") {
            parsed.end += 1
        } else if zoned || mark | 0x20 == UInt8(ascii: "z") || mark == Byte.plus || mark == Byte.minus {
            applyOffset(&parsed, zoned: zoned)
        }
    }

    @inline(never) private static func applyOffset(_ parsed: inout Parsed, zoned: Bool) {
        guard zoned else {
            parsed.problem = .offsetPresent
            return
        }
        var p = parsed.end
        guard p.pointee == Byte.plus || p.pointee == Byte.minus else {
            // A quote or the zero behind unescaped text: the text ends here.
            parsed.problem = p.pointee == Byte.quote || p.pointee == 0 ? .offsetMissing : .shape
            return
        }
        let sign: Int64 = p.pointee == Byte.minus ? -1 : 1
        guard let hours = pair(p + 1) else {
            parsed.problem = .shape
            return
        }
        p += 3
        var minutes = 0
        let colon = p.pointee == Byte.colon ? 1 : 0
        if let found = pair(p + colon) {
            minutes = found
            p += 2 + colon
        }
        if hours > 23 || minutes > 59 { parsed.problem = .range }
        parsed.micros -= sign * Int64(hours * 60 + minutes) * 60_000_000
        parsed.end = p
    }

    private static func pair(_ p: Cursor) -> Int? {
        guard Byte.isDigit(p.pointee), Byte.isDigit(p[1]) else { return nil }
        return Int(p.pointee - Byte.zero) * 10 + Int(p[1] - Byte.zero)
    }
}
