import Base
import Testing

@Suite struct CivilTimeTests {
    /// Python: (date(y, m, d) - date(1970, 1, 1)).days
    static let known: [(Int, Int, Int, Int)] = [
        (1, 1, 1, -719162), (1582, 10, 15, -141427), (1600, 2, 29, -135081), (1899, 12, 31, -25568),
        (1900, 2, 28, -25509), (1900, 3, 1, -25508), (1969, 12, 31, -1), (1970, 1, 1, 0), (1999, 12, 31, 10956),
        (2000, 2, 29, 11016), (2000, 3, 1, 11017), (2017, 11, 16, 17486), (2026, 11, 21, 20778),
        (2038, 1, 19, 24855), (2100, 2, 28, 47540), (2100, 3, 1, 47541), (9999, 12, 31, 2_932_896),
    ]

    @Test(arguments: known)
    func knownDates(year: Int, month: Int, day: Int, days: Int) {
        #expect(CivilTime.days(year: year, month: month, day: day) == days)
        let date = CivilTime.date(days: days)
        #expect(date.year == year && date.month == month && date.day == day)
    }

    /// Every day of 800 years around the era's borders follows its predecessor.
    @Test func consecutiveDaysAreConsecutiveDates() {
        var date = CivilTime.date(days: -146_097)
        for days in -146_096...146_097 {
            let next = CivilTime.date(days: days)
            let lastOfMonth = date.day == CivilTime.daysInMonth(year: date.year, month: date.month)
            let expected =
                !lastOfMonth
                ? (date.year, date.month, date.day + 1)
                : date.month < 12 ? (date.year, date.month + 1, 1) : (date.year + 1, 1, 1)
            guard (next.year, next.month, next.day) == expected,
                CivilTime.days(year: next.year, month: next.month, day: next.day) == days
            else {
                Issue.record("day \(days) is \(next), after \(date)")
                return
            }
            date = next
        }
    }

    @Test func texts() {
        #expect(CivilTime.formatDate(days: 17486) == "2017-11-16")
        #expect(CivilTime.formatDate(days: -719_529) == "-0001-12-31")
        #expect(CivilTime.formatDate(days: 2_932_897) == "+10000-01-01")
        #expect(CivilTime.formatTime(micros: 81_068_000_000) == "22:31:08")
        #expect(CivilTime.formatTime(micros: 81_068_000_123) == "22:31:08.000123")
        // Iceberg specification, appendix B: 2017-11-16T22:31:08 is 1510871468000000.
        #expect(CivilTime.formatTimestamp(micros: 1_510_871_468_000_000, utc: false) == "2017-11-16T22:31:08")
        #expect(CivilTime.formatTimestamp(micros: -1, utc: true) == "1969-12-31T23:59:59.999999Z")
    }

    @Test func leapYearsAndFloors() {
        #expect(
            [1600, 2000, 2024].allSatisfy(CivilTime.isLeap) && ![1900, 2023, 2100].contains(where: CivilTime.isLeap))
        #expect(CivilTime.daysInMonth(year: 2024, month: 2) == 29 && CivilTime.daysInMonth(year: 2023, month: 4) == 30)
        #expect(CivilTime.floorDivide(-1, 10) == (-1, 9))
        #expect(CivilTime.floorDivide(-10, 10) == (-1, 0))
        #expect(CivilTime.floorDivide(19, 10) == (1, 9))
    }
}
