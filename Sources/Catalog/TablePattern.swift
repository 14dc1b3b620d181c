import Base

/// The tables a schedule is for: an identifier, or a pattern in which `*` stands for any text (`events.*`, `*`).
///
/// Where several patterns match a table, the one with the highest rank is for it: a table's own name before every
/// pattern, then the pattern with more characters beside `*`. Patterns of one rank count together.
public struct TablePattern: Hashable, Sendable, CustomStringConvertible {
    /// As long as the longest identifier may be.
    static let bytesMax = 2 * Limits.nameBytesMax

    public let description: String

    /// Any text, as a row may hold it; one that is no name matches nothing.
    public init(_ text: String) { description = text }

    /// Throws `.invalidInput` (`bad_table_pattern`), and `bad_identifier` for the name of one table.
    public init(checking text: String) throws(FirnError) {
        guard text.contains("*") else {
            description = try TableIdentifier(parsing: text).description
            return
        }
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "$"), UInt8(ascii: "*"):
                true
            default: false
            }
        }
        guard isPlain, text.utf8.count <= Self.bytesMax else {
            throw FirnError(
                .invalidInput, "bad_table_pattern",
                "not a pattern of tables: use a name and * for any text, as in events.* or *.orders or *",
                context: ["pattern": String(text.prefix(80))])
        }
        description = text
    }

    /// True for the name of one table.
    public var isExact: Bool { !description.utf8.contains(UInt8(ascii: "*")) }

    /// How specific the pattern is.
    public var rank: Int {
        isExact ? Int.max : description.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: "*") ? 0 : 1) }
    }

    public func matches(_ table: TableIdentifier) -> Bool {
        isExact
            ? description == table.description
            : Self.matches(Array(description.utf8)[...], Array(table.description.utf8)[...])
    }

    /// Greedy with one point to go back to, so that the time is bounded by the product of the lengths.
    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        var (p, t) = (pattern.startIndex, text.startIndex)
        var star: (pattern: Int, text: Int)?
        while t < text.endIndex {
            if p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") {
                star = (p + 1, t)
                p += 1
            } else if p < pattern.endIndex, pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let back = star {
                star = (back.pattern, back.text + 1)
                (p, t) = (back.pattern, back.text + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
