import Base
import CPlatform
import Glibc

/// A JSON number, split but not yet converted: `mantissa` × 10^`exponent`.
struct NumberToken {
    var start: Cursor
    var end: Cursor
    var negative: Bool
    /// All digits as one integer; meaningless when `digitCount` passes 19.
    var mantissa: UInt64
    var exponent: Int
    var digitCount: Int
    /// Written with neither fraction nor exponent.
    var isInteger: Bool
}

/// Numbers in text, as RFC 8259 section 6 writes them.
///
/// 1. Digits are read eight at a time within one 64-bit word.
/// 2. A double comes from one exact multiplication when mantissa and power of ten are both exact doubles (Clinger),
///    else from a 128-bit product (Eisel and Lemire), else, past 19 digits, from `strtod`.
/// 3. Decimals and integers are exact: a value that would need rounding is refused.
enum NumberText {
    /// Splits the number at `start`, which must be a minus sign or a digit to be one.
    @inline(__always) static func scan(_ start: Cursor) throws(Fault) -> NumberToken {
        var p = start
        var mantissa: UInt64 = 0
        let negative = p.pointee == Byte.minus
        if negative { p += 1 }
        let first = p
        p = digits(p, &mantissa)
        var count = p - first
        guard count > 0, first.pointee != Byte.zero || count == 1 else { throw Fault(.number, start) }
        var exponent = 0
        var isInteger = true
        if p.pointee == Byte.dot {
            let fraction = p + 1
            p = digits(fraction, &mantissa)
            exponent = fraction - p
            guard exponent < 0 else { throw Fault(.number, start) }
            count &-= exponent
            isInteger = false
        }
        if p.pointee | 0x20 == Byte.lowerE {
            p = try scanExponent(p, start, &exponent)
            isInteger = false
        }
        guard p - start <= DecodeLimits.numberBytesMax else { throw Fault(.numberLength, start) }
        return NumberToken(
            start: start, end: p, negative: negative, mantissa: mantissa, exponent: exponent, digitCount: count,
            isInteger: isInteger)
    }

    @inline(never)
    private static func scanExponent(_ e: Cursor, _ start: Cursor, _ exponent: inout Int) throws(Fault) -> Cursor {
        var p = e + 1
        let negative = p.pointee == Byte.minus
        if negative || p.pointee == Byte.plus { p += 1 }
        guard Byte.isDigit(p.pointee) else { throw Fault(.number, start) }
        var value = 0
        while Byte.isDigit(p.pointee) {
            // Saturates: past a million every number is zero or out of range.
            if value < 1_000_000 { value = value * 10 + Int(p.pointee - Byte.zero) }
            p += 1
        }
        exponent += negative ? -value : value
        return p
    }

    /// Appends the digits at `p` to `value`, wrapping, and returns the position behind them.
    @inline(__always) static func digits(_ start: Cursor, _ value: inout UInt64) -> Cursor {
        var p = start
        while true {
            let word = firn_load64(p) ^ 0x3030_3030_3030_3030
            // The lowest set flag marks the first byte that is no digit; flags above it may be carries.
            let stop = (word &+ 0x7676_7676_7676_7676 | word) & 0x8080_8080_8080_8080
            if stop == 0 {
                value = value &* 100_000_000 &+ eight(word)
                p += 8
                continue
            }
            let count = stop.trailingZeroBitCount >> 3
            if count > 0 {
                value = value &* firn_pow10_u64(count) &+ eight(word &<< UInt64(64 &- count &* 8))
            }
            return p + count
        }
    }

    /// Eight digit values, the first in the lowest byte, as one number.
    @inline(__always) private static func eight(_ word: UInt64) -> UInt64 {
        let pairs = word &* 10 &+ word >> 8
        let low = (pairs & 0x0000_00ff_0000_00ff) &* 0x000f_4240_0000_0064
        let high = (pairs >> 16 & 0x0000_00ff_0000_00ff) &* 0x0000_2710_0000_0001
        return (low &+ high) >> 32
    }

    // MARK: - Doubles

