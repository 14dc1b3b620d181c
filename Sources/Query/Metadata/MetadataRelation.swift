import Base
import Columnar

/// One column of a metadata table, and where its values come from.
struct MetadataColumn<Row> {
    let name: String
    let type: DataType
    let value: (Row) throws -> Value

    init(_ name: String, _ type: DataType, _ value: @escaping (Row) throws -> Value) {
        self.name = name
        self.type = type
        self.value = value
    }
}

/// A table made from metadata: rows come in chunks, and only the columns that a statement uses are worked out.
final class MetadataRelation<Row>: Relation {
    typealias Chunks = () throws -> [Row]?

    let schema: Schema
    let estimatedRows: Int
    private let columns: [MetadataColumn<Row>]
    private let open: (_ columns: Set<String>) throws -> Chunks

    /// - Parameter open: starts a pass over the rows for a statement that uses the named columns.
    init(
        _ columns: [MetadataColumn<Row>], estimatedRows: Int,
        open: @escaping (_ columns: Set<String>) throws -> Chunks
    ) {
        self.columns = columns
        self.estimatedRows = estimatedRows
        self.open = open
        schema = Schema(
            fields: columns.enumerated().map {
                Field(id: $0.offset + 1, name: $0.element.name, required: false, type: $0.element.type)
            })
    }

    /// Of rows at hand.
    convenience init(_ columns: [MetadataColumn<Row>], rows: [Row]) {
        self.init(columns, estimatedRows: rows.count) { _ in
            var rest: [Row]? = rows
            return {
                defer { rest = nil }
                return rest
            }
        }
    }

    func scan(projection: Schema, filter: Expression) throws -> any RowScan {
        Scan(
            projection: projection, columns: projection.fields.map { columns[$0.id - 1] },
            chunks: try open(Set(projection.fields.map(\.name))))
    }

    private final class Scan: RowScan {
        let projection: Schema
        let columns: [MetadataColumn<Row>]
        let chunks: Chunks
        private var firstRow: Int64 = 0

        init(projection: Schema, columns: [MetadataColumn<Row>], chunks: @escaping Chunks) {
            self.projection = projection
            self.columns = columns
            self.chunks = chunks
        }

        func next() throws -> NumberedBatch? {
            guard let rows = try chunks() else { return nil }
            let builders = columns.map { ColumnBuilder($0.type, rowCapacity: rows.count) }
            for row in rows {
                for (column, builder) in zip(columns, builders) { builder.append(try column.value(row)) }
            }
            defer { firstRow += Int64(rows.count) }
            return NumberedBatch(
                RecordBatch(schema: projection, columns: builders.map { $0.finish() }, rowCount: rows.count),
                firstRow: firstRow)
        }
    }
}

/// Shapes of metadata columns. The ids of nested fields are only there because every field has one.
enum MetadataType {
    /// A JSON object in SQL.
    static func map(to value: DataType) -> DataType {
        .map(MapType(keyId: 1001, key: .string, valueId: 1002, value: value, valueRequired: false))
    }

    static func list(of element: DataType) -> DataType {
        .list(ListType(elementId: 1003, element: element, elementRequired: true))
    }
}

extension Value {
    static func optional(_ value: Int64?) -> Value { value.map(Value.long) ?? .null }
    static func optional(_ value: Int?) -> Value { value.map { .long(Int64($0)) } ?? .null }
    static func optional(_ value: String?) -> Value { value.map(Value.string) ?? .null }
    static func instant(ms: Int64) -> Value {
        let (micros, overflow) = ms.multipliedReportingOverflow(by: 1000)
        return overflow ? .null : .timestamptz(micros)
    }

    /// Sorted by key.
    static func object(_ members: [String: Value]) -> Value {
        .map(members.sorted { $0.key < $1.key }.map { MapEntry(key: .string($0.key), value: $0.value) })
    }

    /// The value as people read it, without quotes.
    func text(as type: DataType) -> String {
        let builder = ColumnBuilder(type, rowCapacity: 1)
        builder.append(self)
        if case .string(let text) = self { return text }
        var json: [UInt8] = []
        builder.finish().appendJSON(row: 0, into: &json)
        let isQuoted = json.count >= 2 && json.first == UInt8(ascii: "\"")
        return String(decoding: isQuoted ? json[1..<json.count - 1] : json[...], as: UTF8.self)
    }
}
