/// How an aligned table looks where it is shown.
public struct TableStyle: Sendable, Hashable {
    /// Columns of the terminal, which no line passes; nil cuts nothing.
    public var width: Int?
    /// Nulls are dimmed, so that they differ from the text NULL.
    public var isColored: Bool
    /// The number of rows below the table.
    public var hasFooter: Bool
    /// How people see columns for which there was no room, such as `--wide`.
    public var wideHint: String?

    public init(width: Int? = nil, isColored: Bool = false, hasFooter: Bool = true, wideHint: String? = nil) {
        self.width = width
        self.isColored = isColored
        self.hasFooter = hasFooter
        self.wideHint = wideHint
    }
}

/// The widths of a table's columns, so that it fits a terminal.
///
/// 1. What fits is left as it is.
/// 2. The widest columns are shrunk first, all to the same width: texts to 8, numbers not at all, only their headings.
/// 3. Then every column, down to 6.
/// 4. Columns from the right are left out.
struct ColumnWidths {
    /// What a column wants.
    struct Wish {
        let heading: Int
        let values: Int
        let isNumeric: Bool
        var natural: Int { max(heading, values, 1) }
    }

    static let gap = 2
    private static let textMin = 8
    private static let columnMin = 6

    /// As many as are shown; at least one.
    static func fit(_ wishes: [Wish], into width: Int?) -> [Int] {
        let natural = wishes.map(\.natural)
        guard let width else { return natural }
        let floors = wishes.map { $0.isNumeric ? max($0.values, columnMin) : textMin }
        if let widths = shrink(natural, floors: floors, width) { return widths }
        // No column is narrower than 1.
        var count = min(wishes.count, (width + gap) / (1 + gap))
        while count > 1 {
            if let widths = shrink(Array(natural[..<count]), floors: Array(repeating: columnMin, count: count), width) {
                return widths
            }
            count -= 1
        }
        return natural.isEmpty ? [] : [min(natural[0], max(1, width))]
    }

    /// The natural widths cut at the highest level at which they fit; what is left over goes to the first ones cut.
    private static func shrink(_ natural: [Int], floors: [Int], _ width: Int) -> [Int]? {
        let available = width - gap * (natural.count - 1)
        func widths(_ level: Int) -> [Int] { zip(natural, floors).map { min($0, max($1, level)) } }
        var (low, high) = (0, max(natural.max() ?? 0, 1))
        guard widths(low).reduce(0, +) <= available else { return nil }
        // The highest level that fits lies in low...high.
        while low < high {
            let middle = (low + high + 1) / 2
            if widths(middle).reduce(0, +) <= available { low = middle } else { high = middle - 1 }
        }
        var result = widths(low)
        var left = available - result.reduce(0, +)
        for index in result.indices where left > 0 && result[index] < natural[index] {
            result[index] += 1
            left -= 1
        }
        return result
    }
}
