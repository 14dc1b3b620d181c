import ArgumentParser
import Base
import Catalog
import Columnar
import Parquet
import Query

enum QueryEngineName: String, ExpressibleByArgument, CaseIterable {
    case firn, duckdb
}

/// The choice of the engine, and the way of a query through DuckDB.
///
/// DuckDB writes the result as a Parquet file, of which Firn makes the form that was asked for: so every engine's rows
/// look alike.
struct DuckDBOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Who runs the statement: firn, or the duckdb of the PATH over the same snapshots and deletes, in its own SQL.
            """))
    var engine: QueryEngineName = .firn

    var isChosen: Bool { engine == .duckdb }

    func run(
        _ sql: String, _ warehouse: Warehouse, _ output: ResultDestination, timeoutSeconds: Int?, stats: Bool
    ) throws {
        let format = try output.format
        let clock = Environment.live.clock
        let deadline = timeoutSeconds.map { clock.monotonicNanos() + Int64($0) * 1_000_000_000 }
        let statement = try ForeignStatement(sql)
        func makeFolder() throws -> (DuckDBFolder, cleanUp: @Sendable () -> Void) {
            let folder = try DuckDBFolder()
            return (folder, { folder.remove() })
        }
        try Interruption.guarding(makeFolder) { folder in
            defer { folder.remove() }
            var relations = DuckDBRelations(warehouse, statement, folder)
            let setUp = Self.settings(folder) + (try relations.script())
            let process = DuckDBProcess(folder: folder, deadlineNanos: deadline)
            let result = try DuckDBResult.make(statement, setUp, process)
            try output.receive { take in
                try result.write(format, style: output.to == nil ? .console() : TableStyle(), take)
            }
            guard stats else { return }
            Console.error(
                "files \(relations.filesTotal), skipped \(relations.filesSkipped), written anew for DuckDB "
                    + "\(relations.filesRewritten)")
        }
    }

    /// Times without a zone mean UTC, as everywhere in Firn; what does not fit memory goes into our folder.
    private static func settings(_ folder: DuckDBFolder) -> String {
        "SET TimeZone = 'UTC';\nSET temp_directory = \(DuckDBRelations.literal(folder.file("spill")));\n"
    }
}

/// What DuckDB has answered.
struct DuckDBResult {
    private struct Column {
        let name: String
        let type: String
        /// What it is cast to.
        var stored: String { DuckDBTypes.stored(type) }
        /// A whole number of more than 64 bits in DuckDB.
        var isWhole: Bool { type.hasSuffix("HUGEINT") || type == "UBIGINT" }
        var isJSON: Bool { type == "JSON" || type == "VARIANT" }
    }

    private let columns: [Column]
    private let path: String

    /// Asks for the types of the result, and then for the result.
    static func make(
        _ statement: ForeignStatement, _ setUp: String, _ process: DuckDBProcess
    ) throws -> DuckDBResult {
        let described = try JSONValue(
            parsing: try process.run("\(setUp)DESCRIBE (\n\(statement.sql)\n);\n"), source: "DuckDB's answer")
        let columns = (described.arrayValue ?? []).map {
            Column(
                name: $0["column_name"]?.stringValue ?? "", type: $0["column_type"]?.stringValue ?? "")
        }
        let path = process.folder.file("result.parquet")
        let casts = columns.enumerated().map { index, column in
            column.stored == column.type ? "c\(index)" : "CAST(c\(index) AS \(column.stored)) AS c\(index)"
        }
        let names = columns.indices.map { "c\($0)" }.joined(separator: ", ")
        _ = try process.run(
            """
            \(setUp)COPY (SELECT \(casts.joined(separator: ", ")) FROM (
            \(statement.sql)
            ) AS firn_result(\(names))) TO \(DuckDBRelations.literal(path)) (FORMAT parquet);

            """)
        return DuckDBResult(columns: columns, path: path)
    }

    private init(columns: [Column], path: String) {
        self.columns = columns
        self.path = path
    }

    func write(_ format: ResultFormat, style: TableStyle, _ take: ([UInt8]) throws -> Void) throws {
        let file = try Environment.live.files.open(path, .read)
        defer { file.close() }
        let reader = try ParquetFileReader(fileBytes: try file.size(), source: path) { range in
            try file.read(at: range.lowerBound, count: range.count)
        }
        var schema = try reader.fileSchema()
        for index in schema.fields.indices { schema.fields[index].name = columns[index].name }
        try withoutActuallyEscaping(take) { take in
            guard case .text(let form) = format else {
                return try writeColumns(format, reader, schema, take)
            }
            var formatter = RowFormatter(
                columns: zip(columns, schema.fields).map { OutputColumn(name: $0.name, typeName: $1.type.description) },
                format: form, style: style, sink: take)
            try forEachBatch(reader, schema) { batch in
                for row in 0..<batch.rowCount {
                    try formatter.append(zip(batch.columns, columns).map { Self.cell($0, row, $1) })
                }
            }
            try formatter.finish()
        }
    }

    private func writeColumns(
        _ format: ResultFormat, _ reader: ParquetFileReader, _ schema: Schema,
        _ take: @escaping ([UInt8]) throws -> Void
    ) throws {
        try ResultBatches.checkNames(schema.fields.map(\.name))
        let encoder = try ResultEncoder(schema: schema, format: format, sink: take)
        try forEachBatch(reader, schema) { try encoder.write($0) }
        try encoder.finish()
    }

    private func forEachBatch(
        _ reader: ParquetFileReader, _ schema: Schema, _ body: (RecordBatch) throws -> Void
    ) throws {
        for group in 0..<reader.rowGroupCount {
            let rows = try reader.rows(group, projection: schema)
            while let batch = try rows.next(rowsMax: 1 << 13) { try body(batch) }
        }
    }

    private static func cell(_ values: Columnar.Column, _ row: Int, _ column: Column) -> Cell {
        let value = values.value(at: row)
        switch value {
        case .null: return .null
        case .boolean(let value): return .boolean(value)
        case .int(let value): return .integer(Int64(value))
        case .long(let value): return .integer(value)
        case .float(let value): return .real(Double(value))
        case .double(let value): return .real(value)
        case .decimal(let unscaled, let scale):
            if column.isWhole, let whole = Int64(exactly: unscaled) { return .integer(whole) }
            return .text(DecimalText.format(unscaled, scale: scale))
        case .string(let text): return column.isJSON ? .json(text) : .text(text)
        case .binary(let bytes): return .text(Hex.encode(bytes))
        case .structure, .list, .map:
            var json: [UInt8] = []
            values.appendJSON(row: row, into: &json)
            return .json(String(decoding: json, as: UTF8.self))
        case .date, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs, .uuid:
            return .text(value.text(as: values.type))
        }
    }
}
