import Base

/// Durations as people write them: `500ms`, `30s`, `5m`, `1h30m`, `2d`.
///
/// Units are `ms`, `s`, `m`, `h`, `d` and `w`, largest first, each at most once. A number without a unit is refused,
/// since nobody can tell seconds from milliseconds.
public enum DurationText {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]
    /// A hundred years: longer than anybody waits, short enough never to overflow when added to a date.
    static let millisecondsMax: Int64 = 36_525 * 86_400_000

    /// Milliseconds, above zero. Throws `.invalidInput` (`bad_duration`).
    public static func milliseconds(_ text: String) throws(FirnError) -> Int64 {
        var rest = Substring(text)
        var total: Int64 = 0
        var nextUnit = 0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard let amount = Int64(digits) else { throw bad(text) }
            guard let unit = units.firstIndex(where: { $0.name == name }), unit >= nextUnit else { throw bad(text) }
            nextUnit = unit + 1
            let (product, overflow) = amount.multipliedReportingOverflow(by: units[unit].milliseconds)
            guard !overflow, product <= millisecondsMax - total else { throw bad(text) }
            total += product
        }
        guard total > 0 else { throw bad(text) }
        return total
    }

    /// The shortest text that parses to the same number of milliseconds; `0ms` for zero.
    public static func format(milliseconds: Int64) -> String {
        precondition(milliseconds >= 0, "a duration is not negative")
        var rest = milliseconds
        var text = ""
        for unit in units where rest >= unit.milliseconds {
            text += "\(rest / unit.milliseconds)\(unit.name)"
            rest %= unit.milliseconds
        }
        return text.isEmpty ? "0ms" : text
    }

    private static func bad(_ text: String) -> FirnError {
        FirnError(
            .invalidInput, "bad_duration",
            "'\(text)' is not a duration: write a number and a unit (ms, s, m, h, d, w) as in 30s, 5m or 1h30m")
    }
}
