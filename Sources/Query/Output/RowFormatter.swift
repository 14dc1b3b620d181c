import Base

/// How rows leave Firn, on a terminal and over HTTP.
public enum OutputFormat: String, Sendable, CaseIterable {
    case table, json, ndjson, csv

    public var contentType: String {
        switch self {
        case .table: "text/plain; charset=utf-8"
        case .json: "application/json"
        case .ndjson: "application/x-ndjson"
        case .csv: "text/csv; charset=utf-8"
        }
    }
}

/// One value of a row on its way out.
public enum Cell: Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case boolean(Bool)
    case text(String)
    /// Already JSON: nested values.
    case json(String)

    public var isNumber: Bool {
        switch self {
        case .integer, .real: true
        default: false
        }
    }

    /// For tables and CSV.
    public var plain: String {
        switch self {
        case .null: ""
        case .integer(let value): String(value)
        case .real(let value): "\(value)"
        case .boolean(let value): value ? "true" : "false"
        case .text(let value), .json(let value): value
        }
    }

    public func appendJSON(into out: inout [UInt8]) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .integer(let value): out.append(contentsOf: String(value).utf8)
        case .real(let value):
            if value.isFinite {
                out.append(contentsOf: "\(value)".utf8)
            } else {
                JSONText.appendQuoted("\(value)", into: &out)
            }
        case .boolean(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .text(let value): JSONText.appendQuoted(value, into: &out)
        case .json(let value): out.append(contentsOf: value.utf8)
        }
    }
}

/// Formats rows and hands the bytes over in pieces. Streams in every format; an aligned table takes its column widths
/// from the first `sampleRows` rows.
public struct RowFormatter {
    public static let sampleRows = 1000

    private let columns: [String]
    private let format: OutputFormat
    private var buffer: [UInt8] = []
    private var held: [[Cell]] = []
    private var widths: [Int] = []
    private var rightAligned: [Bool] = []
    public private(set) var rowCount = 0
    private let cellWidthMax: Int
    private let sink: ([UInt8]) throws -> Void

    /// `terminalWidth` bounds the columns of a table; nil leaves them as wide as their values.
    public init(
        columns: [String], format: OutputFormat, terminalWidth: Int? = nil, sink: @escaping ([UInt8]) throws -> Void
    ) {
        self.columns = columns
        self.format = format
        self.sink = sink
        cellWidthMax = terminalWidth.map { max(12, $0 / max(1, min(columns.count, 4))) } ?? .max
        if format == .csv { buffer += Self.csvLine(columns) }
        if format == .json { buffer.append(UInt8(ascii: "[")) }
    }

    public mutating func append(_ row: [Cell]) throws {
        switch format {
        case .table:
            if widths.isEmpty {
                held.append(row)
                if held.count == Self.sampleRows { startTable() }
            } else {
                appendTableRow(row)
            }
        case .csv: buffer += Self.csvLine(row.map(\.plain))
        case .ndjson:
            appendObject(row)
            buffer.append(UInt8(ascii: "\n"))
        case .json:
            buffer += (rowCount > 0 ? ",\n " : "\n ").utf8
            appendObject(row)
        }
        rowCount += 1
        if buffer.count > 1 << 16 { try drain() }
    }

    public mutating func finish() throws {
        if format == .table {
            if widths.isEmpty { startTable() }
            buffer += "(\(rowCount) row\(rowCount == 1 ? "" : "s"))\n".utf8
        }
        if format == .json { buffer += (rowCount > 0 ? "\n]\n" : "]\n").utf8 }
        try drain()
    }

    private mutating func drain() throws {
        try sink(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    private mutating func appendObject(_ row: [Cell]) {
        buffer.append(UInt8(ascii: "{"))
        for (index, cell) in row.enumerated() {
            if index > 0 { buffer.append(UInt8(ascii: ",")) }
            JSONText.appendQuoted(columns[index], into: &buffer)
            buffer.append(UInt8(ascii: ":"))
            cell.appendJSON(into: &buffer)
        }
        buffer.append(UInt8(ascii: "}"))
    }

    // MARK: Aligned table

    private mutating func startTable() {
        widths = columns.indices.map { column in
            let longest = held.map { Self.display($0[column]).count }.max() ?? 0
            return min(max(columns[column].count, longest, 1), cellWidthMax)
        }
        rightAligned = columns.indices.map { column in
            held.contains { $0[column].isNumber } && held.allSatisfy { $0[column].isNumber || $0[column].isNull }
        }
        appendLine(columns.indices.map { pad(columns[$0], $0) })
        buffer += (widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ") + "\n").utf8
        for row in held { appendTableRow(row) }
        held = []
    }

    private mutating func appendTableRow(_ row: [Cell]) {
        appendLine(row.indices.map { pad(Self.display(row[$0]), $0) })
    }

    private mutating func appendLine(_ cells: [String]) {
        var line = cells.joined(separator: "  ")
        while line.last == " " { line.removeLast() }
        buffer += (line + "\n").utf8
    }

    private static func display(_ cell: Cell) -> String {
        if case .null = cell { return "NULL" }
        return String(cell.plain.map { $0.isNewline || $0 == "\t" ? " " : $0 })
    }

    private func pad(_ text: String, _ column: Int) -> String {
        let width = widths[column]
        if text.count > width { return text.prefix(width - 1) + "…" }
        let space = String(repeating: " ", count: width - text.count)
        return rightAligned[column] ? space + text : text + space
    }

    // MARK: CSV (RFC 4180)

    private static func csvLine(_ fields: [String]) -> [UInt8] {
        Array((fields.map(csvField).joined(separator: ",") + "\r\n").utf8)
    }

    private static func csvField(_ text: String) -> String {
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}

extension Cell {
    public var isNull: Bool { if case .null = self { true } else { false } }

    /// Cells of a JSON object in the order of `columns`.
    public static func row(_ json: JSONValue, _ columns: [String]) -> [Cell] { columns.map { Cell(json[$0] ?? .null) } }

    public init(_ json: JSONValue) {
        switch json {
        case .null: self = .null
        case .bool(let value): self = .boolean(value)
        case .integer(let value): self = .integer(value)
        case .double(let value): self = .real(value)
        case .string(let value): self = .text(value)
        case .array, .object: self = .json(json.text)
        }
    }
}
