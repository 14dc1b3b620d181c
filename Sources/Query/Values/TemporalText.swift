import Base

/// Dates and times as SQL sees them: ISO 8601 text.
///
/// A column's text always has the form `2013-01-31`, `10:00:00[.ffffff]`, `2013-01-31T10:00:00[.ffffff]`, and for
/// timestamptz `2013-01-31T10:00:00.ffffffZ`: with its fraction always there, since `Z` sorts after `.` and the order
/// of bytes is the order of time only when the fraction is never left out. Results leave `.000000` out again.
enum TemporalText {
    /// The collation of temporal columns: orders by the instant that a text means, so that `'2013-01-31'`,
    /// `'2013-01-31 00:00'` and `'2013-01-31T01:00:00+01:00'` equal the column's own spelling.
    static let collation = "temporal"

    /// Room for the longest text that `write` makes.
    static let byteCountMax = 40

    // MARK: Writing

    /// Writes `micros` since 1970-01-01T00:00:00 and answers the number of bytes.
    static func write(
        timestampMicros micros: Int64, utc: Bool, into out: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let (days, rest) = CivilTime.floorDivide(micros, CivilTime.microsPerDay)
        var count = write(days: Int(days), into: out)
        out[count] = UInt8(ascii: "T")
        count += 1
        count += write(timeMicros: rest, fraction: utc || rest % 1_000_000 != 0, into: out + count)
        if utc {
            out[count] = UInt8(ascii: "Z")
            count += 1
        }
        return count
    }

    /// Writes `nanos` since 1970-01-01T00:00:00, always with nine digits of fraction.
    static func write(timestampNanos nanos: Int64, utc: Bool, into out: UnsafeMutablePointer<UInt8>) -> Int {
        let (seconds, fraction) = CivilTime.floorDivide(nanos, 1_000_000_000)
        var count = write(timestampMicros: seconds * 1_000_000, utc: false, into: out)
        out[count] = UInt8(ascii: ".")
        digits(Int(fraction), 9, out + count + 1)
        count += 10
        if utc {
            out[count] = UInt8(ascii: "Z")
            count += 1
        }
        return count
    }

    static func write(days: Int, into out: UnsafeMutablePointer<UInt8>) -> Int {
        let (year, month, day) = CivilTime.date(days: days)
        guard (0...9999).contains(year) else {
            var count = 0
            for byte in CivilTime.formatDate(days: days).utf8 {
                out[count] = byte
                count += 1
            }
            return count
        }
        digits(year, 4, out)
        out[4] = UInt8(ascii: "-")
        digits(month, 2, out + 5)
        out[7] = UInt8(ascii: "-")
        digits(day, 2, out + 8)
        return 10
    }

    static func write(timeMicros micros: Int64, fraction: Bool, into out: UnsafeMutablePointer<UInt8>) -> Int {
        let seconds = Int(micros / 1_000_000)
        digits(seconds / 3600, 2, out)
        out[2] = UInt8(ascii: ":")
        digits(seconds / 60 % 60, 2, out + 3)
        out[5] = UInt8(ascii: ":")
        digits(seconds % 60, 2, out + 6)
        guard fraction else { return 8 }
        out[8] = UInt8(ascii: ".")
        digits(Int(micros % 1_000_000), 6, out + 9)
        return 15
    }

