import Base
import Columnar
import SQLiteKit

/// A query's rows as formatted bytes, a piece at a time.
///
/// Not thread-safe; one caller after the other may use it.
public final class QueryStream: @unchecked Sendable {
    private let result: QueryResult
    private var formatter: RowFormatter?
    private let pending = Pending()
    private static let pieceBytes = 64 << 10

    private final class Pending {
        var bytes: [UInt8] = []
    }

    public init(_ result: QueryResult, format: OutputFormat) {
        self.result = result
        formatter = RowFormatter(columns: columns, format: format) { [pending] in pending.bytes += $0 }
    }

    /// The columns of every row.
    public var columns: [OutputColumn] { result.columns.map { OutputColumn($0) } }

    /// The next piece; nil at the end. Throws what `QueryResult.nextRow` throws.
    public func next() throws -> [UInt8]? {
        while pending.bytes.count < Self.pieceBytes, formatter != nil {
            if let row = try result.nextRow() {
                try formatter!.append(result.cells(row))
            } else {
                try formatter!.finish()
                formatter = nil
            }
        }
        guard !pending.bytes.isEmpty else { return nil }
        defer { pending.bytes = [] }
        return pending.bytes
    }

    public func close() { result.close() }
}

extension QueryResult {
    /// The values of one of its rows, ready for output.
    public func cells(_ row: [SQLValue]) -> [Cell] { zip(row, columns).map { Cell($0, type: $1.type) } }
}

extension Cell {
    /// A value of a query; `type` is the Iceberg type of its column where it has one.
    public init(_ value: SQLValue, type: DataType?) {
        switch value {
        case .null: self = .null
        case .integer(let number): self = type == .boolean ? .boolean(number != 0) : .integer(number)
        case .real(let number): self = .real(number)
        case .text(let text):
            switch type {
            case .structure, .list, .map, .variant: self = .json(text)
            default: self = .text(text)
            }
        case .blob(let bytes): self = .text(Hex.encode(bytes))
        }
    }
}
