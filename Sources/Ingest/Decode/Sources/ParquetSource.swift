import Base
import Columnar
import Parquet

/// A Parquet file as a source of records, row group by row group.
struct ParquetSource: RecordSource {
    let schema: Schema
    let nullFieldIds: Set<Int>
    private let reader: ParquetFileReader
    private var rowGroup = 0
    private var rows: ParquetRowReader?

    /// Rows decoded at once: what dictionaries unfold to is only known afterwards.
    private static let rowsMax = 1 << 14

    init(_ body: [UInt8]) throws(FirnError) {
        (reader, schema) = try readingBody(.parquet) {
            let reader = try ParquetFileReader(fileBytes: body.count, source: "body") { Array(body[$0]) }
            return (reader, try reader.fileSchema())
        }
        nullFieldIds = Self.nulls(reader.footer.schema, schema)
    }

    /// Top-level columns without any type, as a writer makes them of values that are all null.
    private static func nulls(_ elements: [ParquetFooter.SchemaElement], _ schema: Schema) -> Set<Int> {
        var ids: Set<Int> = []
        var place = 1
        for field in schema.fields {
            if elements[place].logicalType == .null { ids.insert(field.id) }
            // Behind the field and all within it.
            var left = 1
            while left > 0, place < elements.count - 1 {
                left += (elements[place].childCount ?? 0) - 1
                place += 1
            }
        }
        return ids
    }

    mutating func next(_ wanted: [Int]) throws(FirnError) -> RecordBatch? {
        let fields = wanted.map { schema.fields[$0] }
        while true {
            if let rows, let batch = try readingBody(.parquet, { try rows.next(rowsMax: Self.rowsMax) }) {
                return batch
            }
            guard rowGroup < reader.rowGroupCount else { return nil }
            let (reader, number) = (reader, rowGroup)
            rows = try readingBody(.parquet) { try reader.rows(number, projection: Schema(fields: fields)) }
            rowGroup += 1
        }
    }
}
