import Base
import Columnar
import Parquet

/// A Parquet file as a source of records, row group by row group.
struct ParquetSource: RecordSource {
    let schema: Schema
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
