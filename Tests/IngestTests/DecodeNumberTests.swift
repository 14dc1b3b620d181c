import Base
import Columnar
import Glibc
import TestSupport
import Testing

@testable import Ingest

/// Doubles against the C library, which rounds correctly.
@Suite struct DecodeNumberTests {
    private func expectSame(_ literals: [String]) throws {
        let body = literals.map { "{\"v\":\($0)}\n" }.joined()
        let result = try Decode.lines("v double", body)
        #expect(result.rejectedCount == 0)
        guard case .double(let values) = result.batch.columns[0].storage else {
            Issue.record("not a column of doubles")
            return
        }
        try #require(values.count == literals.count)
        var wrong = 0
        for (index, literal) in literals.enumerated()
        where values[index].bitPattern != strtod(literal, nil).bitPattern {
            wrong += 1
            if wrong < 5 { Issue.record("\(literal) became \(values[index])") }
        }
    }

    @Test func doublesOfRandomBits() throws {
        let random = SeededRandom(seed: 1)
        var literals: [String] = []
        while literals.count < 100_000 {
            let value = Double(bitPattern: random.next())
            if value.isFinite { literals.append(value.description) }
        }
        try expectSame(literals)
    }

    @Test func doublesOfRandomDigits() throws {
        var random = SeededRandom(seed: 2)
        var literals: [String] = []
        for _ in 0..<100_000 {
            let digits = (0..<Int.random(in: 0...24, using: &random)).map { _ in
                String(Int.random(in: 0...9, using: &random))
            }
            let head = Int.random(in: 0...999, using: &random)
            let tail = digits.isEmpty ? "" : "." + digits.joined()
            let exponent = Int.random(in: -330...300, using: &random)
            literals.append("\(head)\(tail)" + (exponent % 3 == 0 ? "" : "e\(exponent)"))
        }
        try expectSame(literals)
    }

    @Test func doublesHalfWayBetweenTwo() throws {
        var random = SeededRandom(seed: 3)
        var literals = [
            "9007199254740993", "9007199254740995", "1.00000000000000011102230246251565404236316680908203125",
            "2.2250738585072011e-308", "2.2250738585072014e-308", "4.9406564584124654e-324", "2.4703282292062328e-324",
            "2.4703282292062327e-324", "1.7976931348623157e308", "1.7976931348623158e308", "0.000000000000000000000001",
            "6.8205110602822465e-17", "8.5e22", "123456789e22", "9007199254740992e22", "1e23", "8.988465674311580e307",
        ]
        for _ in 0..<20_000 {
            // An integer above 2^53 lies between two doubles; odd multiples of half a step lie in the middle.
            let shift = UInt64.random(in: 1...10, using: &random)
            let value = (1 << 52 | random.next() >> 12) << shift | 1 << (shift - 1)
            literals.append(String(value))
            literals.append(String(value + 1))
            literals.append(String(value - 1))
        }
        try expectSame(literals)
    }

    @Test func powersOfFiveAreThoseOfTheReference() {
        // FNV-1a over the words of the table that the reference script of the algorithm makes, in Python.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for power in EiselLemire.powers {
            hash = (hash ^ power.high) &* 0x100_0000_01b3
            hash = (hash ^ power.low) &* 0x100_0000_01b3
        }
        #expect(EiselLemire.powers.count == 651)
        #expect(hash == 0xf5eb_a93a_ea6a_c412)
    }

    @Test func floatsAgainstTheLibrary() throws {
        let random = SeededRandom(seed: 4)
        var literals: [String] = []
        while literals.count < 50_000 {
            let a = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            guard a.isFinite, a.nextUp.isFinite else { continue }
            // The middle of two floats, exactly and a little off.
            let middle = (Double(a) + Double(a.nextUp)) / 2
            literals += [a.description, middle.description, middle.nextUp.description, middle.nextDown.description]
        }
        let result = try Decode.lines("v float", literals.map { "{\"v\":\($0)}\n" }.joined())
        guard case .float(let values) = result.batch.columns[0].storage else {
            Issue.record("not a column of floats")
            return
        }
        try #require(values.count == literals.count)
        let wrong = literals.indices.filter { values[$0].bitPattern != strtof(literals[$0], nil).bitPattern }
        #expect(wrong.isEmpty, "\(wrong.prefix(3).map { literals[$0] })")
    }

    @Test func integersOfEveryLength() throws {
        var literals: [Int64] = [.min, .max, 0]
        var random = SeededRandom(seed: 5)
        for digits in 1...18 {
            var low: Int64 = 1
            for _ in 1..<digits { low *= 10 }
            for _ in 0..<50 {
                let value = Int64.random(in: low..<(low * 10), using: &random)
                literals += [value, -value]
            }
        }
        let result = try Decode.lines("v long", literals.map { "{\"v\":\($0)}\n" }.joined())
        guard case .int64(let values) = result.batch.columns[0].storage else {
            Issue.record("not a column of longs")
            return
        }
        #expect(values.array == literals)
    }
}