    /// The nearest double, ties to even; infinite when out of range.
    @inline(__always) static func double(_ token: NumberToken) -> Double {
        if token.digitCount <= 19, token.mantissa <= 1 << 53, UInt(bitPattern: token.exponent &+ 22) <= 44 {
            let value = Double(Int64(bitPattern: token.mantissa))
            let scaled =
                token.exponent < 0
                ? value / firn_pow10_double(-token.exponent) : value * firn_pow10_double(token.exponent)
            return token.negative ? -scaled : scaled
        }
        return slowDouble(token)
    }

    @inline(never) private static func slowDouble(_ token: NumberToken) -> Double {
        // Leading zeros ("0.00…") do not use up the 64 bits of the mantissa.
        let digits = token.digitCount > 19 ? token.digitCount - leadingZeros(token) : token.digitCount
        if digits <= 19, let value = EiselLemire.double(token.mantissa, exponent: token.exponent) {
            return token.negative ? -value : value
        }
        return withText(token) { strtod($0, nil) }
    }

    private static func leadingZeros(_ token: NumberToken) -> Int {
        var p = token.negative ? token.start + 1 : token.start
        var zeros = 0
        while p.pointee == Byte.zero || p.pointee == Byte.dot {
            if p.pointee == Byte.zero { zeros += 1 }
            p += 1
        }
        return zeros
    }

    /// The nearest float. Rounding a double again is wrong only when the double lies half-way between two floats.
    static func float(_ token: NumberToken) -> Float {
        let wide = double(token)
        if abs(wide) >= Double(Float.leastNormalMagnitude), wide.bitPattern & 0x1fff_ffff != 0x1000_0000 {
            return Float(wide)
        }
        return wide == 0 && token.mantissa == 0 ? Float(wide) : withText(token) { strtof($0, nil) }
    }

    /// The token as a C string. The process never sets a locale, so the decimal point is a dot.
    private static func withText<R>(_ token: NumberToken, _ body: (UnsafePointer<CChar>) -> R) -> R {
        let count = token.end - token.start
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: count + 1) { text in
            memcpy(text.baseAddress!, token.start, count)
            text[count] = 0
            return body(text.baseAddress!)
        }
    }

    // MARK: - Exact numbers

    enum Exact {
        case value(Int128)
        case fraction
        case range
    }

    /// The number × 10^`scale` as an integer of at most `precision` digits, or why it is none.
    @inline(__always) static func exact(_ token: NumberToken, precision: Int, scale: Int) -> Exact {
        let shift = token.exponent &+ scale
        if shift >= 0, token.digitCount &+ shift <= 18 {
            let value = token.mantissa &* firn_pow10_u64(shift)
            guard value < firn_pow10_u64(min(precision, 18)) else { return .range }
            return .value(Int128(token.negative ? 0 &- Int64(value) : Int64(value)))
        }
        return slowExact(token, precision: precision, scale: scale)
    }

    @inline(never) private static func slowExact(_ token: NumberToken, precision: Int, scale: Int) -> Exact {
        // Leading and trailing zeros carry no digits, so "1.500" and "0.00…01e30" are judged by their value.
        var value: UInt128 = 0
        var significant = 0
        var zeros = 0
        var exponent = token.exponent
        var p = token.start
        while p < token.end, p.pointee | 0x20 != Byte.lowerE {
            let digit = p.pointee &- Byte.zero
            p += 1
            guard digit < 10 else { continue }
            guard digit > 0 else {
                if significant > 0 { zeros += 1 }
                continue
            }
            significant += zeros + 1
            guard significant <= 38 else {
                zeros = 0
                continue
            }
            for _ in 0...zeros { value &*= 10 }
            value &+= UInt128(digit)
            zeros = 0
        }
        if significant == 0 { return .value(0) }
        exponent += zeros + scale
        if exponent < 0 { return .fraction }
        guard significant + exponent <= precision else { return .range }
        for _ in 0..<exponent { value &*= 10 }
        let signed = Int128(truncatingIfNeeded: value)
        return .value(token.negative ? 0 &- signed : signed)
    }
}
