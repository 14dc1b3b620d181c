import ArgumentParser
import Query

extension OutputFormat: ExpressibleByArgument {
    /// A table for people on a terminal, NDJSON for programs.
    static var automatic: OutputFormat { Console.outputIsTerminal ? .table : .ndjson }
}

/// Rows to standard output.
struct RowPrinter {
    private var formatter: RowFormatter

    init(columns: [String], format: OutputFormat) {
        formatter = RowFormatter(
            columns: columns.map { OutputColumn(name: $0) }, format: format, style: .console()
        ) { Console.out($0) }
    }

    mutating func print(_ row: [Cell]) throws { try formatter.append(row) }
    mutating func finish() throws { try formatter.finish() }
}
