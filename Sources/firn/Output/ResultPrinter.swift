import ArgumentParser
import Base
import Query

/// How the result of a statement is shown.
enum ResultForm: Equatable {
    case rows(OutputFormat)
    case chart

    static let names = OutputFormat.allCases.map(\.rawValue) + ["chart"]

    init?(_ name: String) {
        if name == "chart" {
            self = .chart
        } else if let format = OutputFormat(rawValue: name) {
            self = .rows(format)
        } else {
            return nil
        }
    }
}

extension TableStyle {
    /// For standard output; `isWide` cuts nothing.
    static func console(isWide: Bool = false, hasFooter: Bool = true, wideHint: String? = nil) -> TableStyle {
        TableStyle(
            width: Console.outputIsTerminal && !isWide ? Console.width : nil, isColored: Console.outputHasColors,
            hasFooter: hasFooter, wideHint: wideHint)
    }
}

/// Prints the rows of a statement as they arrive.
struct ResultPrinter {
    let form: ResultForm
    let style: TableStyle
    let sink: ([UInt8]) throws -> Void

    private(set) var rowCount = 0
    private var formatter: RowFormatter?
    private var chart: BarChart?

    init(form: ResultForm, style: TableStyle, sink: @escaping ([UInt8]) throws -> Void) {
        self.form = form
        self.style = style
        self.sink = sink
    }

    mutating func begin(_ columns: [OutputColumn]) throws {
        switch form {
        case .rows(let format): formatter = RowFormatter(columns: columns, format: format, style: style, sink: sink)
        case .chart: chart = try BarChart(columns: columns, width: style.width ?? Console.width)
        }
    }

    /// Takes a row; false when no more are wanted.
    mutating func take(_ row: [Cell]) throws -> Bool {
        if chart != nil, try !chart!.append(row) { return false }
        try formatter?.append(row)
        rowCount += 1
        return true
    }

    mutating func finish() throws {
        try formatter?.finish()
        if let chart { try sink(chart.bytes(hasFooter: style.hasFooter)) }
    }
}

extension ResultPrinter {
    /// Prints all rows of a result. Ctrl-C meanwhile ends it with exit code 130.
    mutating func print(_ result: QueryResult) throws {
        try Self.cancellable {
            try Interrupts.during({ result.cancel() }) {
                try begin(result.columns.map { OutputColumn($0) })
                while let row = try result.nextRow(), try take(result.cells(row)) {}
                result.close()
                try finish()
            }
        }
    }

    /// Prints what a server answers to a statement.
    mutating func print(_ sql: String, from server: ServerSession) throws {
        try Self.cancellable {
            // Only a table depends on the terminal, and only a chart on all rows; all else comes ready.
            if case .rows(let format) = form, format != .table { return try server.copy(sql, as: format, to: sink) }
            try server.run(sql, onColumns: { try begin($0) }, onRow: { try take($0) })
            try finish()
        }
    }

    private static func cancellable(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as FirnError where error.code == Interrupts.cancelled.code {
            Console.error(Interrupts.message)
            throw ExitCode(Interrupts.exitCode)
        }
    }
}
