import Base

/// A result of two columns, a label and a number, as horizontal bars.
///
/// 1. Rows are kept, up to a bound; the rest is left out, and that is said.
/// 2. A third of the width at most is for labels, what the numbers need for numbers, the rest for bars.
/// 3. One scale holds for all bars. Positive ones grow to the right from the zero line by eighths of a character,
///    negative ones to the left by halves, since Unicode has no finer blocks that begin at the right.
public struct BarChart {
    /// Rows that are shown.
    public static let rowsMax = 200

    private struct Bar {
        let label: String
        let value: Double?
        let text: String
    }

    private let columns: [OutputColumn]
    private let width: Int
    private var bars: [Bar] = []
    /// True when there were more than `rowsMax` rows.
    private var isCut = false

    /// - Throws: `.invalidInput` (`not_a_chart`) unless there are two columns, and the second may hold numbers.
    public init(columns: [OutputColumn], width: Int) throws(FirnError) {
        guard columns.count == 2 else {
            throw Self.refusal("the query has \(columns.count) column\(columns.count == 1 ? "" : "s")")
        }
        if columns[1].isNumeric == false {
            throw Self.refusal("its second column, \(columns[1].name), is of type \(columns[1].typeName ?? "unknown")")
        }
        self.columns = columns
        self.width = width
    }

    private static func refusal(_ reason: String) -> FirnError {
        FirnError(
            .invalidInput, "not_a_chart",
            "a chart needs two columns, a label or time and a number, but \(reason); "
                + "select these two, or leave the chart out")
    }

    /// Takes a row; false when no more are wanted.
    ///
    /// - Throws: `.invalidInput` (`not_a_chart`) for a value that is no number.
    public mutating func append(_ row: [Cell]) throws(FirnError) -> Bool {
        guard bars.count < Self.rowsMax else {
            isCut = true
            return false
        }
        let value: Double?
        switch row[1] {
        case .null: value = nil
        case .integer(let number): value = Double(number)
        case .real(let number): value = number
        case .text(let text) where columns[1].isNumeric == true && Double(text) != nil: value = Double(text)
        case .boolean, .text, .json:
            throw Self.refusal("its second column, \(columns[1].name), holds the text '\(row[1].plain.prefix(40))'")
        }
        bars.append(
            Bar(
                label: row[0].isNull ? "NULL" : DisplayWidth.visible(String(row[0].plain.prefix(width))), value: value,
                text: row[1].isNull ? "NULL" : DisplayWidth.visible(row[1].plain)))
        return true
    }

    /// The whole chart, once all rows are in; the number of rows below it is a footer, that there are more is not.
    public func bytes(hasFooter: Bool = true) -> [UInt8] {
        let headings = columns.map { DisplayWidth.visible($0.name) }
        let labelWidth = min(
            bars.reduce(DisplayWidth.of(headings[0])) { max($0, DisplayWidth.of($1.label)) }, max(8, width / 3))
        let textWidth = bars.reduce(1) { max($0, DisplayWidth.of($1.text)) }
        let scale = Scale(bars.compactMap(\.value), width: max(8, width - labelWidth - textWidth - 4))
        var out = Self.padded(headings[0], labelWidth) + "  " + headings[1] + "\n"
        for bar in bars {
            let text = String(repeating: " ", count: textWidth - DisplayWidth.of(bar.text)) + bar.text
            var line = Self.padded(bar.label, labelWidth) + "  " + text + "  " + scale.bar(bar.value)
            while line.last == " " { line.removeLast() }
            out += line + "\n"
        }
        if isCut {
            out += "(the first \(Self.rowsMax) rows; there are more: group further, or choose some with LIMIT)\n"
        } else if hasFooter {
            out += "(\(bars.count) row\(bars.count == 1 ? "" : "s"))\n"
        }
        return Array(out.utf8)
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        let full = DisplayWidth.of(text)
        if full <= width { return text + String(repeating: " ", count: width - full) }
        let (cut, columns) = DisplayWidth.prefix(of: text, columns: width - 1)
        return cut + "…" + String(repeating: " ", count: width - 1 - columns)
    }
}

extension BarChart {
    /// What lengths numbers have.
    struct Scale {
        /// Characters left and right of the zero line.
        private let negativeWidth: Int
        private let positiveWidth: Int
        /// Characters for a value of 1.
        private let unit: Double

        private static let eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

        init(_ values: [Double], width: Int) {
            let finite = values.filter(\.isFinite)
            let low = finite.reduce(0, min)
            let high = finite.reduce(0, max)
            guard low < 0 else {
                (negativeWidth, positiveWidth) = (0, width)
                unit = high > 0 ? Double(width) / high : 0
                return
            }
            // The zero line takes a character.
            let room = width - 1
            // Relative to the larger side, because the distance between two doubles may be no double.
            let peak = max(high, -low)
            let share = -low / peak / (high / peak - low / peak)
            negativeWidth = min(max(1, Int((Double(room) * share).rounded())), high > 0 ? room - 1 : room)
            positiveWidth = room - negativeWidth
            let left = Double(negativeWidth) / -low
            unit = high > 0 ? min(left, Double(positiveWidth) / high) : left
        }

        func bar(_ value: Double?) -> String {
            let magnitude = value.map { $0.isNaN ? 0 : abs($0) } ?? 0
            let isNegative = (value ?? 0) < 0
            let room = isNegative ? negativeWidth : positiveWidth
            // Numbers that differ from zero are seen to, and infinity ends where the room does.
            let length = magnitude == 0 ? 0 : min(Double(room), max(magnitude * unit, isNegative ? 0.5 : 0.125))
            let right = isNegative ? "" : Self.growingRight(length)
            guard negativeWidth > 0 else { return right }
            let left = isNegative ? Self.growingLeft(length) : ""
            return String(repeating: " ", count: negativeWidth - left.count) + left + "│" + right
        }

        private static func growingRight(_ length: Double) -> String {
            let count = Int((length * 8).rounded())
            return String(repeating: "█", count: count / 8) + eighths[count % 8]
        }

        private static func growingLeft(_ length: Double) -> String {
            let count = Int((length * 2).rounded())
            return (count % 2 == 1 ? "▐" : "") + String(repeating: "█", count: count / 2)
        }
    }
}
