import Base
import Columnar

/// A decimal number read from text, exactly.
struct DecimalNumber {
    /// The collation of decimal columns that are too wide for a floating-point number: orders by numeric value.
    static let collation = "decimal"
    /// Up to this precision a decimal is a REAL in SQL: every such number survives the way to a double and back.
    static let realPrecisionMax = 15

    var isNegative = false
    /// 0 to 9 each, without leading or trailing zeros; empty for zero.
    var digits: [UInt8] = []
    /// The value is 0.d1d2d3… × 10^exponent.
    var exponent = 0

    /// Reads `-12.30`, `5`, `.5`, `1e+20`; nil for anything else.
    init?(_ text: UnsafeRawBufferPointer) {
        var position = 0
        func byte() -> UInt8 { position < text.count ? text[position] : 0 }
        if byte() == UInt8(ascii: "-") || byte() == UInt8(ascii: "+") {
            isNegative = byte() == UInt8(ascii: "-")
            position += 1
        }
        var seen = 0
        var isFraction = false
        while position < text.count {
            if byte() == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte()) {
                seen += 1
                let digit = byte() - UInt8(ascii: "0")
                if digit != 0 || !digits.isEmpty {
                    digits.append(digit)
                    if !isFraction { exponent += 1 }
                } else if isFraction {
                    exponent -= 1
                }
            } else {
                break
            }
            position += 1
        }
        guard seen > 0 else { return nil }
        if byte() | 0x20 == UInt8(ascii: "e") {
            let written = String(decoding: text[(position + 1)...], as: UTF8.self)
            guard let value = Int(written), abs(value) < 10_000 else { return nil }
            exponent += value
        } else if position != text.count {
            return nil
        }
        while digits.last == 0 { digits.removeLast() }
        if digits.isEmpty { (isNegative, exponent) = (false, 0) }
    }

    init?(_ text: String) {
        var text = text
        guard let number = text.withUTF8({ DecimalNumber(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = number
    }

    /// The value × 10^`scale` rounded down, and whether nothing was rounded; nil past 38 digits.
    func unscaled(scale: Int) -> (floor: Int128, isExact: Bool)? {
        let whole = exponent + scale
        guard whole <= 38 else { return nil }
        var value: Int128 = 0
        for index in 0..<max(0, whole) { value = value * 10 + Int128(index < digits.count ? digits[index] : 0) }
        let isExact = digits.count <= max(0, whole)
        return isNegative ? (isExact ? -value : -value - 1, isExact) : (value, isExact)
    }

    /// The order of the collation: numbers by value, before all other texts by their bytes.
    static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        switch (DecimalNumber(left), DecimalNumber(right)) {
        case (let a?, let b?): a.compare(b)
        case (nil, nil): TemporalText.compareBytes(left, right)
        case (nil, _?): 1
        case (_?, nil): -1
        }
    }

    private func compare(_ other: DecimalNumber) -> Int {
        if isNegative != other.isNegative { return isNegative ? -1 : 1 }
        let magnitude: Int
        if digits.isEmpty || other.digits.isEmpty {
            magnitude = digits.count - other.digits.count
        } else if exponent != other.exponent {
            magnitude = exponent - other.exponent
        } else {
            magnitude = digits.lexicographicallyPrecedes(other.digits) ? -1 : digits == other.digits ? 0 : 1
        }
        return isNegative ? -magnitude : magnitude
    }

    private static let powers: [Int128] = (0...38).map { exponent in
        (0..<exponent).reduce(Int128(1)) { power, _ in power * 10 }
    }

    /// Exact for the scales of REAL decimals.
    static func powerOfTen(_ exponent: Int) -> Double { Double(Int64(powers[exponent])) }

    /// The REAL that a decimal of up to 15 digits is in SQL. It must be bit for bit what SQLite makes of the same
    /// number written as a literal, and SQLite divides in the platform's long double and rounds afterwards.
    static func real(unscaled: Int64, scale: Int) -> Double {
        guard scale > 0 else { return Double(unscaled) }
        var (value, scale) = (unscaled, scale)
        while scale > 0, value % 10 == 0 { (value, scale) = (value / 10, scale - 1) }
        #if arch(x86_64)
        return Double(Float80(value) / Float80(Int64(powers[scale])))
        #else
        // Up to 15 digits and 10^15 are exact doubles, so one division rounds once, as quadruple precision does.
        return Double(value) / powerOfTen(scale)
        #endif
    }

    /// Every decimal is smaller than this.
    static let magnitudeEnd = powers[38].magnitude

    /// The REAL closest to a sum of decimals.
    static func nearestReal(unscaled: Int128, scale: Int) -> Double {
        if let narrow = Int64(exactly: unscaled), scale <= 18 { return real(unscaled: narrow, scale: scale) }
        return Double(unscaled) / Double(powers[scale])
    }

    /// The decimal that `real` came from, as text.
    static func text(real: Double, scale: Int) -> String? {
        let scaled = (real * powerOfTen(scale)).rounded()
        guard abs(scaled) < 1e15 else { return nil }
        return DecimalText.format(Int128(Int64(scaled)), scale: scale)
    }
}
