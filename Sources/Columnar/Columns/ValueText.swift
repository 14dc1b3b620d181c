import Base

extension Value {
    /// The value that `text` stands for in a column of type `type`, in the form in which values are printed: numbers,
    /// decimals and booleans plain, dates and times as ISO 8601, uuids with hyphens, binary as hexadecimal digits.
    ///
    /// Throws `.invalidInput` (`invalid_literal`) for other text and for nested types.
    public init(parsing text: String, as type: DataType) throws(FirnError) {
        guard let value = ValueText.parse(text, type) else {
            throw FirnError(.invalidInput, "invalid_literal", "\"\(text)\" is not a value of type \(type)")
        }
        self = value
    }

    /// The form that `init(parsing:as:)` takes, and JSON for nested values; `null` for null.
    ///
    /// Precondition: the value's case is the one that `type` asks for.
    public func text(as type: DataType) -> String {
        if case .string(let text) = self { return text }
        let builder = ColumnBuilder(type, rowCapacity: 1)
        builder.append(self)
        var json: [UInt8] = []
        builder.finish().appendJSON(row: 0, into: &json)
        let isQuoted = json.first == UInt8(ascii: "\"")
        return String(decoding: isQuoted ? json.dropFirst().dropLast() : json[...], as: UTF8.self)
    }
}

private enum ValueText {
    static func parse(_ text: String, _ type: DataType) -> Value? {
        switch type {
        case .boolean: return Bool(text.lowercased()).map(Value.boolean)
        case .int: return Int32(text).map(Value.int)
        case .long: return Int64(text).map(Value.long)
        case .float: return Float(text).map(Value.float)
        case .double: return Double(text).map(Value.double)
        case .decimal(let precision, let scale): return decimal(text, precision, scale)
        case .date: return day(text[...]).flatMap { Int32(exactly: $0) }.map(Value.date)
        case .time: return clock(text[...]).flatMap(microseconds).map(Value.time)
        case .timestamp: return instant(text[...]).flatMap(microseconds).map(Value.timestamp)
        case .timestamptz: return utc(text).flatMap(microseconds).map(Value.timestamptz)
        case .timestampNs: return instant(text[...]).flatMap { Int64(exactly: $0) }.map(Value.timestampNs)
        case .timestamptzNs: return utc(text).flatMap { Int64(exactly: $0) }.map(Value.timestamptzNs)
        case .string: return .string(text)
        case .uuid: return UUID(text).map(Value.uuid)
        case .binary: return Hex.decode(text).map(Value.binary)
        case .fixed(let width): return Hex.decode(text).flatMap { $0.count == width ? .binary($0) : nil }
        case .structure, .list, .map, .variant, .unknown: return nil
        }
    }

    private static func decimal(_ text: String, _ precision: Int, _ scale: Int) -> Value? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : ""
        guard fraction.utf8.count <= scale, fraction.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        let digits = parts[0] + fraction + String(repeating: "0", count: scale - fraction.utf8.count)
        guard let unscaled = Int128(digits), String(unscaled.magnitude).utf8.count <= precision else { return nil }
        return .decimal(unscaled, scale: scale)
    }

    /// Digits of a fixed width.
    private static func number(_ text: Substring, _ width: Int) -> Int? {
        guard text.utf8.count == width, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    /// Days from 1970-01-01.
    private static func day(_ text: Substring) -> Int? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let year = number(parts[0], 4), let month = number(parts[1], 2),
            let day = number(parts[2], 2), (1...12).contains(month),
            (1...CivilTime.daysInMonth(year: year, month: month)).contains(day)
        else { return nil }
        return CivilTime.days(year: year, month: month, day: day)
    }

    /// Nanoseconds from midnight.
    private static func clock(_ text: Substring) -> Int128? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let units = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        guard units.count == 3, let hour = number(units[0], 2), let minute = number(units[1], 2),
            let second = number(units[2], 2), hour < 24, minute < 60, second < 60
        else { return nil }
        var nanoseconds = 0
        if parts.count == 2 {
            let digits = parts[1].utf8.count
            guard (1...9).contains(digits), let fraction = number(parts[1], digits) else { return nil }
            nanoseconds = (digits..<9).reduce(fraction) { value, _ in value * 10 }
        }
        return Int128(hour * 3600 + minute * 60 + second) * 1_000_000_000 + Int128(nanoseconds)
    }

    /// Nanoseconds from 1970-01-01T00:00:00; a date alone is its midnight.
    private static func instant(_ text: Substring) -> Int128? {
        let parts = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "T" || $0 == " " }
        guard let day = day(parts[0]) else { return nil }
        guard parts.count == 2 else { return Int128(day) * 86_400_000_000_000 }
        return clock(parts[1]).map { Int128(day) * 86_400_000_000_000 + $0 }
    }

    /// As `instant`, with or without a trailing `Z` or `+00:00`.
    private static func utc(_ text: String) -> Int128? {
        for suffix in ["Z", "+00:00"] where text.hasSuffix(suffix) { return instant(text.dropLast(suffix.utf8.count)) }
        return instant(text[...])
    }

    private static func microseconds(_ nanoseconds: Int128) -> Int64? {
        nanoseconds % 1000 == 0 ? Int64(exactly: nanoseconds / 1000) : nil
    }
}
