import ArgumentParser
import Base
import Columnar
import Parquet

struct Filter: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the rows that pass a condition, or what was read to find them.",
        discussion: "For example: parquet-tool filter in.parquet --where 'id = 17' --account")
    @Argument(help: "The file to read.") var input: String
    @Option(name: .customLong("where"), help: "COLUMN OP VALUE with =, !=, <, <=, > or >=; or COLUMN is [not] null.")
    var condition: String
    @Option(help: "Print this column alone; may be repeated.") var column: [String] = []
    @Flag(help: "Print what was read instead of the rows.") var account = false

    func run() throws {
        let meter = FileAccess.Meter()
        let reader = try FileAccess.open(input, meter: meter)
        let schema = try reader.fileSchema()
        let filter = try Condition(condition, schema).expression
        let fields = try column.isEmpty ? schema.fields : column.map { try WriteSettings.field($0, in: schema) }
        meter.ranges = []
        var rows = 0
        for group in 0..<reader.rowGroupCount {
            let batch = try reader.readRowGroup(group, projection: Schema(fields: fields), filter: filter)
            rows += batch.rowCount
            if !account { Terminal.out(batch) }
        }
        if account { Terminal.out(try self.account(rows, reader, filter, meter)) }
    }

    /// Row groups that statistics and Bloom filters left, and data pages that were fetched, of those there are.
    private func account(
        _ rows: Int, _ reader: ParquetFileReader, _ filter: Expression, _ meter: FileAccess.Meter
    ) throws -> [JSONValue.Member] {
        let (ranges, bytes) = (meter.ranges, meter.bytes)
        var groups = 0
        var (pages, fetched) = (0, 0)
        for group in 0..<reader.rowGroupCount {
            if try reader.mayMatch(rowGroup: group, filter: filter) { groups += 1 }
            for column in reader.footer.rowGroups[group].columns.indices {
                for page in try reader.pages(rowGroup: group, column: column) where page.type != .dictionary {
                    pages += 1
                    let end = page.offset + page.headerBytes + page.compressedBytes
                    if ranges.contains(where: { $0.lowerBound <= page.offset && $0.upperBound >= end }) { fetched += 1 }
                }
            }
        }
        return [
            .init("rows", .integer(Int64(rows))), .init("row_groups", .integer(Int64(reader.rowGroupCount))),
            .init("row_groups_left", .integer(Int64(groups))), .init("pages", .integer(Int64(pages))),
            .init("pages_fetched", .integer(Int64(fetched))), .init("bytes_fetched", .integer(Int64(bytes))),
            .init("requests", .integer(Int64(ranges.count))),
        ]
    }
}

/// A condition on one column.
struct Condition {
    let expression: Expression

    private static let comparisons: [(String, Expression.Comparison)] = [
        ("!=", .notEqual), ("<=", .lessOrEqual), (">=", .greaterOrEqual), ("=", .equal), ("<", .less), (">", .greater),
    ]

    /// Throws `.invalidInput` for text that is no condition on a column of the schema.
    init(_ text: String, _ schema: Schema) throws(FirnError) {
        let words = text.split(separator: " ", maxSplits: 2)
        guard words.count == 3 else { throw Self.malformed(text) }
        let field = try WriteSettings.field(String(words[0]), in: schema)
        switch (words[1].lowercased(), words[2].lowercased()) {
        case ("is", "null"): expression = .isNull(fieldId: field.id)
        case ("is", "not null"): expression = .notNull(fieldId: field.id)
        default:
            guard let comparison = Self.comparisons.first(where: { $0.0 == words[1] })?.1 else {
                throw Self.malformed(text)
            }
            expression = .compare(
                fieldId: field.id, comparison, try Value(parsing: String(words[2]), as: field.type))
        }
    }

    private static func malformed(_ text: String) -> FirnError {
        WriteSettings.invalid("\"\(text)\" is not of the form COLUMN OP VALUE, such as \"id = 17\"")
    }
}
