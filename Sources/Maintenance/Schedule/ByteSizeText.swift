import Base

/// Byte counts as people write them: `10GiB`, `500MB`, `65536B`.
public enum ByteSizeText {
    private static let units: [(name: String, bytes: Int64)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000), ("B", 1),
    ]

    /// Above zero. Throws `.invalidInput` (`bad_byte_size`).
    public static func bytes(_ text: String) throws(FirnError) -> Int64 {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let name = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        guard let amount = Int64(digits), amount > 0,
            let unit = units.first(where: { $0.name.lowercased() == name })
        else { throw bad(text) }
        let (bytes, overflow) = amount.multipliedReportingOverflow(by: unit.bytes)
        guard !overflow, bytes <= 1 << 60 else { throw bad(text) }
        return bytes
    }

    /// In the largest unit that divides the count.
    public static func format(_ bytes: Int64) -> String {
        let unit = units.first { bytes >= $0.bytes && bytes % $0.bytes == 0 } ?? units[units.count - 1]
        return "\(bytes / unit.bytes)\(unit.name)"
    }

    private static func bad(_ text: String) -> FirnError {
        FirnError(
            .invalidInput, "bad_byte_size",
            "'\(String(text.prefix(40)))' is not a number of bytes: write a whole number and a unit "
                + "(B, KB, MB, GB, TB, KiB, MiB, GiB, TiB) as in 10GiB")
    }
}
