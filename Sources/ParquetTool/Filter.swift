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
    @Flag(help: "Print rows and bytes read instead of the rows.") var account = false

    func run() throws {
        let meter = FileAccess.Meter()
        let reader = try FileAccess.open(input, meter: meter)
        let schema = try reader.fileSchema()
        _ = try Condition(condition, schema).expression
        let opening = meter.bytes
        for group in 0..<reader.rowGroupCount {
            Terminal.out(try reader.readRowGroup(group, projection: schema))
        }
        if account { Terminal.out([.init("bytes_read", .integer(Int64(meter.bytes - opening)))]) }
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
