/// Decimal to double through one 128-bit product.
///
/// D. Lemire, "Number parsing at a gigabyte per second" (2021), https://arxiv.org/abs/2101.11408; the proof that one
/// correction suffices is N. Mushtak and D. Lemire, "Fast number parsing without fallback" (2022).
enum EiselLemire {
    static let exponentMin = -342
    static let exponentMax = 308

    /// The double nearest to `mantissa` × 10^`exponent`, ties to even; infinite when out of range. Nil in the few
    /// cases that 128 bits do not decide.
    static func double(_ mantissa: UInt64, exponent: Int) -> Double? {
        if mantissa == 0 || exponent < exponentMin { return 0 }
        if exponent > exponentMax { return .infinity }
        let shift = mantissa.leadingZeroBitCount
        let w = mantissa << UInt64(shift)
        let power = powers[exponent - exponentMin]
        var (high, low) = w.multipliedFullWidth(by: power.high)
        if high & 0x1ff == 0x1ff {
            let second = w.multipliedFullWidth(by: power.low).high
            low &+= second
            if low < second { high &+= 1 }
        }
        if low == .max, !(-27...55).contains(exponent) { return nil }
        let upper = Int(high >> 63)
        var bits = high >> UInt64(upper + 9)
        // floor(log2(10^exponent)) by a fixed-point log2(10), then the bias.
        var binary = ((152_170 + 65_536) * exponent) >> 16 + 63 + upper - shift + 1023
        if binary <= 0 {
            if binary <= -63 { return 0 }
            bits >>= UInt64(1 - binary)
            bits += bits & 1
            return Double(bitPattern: bits >> 1)
        }
        // Exactly half-way: the one case where rounding up would be wrong.
        if low <= 1, (-4...23).contains(exponent), bits & 3 == 1, bits << UInt64(upper + 9) == high { bits &= ~1 }
        bits += bits & 1
        bits >>= 1
        if bits >= 2 << 52 {
            bits = 1 << 52
            binary += 1
        }
        if binary >= 0x7ff { return .infinity }
        return Double(bitPattern: bits & ~(1 << 52) | UInt64(binary) << 52)
    }

    /// The leading 128 bits of 5^q for q from `exponentMin` to `exponentMax`: rounded down, except up for -27 ≤ q < 0.
    static let powers: [(high: UInt64, low: UInt64)] = {
        var table = [(high: UInt64, low: UInt64)](repeating: (0, 0), count: exponentMax - exponentMin + 1)
        // 2^2300 / 5^n: wide enough to leave 128 exact bits at n = 342. Nested floors are the floor of the whole.
        var words = [UInt64](repeating: 0, count: 36)
        words[35] = 1 << 60
        for n in 1 ... -exponentMin {
            var remainder: UInt64 = 0
            for index in words.indices.reversed() {
                (words[index], remainder) = UInt64(5).dividingFullWidth((remainder, words[index]))
            }
            var (high, low) = leading(words)
            if n <= 27 {
                low &+= 1
                if low == 0 { high += 1 }
            }
            table[-n - exponentMin] = (high, low)
        }
        words = [1] + [UInt64](repeating: 0, count: 12)
        for n in 0...exponentMax {
            table[n - exponentMin] = leading(words)
            var carry: UInt64 = 0
            for index in words.indices {
                let product = words[index].multipliedFullWidth(by: 5)
                let (sum, overflow) = product.low.addingReportingOverflow(carry)
                words[index] = sum
                carry = product.high + (overflow ? 1 : 0)
            }
        }
        return table
    }()

    /// The 128 most significant bits of a little-endian big integer, the first of them set.
    private static func leading(_ words: [UInt64]) -> (high: UInt64, low: UInt64) {
        let top = words.lastIndex { $0 != 0 }!
        let shift = UInt64(words[top].leadingZeroBitCount)
        func word(_ index: Int) -> UInt64 { index < 0 ? 0 : words[index] }
        func joined(_ index: Int) -> UInt64 {
            word(index) << shift | (shift == 0 ? 0 : word(index - 1) >> (64 - shift))
        }
        return (joined(top), joined(top - 1))
    }
}
