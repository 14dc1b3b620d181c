/// How much room texts take on a terminal, and how they are made safe to show there.
public enum DisplayWidth {
    /// East_Asian_Width W and F outside of emoji, with what is unassigned in between.
    ///
    /// Source: https://www.unicode.org/reports/tr11/
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2329...0x232a, 0x2e80...0x303e, 0x3041...0x3247, 0x3250...0x4dbf, 0x4e00...0xa4cf,
        0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe10...0xfe19, 0xfe30...0xfe6f, 0xff01...0xff60,
        0xffe0...0xffe6, 0x16fe0...0x18dff, 0x1aff0...0x1b2ff, 0x1f200...0x1f265, 0x20000...0x3fffd,
    ]

    private static let joiner: Unicode.Scalar = "\u{200d}"
    private static let emojiSelector: Unicode.Scalar = "\u{fe0f}"

    /// Columns of a text without control characters.
    public static func of(_ text: some StringProtocol) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return text.reduce(0) { $0 + of($1) }
    }

    /// 0, 1 or 2 for most; a syllable of several spacing parts takes more.
    public static func of(_ character: Character) -> Int {
        if character.isASCII { return 1 }
        let scalars = character.unicodeScalars
        // Joined emoji and those with a skin tone are one picture.
        if scalars.first!.properties.isEmoji,
            scalars.dropFirst().contains(where: {
                $0 == joiner || $0 == emojiSelector || $0.properties.isEmojiModifier
            })
        {
            return 2
        }
        return scalars.reduce(0) { $0 + of($1) }
    }

    private static func of(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0x20...0x7e: return 1
        // The vowels and finals of a Hangul syllable stand inside the place of its initial.
        case 0x1160...0x11ff, 0xd7b0...0xd7fb: return 0
        // Half of a flag.
        case 0x1f1e6...0x1f1ff: return 1
        default: break
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        return scalar.properties.isEmojiPresentation || isWide(scalar.value) ? 2 : 1
    }

    private static func isWide(_ value: UInt32) -> Bool {
        guard value >= wide[0].lowerBound else { return false }
        return wide.contains { $0.contains(value) }
    }

    /// The longest beginning of a text that fits into so many columns, and its width.
    public static func prefix(of text: String, columns: Int) -> (text: Substring, width: Int) {
        var width = 0
        var end = text.startIndex
        while end < text.endIndex {
            let next = of(text[end])
            guard width + next <= columns else { break }
            width += next
            end = text.index(after: end)
        }
        return (text[..<end], width)
    }

    /// The text with an escape (`\n`, `\x1b`, `\u202e`) for each character that would break a line, drive the terminal,
    /// turn the direction of what follows, or stay invisible.
    public static func visible(_ text: String) -> String {
        if text.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return text }
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if needsEscape(scalar) {
                out.append(contentsOf: escape(scalar).unicodeScalars)
            } else {
                out.append(scalar)
            }
        }
        return String(out)
    }

    private static func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7f }
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: return true
        case .format:
            // Joiners and tags are parts of letters and emoji.
            if (0x200c...0x200d).contains(scalar.value) || (0xe0020...0xe007f).contains(scalar.value) { return false }
            return scalar.properties.isDefaultIgnorableCodePoint
        default: return false
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default:
            let digits = String(scalar.value, radix: 16)
            let count = scalar.value < 0x100 ? 2 : 4
            return (count == 2 ? "\\x" : "\\u") + String(repeating: "0", count: max(0, count - digits.count)) + digits
        }
    }
}
