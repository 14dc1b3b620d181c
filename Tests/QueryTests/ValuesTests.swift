import Base
import TestSupport
import Testing

@testable import Query

@Suite struct TemporalTextTests {
    // Python: datetime.fromisoformat(…).timestamp().
    @Test(
        arguments: [
            ("1970-01-01", 0),
            ("2013-01-01T10:00:00Z", 1_357_034_400_000_000_000),
            ("2013-01-01 10:00", 1_357_034_400_000_000_000), ("2013-01-01T10:00:00.5", 1_357_034_400_500_000_000),
            ("2013-01-01T10:00:00.123456789Z", 1_357_034_400_123_456_789),
            ("2013-01-01T10:00:00+05:30", 1_357_014_600_000_000_000),
            ("2013-01-01T10:00:00-0100", 1_357_038_000_000_000_000), ("1969-12-31T23:59:59.999999", -1000),
            ("2024-02-29", 1_709_164_800_000_000_000), ("00:00:01.000001", 1_000_001_000),
            ("23:59", 86_340_000_000_000),
        ] as [(String, Int)])
    func instantsAreRead(_ text: String, _ nanos: Int) {
        #expect(TemporalText.instant(text) == Int128(nanos))
    }

    @Test(arguments: [
        "", "x", "2013", "2013-1-1", "2013-02-29", "2013-13-01", "2013-01-01T", "2013-01-01T25:00",
        "2013-01-01T10",
        "2013-01-01T10:00:00.", "2013-01-01T10:00:00.1234567891", "2013-01-01T10:00:00ZZ", " 2013-01-01", "24:00:00",
        "2013-01-01T10:00:60", "99999999999-01-01",
    ])
    func otherTextsAreNot(_ text: String) {
        #expect(TemporalText.instant(text) == nil)
    }

    @Test func whatIsWrittenIsReadAndSortsByBytes() {
        var random = SeededRandom(seed: 5)
        var previous: (micros: Int64, text: String)?
        let first = -62_135_596_800_000_000 as Int64
        let all = (0..<2000).map { _ in Int64.random(in: first...253_402_300_799_999_999, using: &random) }
        for micros in all.sorted() {
            let text = String(unsafeUninitializedCapacity: TemporalText.byteCountMax) {
                TemporalText.write(timestampMicros: micros, utc: true, into: $0.baseAddress!)
            }
            #expect(TemporalText.instant(text) == Int128(micros) * 1000)
            if let previous { #expect(previous.text < text || previous.micros == micros) }
            previous = (micros, text)
        }
    }

    @Test func farYearsKeepTheirSign() {
        for micros in [Int64.min, Int64.max, 253_402_300_800_000_000, -62_167_219_200_000_001] {
            let text = String(unsafeUninitializedCapacity: TemporalText.byteCountMax) {
                TemporalText.write(timestampMicros: micros, utc: false, into: $0.baseAddress!)
            }
            #expect(TemporalText.instant(text) == Int128(micros) * 1000, "\(text)")
        }
    }
}

@Suite struct DecimalNumberTests {
    private func compare(_ a: String, _ b: String) -> Int {
        var (a, b) = (a, b)
        return a.withUTF8 { a in
            b.withUTF8 { DecimalNumber.compare(UnsafeRawBufferPointer(a), UnsafeRawBufferPointer($0)) }
        }
    }

    @Test func decimalsCompareByValue() {
        let ascending = ["-1e30", "-10", "-9.5", "-0.001", "0", "1e-5", "0.10", "9.50", "10", "1.0e+20", "zero"]
        for (i, a) in ascending.enumerated() {
            for (j, b) in ascending.enumerated() {
                #expect(compare(a, b).signum() == (i - j).signum(), "\(a) \(b)")
            }
        }
        for (a, b) in [("9.5", "9.500"), ("-0.0", "0"), ("100", "1e2"), ("+5", "05"), (".5", "0.5")] {
            #expect(compare(a, b) == 0, "\(a) \(b)")
        }
    }

    @Test func unscaledValuesRoundDown() {
        #expect(DecimalNumber("12.345")!.unscaled(scale: 2)! == (1234, false))
        #expect(DecimalNumber("-12.345")!.unscaled(scale: 2)! == (-1235, false))
        #expect(DecimalNumber("12.3")!.unscaled(scale: 2)! == (1230, true))
        #expect(DecimalNumber("0.001")!.unscaled(scale: 2)! == (0, false))
        #expect(DecimalNumber("-0.001")!.unscaled(scale: 2)! == (-1, false))
        #expect(DecimalNumber("1e38")!.unscaled(scale: 0) == nil)
    }

    @Test func realsGoBackToTheirDecimal() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<20_000 {
            let scale = Int.random(in: 0...15, using: &random)
            let unscaled = Int64.random(in: -999_999_999_999_999...999_999_999_999_999, using: &random)
            let real = DecimalNumber.real(unscaled: unscaled, scale: scale)
            let text = DecimalNumber.text(real: real, scale: scale)
            #expect(text.flatMap { DecimalNumber($0) }?.unscaled(scale: scale)?.floor == Int128(unscaled))
        }
    }
}
