/// Decimals as plain text: `-0.05`, `12.30`, never with an exponent.
public enum DecimalText {
    /// `unscaled` × 10^-`scale` with exactly `scale` fraction digits.
    public static func format(_ unscaled: Int128, scale: Int) -> String {
        let digits = String(unscaled.magnitude)
        let sign = unscaled < 0 ? "-" : ""
        guard scale > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, scale + 1 - digits.utf8.count)) + digits
        let point = padded.index(padded.endIndex, offsetBy: -scale)
        return sign + padded[..<point] + "." + padded[point...]
    }
}
