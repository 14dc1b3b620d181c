import Base
import Query

/// What `firn inspect` found: named facts and tables, printed as text, as one JSON document, or the main table as
/// CSV or Markdown.
struct InspectReport {
    struct Table {
        let title: String
        let columns: [String]
        var rows: [[Cell]] = []

        /// The title as a member of a JSON object.
        var key: String { String(title.map { $0 == " " ? "-" : $0 }) }
    }

    var facts: [(name: String, value: Cell)] = []
    var tables: [Table] = []
    /// The title of the table that CSV and Markdown show; the last one when nil.
    var main: String?

    mutating func add(_ name: String, _ value: Cell) { facts.append((name, value)) }

    func print(_ format: OutputFormat) throws {
        if format == .csv || format == .markdown {
            guard let table = tables.last(where: { $0.title == main }) ?? tables.last else { return }
            return try Self.print(table, format)
        }
        guard format == .table else {
            return Console.out(json.serialize(pretty: format == .json) + [UInt8(ascii: "\n")])
        }
        let width = facts.map(\.name.count).max() ?? 0
        for fact in facts {
            Console.out(
                fact.name + String(repeating: " ", count: width - fact.name.count + 2) + fact.value.plain + "\n")
        }
        for table in tables {
            Console.out("\n\(table.title)\n")
            try Self.print(table, .table)
        }
    }

    private static func print(_ table: Table, _ format: OutputFormat) throws {
        var printer = RowPrinter(columns: table.columns, format: format)
        for row in table.rows { try printer.print(row) }
        try printer.finish()
    }

    private var json: JSONValue {
        var members = facts.map { JSONValue.Member($0.name, Self.json($0.value)) }
        for table in tables {
            let rows = table.rows.map { row in
                JSONValue.object(zip(table.columns, row).map { JSONValue.Member($0, Self.json($1)) })
            }
            members.append(.init(table.key, .array(rows)))
        }
        return .object(members)
    }

    private static func json(_ cell: Cell) -> JSONValue {
        switch cell {
        case .null: .null
        case .integer(let value): .integer(value)
        case .real(let value): .double(value)
        case .boolean(let value): .bool(value)
        case .text(let value): .string(value)
        case .json(let text): (try? JSONValue(parsing: text, source: "cell")) ?? .string(text)
        }
    }
}
