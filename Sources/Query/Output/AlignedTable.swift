/// An aligned table, a row at a time. The first rows are held until they have told the widths of the columns; later
/// values that are wider are cut when the table is for a terminal, else they break the alignment but not the data.
struct AlignedTable {
    /// Rows, and bytes of their values, that are held at most.
    static let sampleRows = 1000
    static let sampleBytes = 4 << 20

    private let columns: [OutputColumn]
    private let style: TableStyle
    private var held: [[Cell]] = []
    private var heldBytes = 0
    /// Of the columns that are shown; nil while rows are held.
    private var widths: [Int]?
    private var isRight: [Bool] = []

    init(columns: [OutputColumn], style: TableStyle) {
        self.columns = columns
        self.style = style
    }

    mutating func append(_ row: [Cell], into out: inout [UInt8]) {
        guard widths == nil else { return appendRow(row, into: &out) }
        held.append(row)
        heldBytes += row.reduce(0) { $0 + $1.bytesHeld }
        if held.count == Self.sampleRows || heldBytes > Self.sampleBytes { start(into: &out) }
    }

    mutating func finish(rowCount: Int, into out: inout [UInt8]) {
        if widths == nil { start(into: &out) }
        var notes: [String] = []
        if style.hasFooter { notes.append("\(rowCount) row\(rowCount == 1 ? "" : "s")") }
        if let shown = widths?.count, shown < columns.count {
            let hint = style.wideHint.map { "; \($0) shows all" } ?? ""
            notes.append("\(shown) of \(columns.count) columns\(hint)")
        }
        if !notes.isEmpty { out += "(\(notes.joined(separator: ", ")))\n".utf8 }
    }

    // MARK: Layout

    private mutating func start(into out: inout [UInt8]) {
        isRight = columns.indices.map { column in
            columns[column].isNumeric
                ?? (held.contains { $0[column].isNumber }
                    && held.allSatisfy { $0[column].isNumber || $0[column].isNull })
        }
        let headings = columns.map { Piece(DisplayWidth.visible($0.name)) }
        let wishes = columns.indices.map { column in
            ColumnWidths.Wish(
                heading: headings[column].width, values: held.reduce(0) { max($0, piece($1[column]).width) },
                isNumeric: isRight[column])
        }
        let widths = ColumnWidths.fit(wishes, into: style.width)
        self.widths = widths
        appendLine(headings, into: &out)
        out += (widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ") + "\n").utf8
        for row in held { appendRow(row, into: &out) }
        held = []
    }

    private func appendRow(_ row: [Cell], into out: inout [UInt8]) {
        appendLine(row.prefix(widths!.count).map(piece), into: &out)
    }

    /// What a cell shows, and its width.
    private struct Piece {
        var text: String
        var width: Int
        var isDimmed = false

        init(_ text: String) {
            self.text = text
            width = DisplayWidth.of(text)
        }
    }

    private func piece(_ cell: Cell) -> Piece {
        if cell.isNull {
            var piece = Piece("NULL")
            piece.isDimmed = style.isColored
            return piece
        }
        let text = cell.plain
        guard let limit = style.width else { return Piece(DisplayWidth.visible(text)) }
        // A character that takes no room does not stand alone, so one more than fits is as good as all.
        let beginning = text.prefix(limit + 1)
        return Piece(DisplayWidth.visible(String(beginning)) + (beginning.endIndex < text.endIndex ? "…" : ""))
    }

    private func appendLine(_ pieces: [Piece], into out: inout [UInt8]) {
        // Spaces are written only once something follows them, so that no line ends with any.
        var spaces = 0
        for (column, width) in widths!.enumerated() {
            let piece = fitted(pieces[column], width)
            let padding = max(0, width - piece.width)
            if isRight[column] { spaces += padding }
            if piece.width > 0 {
                out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: spaces))
                out += (piece.isDimmed ? "\u{1b}[2m\(piece.text)\u{1b}[0m" : piece.text).utf8
                spaces = 0
            }
            spaces += ColumnWidths.gap + (isRight[column] ? 0 : padding)
        }
        out.append(UInt8(ascii: "\n"))
    }

    private func fitted(_ piece: Piece, _ width: Int) -> Piece {
        guard style.width != nil, piece.width > width else { return piece }
        var cut = piece
        let (text, columns) = DisplayWidth.prefix(of: piece.text, columns: width - 1)
        cut.text = text + "…"
        cut.width = columns + 1
        return cut
    }
}

extension Cell {
    /// Roughly what it costs to keep the cell.
    fileprivate var bytesHeld: Int {
        switch self {
        case .text(let text), .json(let text): 32 + text.utf8.count
        default: 32
        }
    }
}