    private static func digits(_ value: Int, _ count: Int, _ out: UnsafeMutablePointer<UInt8>) {
        var rest = value
        for index in stride(from: count - 1, through: 0, by: -1) {
            out[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    // MARK: Reading

    /// Nanoseconds since 1970-01-01T00:00:00Z that a date, a timestamp or a time of day means; a timestamp without a
    /// zone is taken as UTC and a time of day as one of 1970-01-01. Nil for every other text.
    static func instant(_ text: UnsafeRawBufferPointer) -> Int128? {
        var scanner = Scanner(text: text)
        return scanner.instant()
    }

    static func instant(_ text: String) -> Int128? {
        var text = text
        return text.withUTF8 { instant(UnsafeRawBufferPointer($0)) }
    }

    /// The order of the collation: texts that mean an instant by it, before all others by their bytes.
    static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        switch (instant(left), instant(right)) {
        case (let a?, let b?): a < b ? -1 : a > b ? 1 : 0
        case (nil, nil): compareBytes(left, right)
        case (nil, _?): 1
        case (_?, nil): -1
        }
    }

    static func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        for (a, b) in zip(left, right) where a != b { return a < b ? -1 : 1 }
        return left.count - right.count
    }

    private struct Scanner {
        let text: UnsafeRawBufferPointer
        var position = 0

        init(text: UnsafeRawBufferPointer) { self.text = text }

        var current: UInt8 { position < text.count ? text[position] : 0 }

        mutating func skip(_ byte: UInt8) -> Bool {
            guard current == byte, position < text.count else { return false }
            position += 1
            return true
        }

        /// Exactly `count` digits.
        mutating func number(_ count: Int) -> Int? {
            guard position + count <= text.count else { return nil }
            var value = 0
            for offset in 0..<count {
                let digit = Int(text[position + offset]) - 0x30
                guard (0...9).contains(digit) else { return nil }
                value = value * 10 + digit
            }
            position += count
            return value
        }

        mutating func instant() -> Int128? {
            if text.count >= 5, text[2] == UInt8(ascii: ":") {
                guard let time = timeOfDay(), position == text.count else { return nil }
                return time
            }
            guard let days = date() else { return nil }
            var nanos = Int128(days) * 86_400_000_000_000
            if position == text.count { return nanos }
            guard skip(UInt8(ascii: "T")) || skip(UInt8(ascii: " ")) || skip(UInt8(ascii: "t")),
                let time = timeOfDay(), let zone = zoneMinutes(), position == text.count
            else { return nil }
            nanos += time - Int128(zone) * 60_000_000_000
            return nanos
        }

        mutating func date() -> Int? {
            let isNegative = skip(UInt8(ascii: "-"))
            let isSigned = isNegative || skip(UInt8(ascii: "+"))
            var width = 4
            if isSigned {
                while width < 7, position + width < text.count, text[position + width] != UInt8(ascii: "-") {
                    width += 1
                }
            }
            guard let year = number(width), skip(UInt8(ascii: "-")), let month = number(2), skip(UInt8(ascii: "-")),
                let day = number(2), (1...12).contains(month),
                (1...CivilTime.daysInMonth(year: isNegative ? -year : year, month: month)).contains(day)
            else { return nil }
            return CivilTime.days(year: isNegative ? -year : year, month: month, day: day)
        }

        mutating func timeOfDay() -> Int128? {
            guard let hour = number(2), hour < 24, skip(UInt8(ascii: ":")), let minute = number(2), minute < 60
            else { return nil }
            var nanos = Int128(hour * 3600 + minute * 60) * 1_000_000_000
            guard skip(UInt8(ascii: ":")) else { return nanos }
            guard let second = number(2), second < 60 else { return nil }
            nanos += Int128(second) * 1_000_000_000
            guard skip(UInt8(ascii: ".")) else { return nanos }
            var unit: Int128 = 100_000_000
            let start = position
            while let digit = number(1) {
                nanos += Int128(digit) * unit
                unit /= 10
            }
            // Digits below a nanosecond could only be cut off.
            return (1...9).contains(position - start) ? nanos : nil
        }

        /// 0 when there is none.
        mutating func zoneMinutes() -> Int? {
            if position == text.count || skip(UInt8(ascii: "Z")) || skip(UInt8(ascii: "z")) { return 0 }
            let isNegative = current == UInt8(ascii: "-")
            guard skip(UInt8(ascii: "-")) || skip(UInt8(ascii: "+")), let hours = number(2), hours < 24
            else { return nil }
            _ = skip(UInt8(ascii: ":"))
            let minutes = position == text.count ? 0 : number(2)
            guard let minutes, minutes < 60 else { return nil }
            return (hours * 60 + minutes) * (isNegative ? -1 : 1)
        }
    }
}

extension Int128 {
    /// The quotient rounded down, when it fits 64 bits.
    func floorDivided(by divisor: Int128) -> Int64? {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return Int64(exactly: remainder < 0 ? quotient - 1 : quotient)
    }
}
