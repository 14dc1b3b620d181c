import Base

/// How rows leave Firn, on a terminal and over HTTP.
public enum OutputFormat: String, Sendable, CaseIterable {
    case table, json, ndjson, csv, markdown

    public var contentType: String {
        switch self {
        case .table: "text/plain; charset=utf-8"
        case .json: "application/json"
        case .ndjson: "application/x-ndjson"
        case .csv: "text/csv; charset=utf-8"
        case .markdown: "text/markdown; charset=utf-8"
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

/// Formats rows and hands the bytes over in pieces. Streams in every format; a table takes its column widths from the
/// first rows.
public struct RowFormatter {
    private let columns: [OutputColumn]
    private let format: OutputFormat
    private var table: AlignedTable
    private var buffer: [UInt8] = []
    /// Rows taken so far.
    public private(set) var rowCount = 0
    private let sink: ([UInt8]) throws -> Void

    /// - Parameter style: of a table; no other format looks at it.
    public init(
        columns: [OutputColumn], format: OutputFormat, style: TableStyle = TableStyle(),
        sink: @escaping ([UInt8]) throws -> Void
    ) {
        self.columns = columns
        self.format = format
        self.sink = sink
        table = AlignedTable(columns: columns, style: style)
        if format == .csv { buffer += Self.csvLine(columns.map(\.name)) }
        if format == .json { buffer.append(UInt8(ascii: "[")) }
    }

    public mutating func append(_ row: [Cell]) throws {
        switch format {
        case .table: table.append(row, into: &buffer)
        case .csv: buffer += Self.csvLine(row.map(\.plain))
        case .ndjson:
            appendObject(row)
            buffer.append(UInt8(ascii: "\n"))
        case .json:
            buffer += (rowCount > 0 ? ",\n " : "\n ").utf8
            appendObject(row)
        case .markdown:
            if rowCount == 0 { buffer += MarkdownTable.head(columns, firstRow: row) }
            buffer += MarkdownTable.line(row)
        }
        rowCount += 1
        if buffer.count > 1 << 16 { try drain() }
    }

    public mutating func finish() throws {
        switch format {
        case .table: table.finish(rowCount: rowCount, into: &buffer)
        case .json: buffer += (rowCount > 0 ? "\n]\n" : "]\n").utf8
        case .markdown: if rowCount == 0 { buffer += MarkdownTable.head(columns, firstRow: nil) }
        case .csv, .ndjson: break
        }
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
            JSONText.appendQuoted(columns[index].name, into: &buffer)
            buffer.append(UInt8(ascii: ":"))
            cell.appendJSON(into: &buffer)
        }
        buffer.append(UInt8(ascii: "}"))
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
