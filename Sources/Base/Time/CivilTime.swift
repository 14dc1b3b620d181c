/// Calendar arithmetic on the proleptic Gregorian calendar, in UTC, without Foundation.
///
/// The algorithms are the era-based ones that treat March as the first month, so that the leap day is the last.
public enum CivilTime {
    public static let microsPerDay: Int64 = 86_400_000_000
    public static let microsPerHour: Int64 = 3_600_000_000

    /// Days from 1970-01-01 to the given date.
    @inlinable public static func days(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The date that lies `days` after 1970-01-01.
    public static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    @inlinable public static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    @inlinable public static func daysInMonth(year: Int, month: Int) -> Int {
        month == 2 ? (isLeap(year) ? 29 : 28) : (month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31)
    }

    /// `2017-11-16`; years outside 0000 to 9999 carry a sign and as many digits as they need.
    public static func formatDate(days: Int) -> String {
        let (year, month, day) = date(days: days)
        let head = (0...9999).contains(year) ? pad(year, 4) : (year < 0 ? "-" : "+") + pad(abs(year), 4)
        return "\(head)-\(pad(month, 2))-\(pad(day, 2))"
    }

    /// `22:31:08` with six fraction digits when they are not zero.
    public static func formatTime(micros: Int64) -> String {
        let seconds = micros / 1_000_000
        let fraction = micros % 1_000_000
        let text = "\(pad(Int(seconds / 3600), 2)):\(pad(Int(seconds / 60 % 60), 2)):\(pad(Int(seconds % 60), 2))"
        return fraction == 0 ? text : text + "." + pad(Int(fraction), 6)
    }

    /// `2017-11-16T22:31:08.123456`, with `Z` appended when `utc`.
    public static func formatTimestamp(micros: Int64, utc: Bool) -> String {
        let (days, rest) = floorDivide(micros, microsPerDay)
        return formatDate(days: Int(days)) + "T" + formatTime(micros: rest) + (utc ? "Z" : "")
    }

    /// `2017-11-16T22:31:08.123456789`, with `Z` appended when `utc`; the fraction has nine digits or is left out.
    public static func formatTimestamp(nanos: Int64, utc: Bool) -> String {
        let (seconds, fraction) = floorDivide(nanos, 1_000_000_000)
        let (days, rest) = floorDivide(seconds, 86_400)
        let text = formatDate(days: Int(days)) + "T" + formatTime(micros: rest * 1_000_000)
        return text + (fraction == 0 ? "" : "." + pad(Int(fraction), 9)) + (utc ? "Z" : "")
    }

    /// Quotient rounded towards minus infinity, and the non-negative remainder.
    @inlinable public static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func pad(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return digits.count >= width ? digits : String(repeating: "0", count: width - digits.count) + digits
    }
}
