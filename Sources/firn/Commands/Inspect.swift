import ArgumentParser
import Avro
import Base
import Iceberg
import Ingest
import Query

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the inside of any file of a warehouse.",
        discussion: """
            Understands Parquet data files, Avro manifests and manifest lists, Puffin files, table metadata and \
            segments of the log, also when other engines wrote them. --rows prints the rows, of a Puffin file those \
            that its deletion vectors delete.

            Of a Parquet file it shows the schema, row groups, column chunks with their encodings and sizes, statistics, \
            indexes and Bloom filters; narrowed to some columns, down to single pages, or asked whether a value may be \
            in it:

              firn inspect data.parquet --column device.os --pages
              firn inspect data.parquet --bloom user_id=4711
              firn inspect data.parquet --rows --output csv
            """)
    @Argument(help: "A file's path, or its file:// location.") var file: String
    @Flag(help: "Print the rows of the file: NDJSON, or what --output asks for.") var rows = false
    @OptionGroup(title: "Parquet files") var parquet: ParquetInspectOptions
    @OptionGroup var output: OutputOptions

    private var path: String {
        AbsolutePath.make(file.hasPrefix("file://") ? String(file.dropFirst(7)) : file)
    }

    func run() throws {
        let files = Environment.live.files
        let handle = try files.open(path, .read)
        defer { handle.close() }
        let head = try handle.read(at: 0, count: 16)
        if head.starts(with: "PAR1".utf8) || head.starts(with: "PARE".utf8) {
            let inspection = try ParquetInspection(handle, path: path, options: parquet)
            if rows { return try inspection.printRows(output.output ?? .ndjson) }
            return try inspection.report().print(output.format)
        }
        guard parquet.isEmpty else {
            throw FirnError(
                .invalidInput, "not_parquet", "--pages, --metadata, --column and --bloom are for Parquet files",
                context: ["file": path])
        }
        if head.starts(with: [0x4f, 0x62, 0x6a, 0x01]) { return try avro(files.readAll(path)) }
        if head.starts(with: "PFA1".utf8) {
            let inspection = try PuffinInspection(path: path)
            if rows { return try inspection.printRows(output.output ?? .ndjson) }
            return try inspection.report().print(output.format)
        }
        if LogInspector.recognises(head) { return try log() }
        let isCompressed = head.starts(with: [0x1f, 0x8b]) || head.starts(with: [0x28, 0xb5, 0x2f, 0xfd])
        if isCompressed || head.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") {
            return try metadata(files.readAll(path))
        }
        throw FirnError(
            .unsupported, "unknown_file",
            "the file is neither Parquet, Avro, Puffin, table metadata nor a log segment", context: ["file": path])
    }

    // MARK: Avro

    private func avro(_ bytes: [UInt8]) throws {
        var reader = try AvroFileReader(bytes, source: path)
        if rows || output.format != .table {
            try reader.forEachValue { value in
                Console.out(value.json.serialize() + [UInt8(ascii: "\n")])
                return true
            }
            return
        }
        var report = InspectReport()
        report.add("format", .text("Avro"))
        report.add("codec", .text(reader.codec.rawValue))
        for (key, value) in reader.metadata.sorted(by: { $0.key < $1.key }) where !key.hasPrefix("avro.") {
            report.add(key, .text(String(decoding: value.prefix(200), as: UTF8.self)))
        }
        var table: InspectReport.Table?
        try reader.forEachValue { value in
            let flat = Self.flatten(value.json)
            if table == nil { table = InspectReport.Table(title: "records", columns: flat.map(\.key)) }
            table!.rows.append(Cell.row(.object(flat), table!.columns))
            return true
        }
        if let table { report.tables.append(table) }
        try report.print(output.format)
    }

    /// Members of nested records one level up, so that a manifest's entries read as a table.
    private static func flatten(_ json: JSONValue) -> [JSONValue.Member] {
        (json.objectValue ?? []).flatMap { member in
            if case .object(let inner) = member.value, member.key == "data_file" { return inner }
            return [member]
        }
    }

    // MARK: Metadata and log

    private func metadata(_ bytes: [UInt8]) throws {
        let json = try JSONValue(parsing: try TableMetadata.decompressed(bytes), source: path)
        Console.out(json.serialize(pretty: true) + [UInt8(ascii: "\n")])
    }

    private func log() throws {
        var table = InspectReport.Table(
            title: "records",
            columns: ["position", "offset", "bytes", "table", "schema", "format", "accepted", "arrived", "stamp"])
        let rows = rows
        let inspector = try LogInspector(path, environment: .live) { frame in
            for batch in frame.batches {
                if rows { Self.printRecords(of: batch) }
                table.rows.append(Self.row(frame, batch))
            }
            if frame.batches.isEmpty { table.rows.append(Self.row(frame, nil)) }
        }
        if rows { return }
        var report = InspectReport()
        report.add("format", .text("Firn write-ahead log segment"))
        report.add("segment", .integer(Int64(clamping: inspector.segment)))
        report.add("base-position", .integer(Int64(clamping: inspector.basePosition)))
        report.add("valid-bytes", .integer(Int64(inspector.validBytes)))
        report.tables.append(table)
        try report.print(output.format)
    }
}

extension Inspect {
    private static func printRecords(of batch: BatchRecord) {
        Console.out(batch.body)
        if batch.body.last != UInt8(ascii: "\n") { Console.out("\n") }
    }

    private static func row(_ frame: LogInspector.Frame, _ batch: BatchRecord?) -> [Cell] {
        let stamp =
            batch?.producer.map { "\($0.id) epoch \($0.epoch) sequence \($0.sequence)" }
            ?? batch?.idempotencyKey.map { "key \($0)" }
        return [
            .integer(Int64(clamping: frame.position)), .integer(Int64(frame.offset)),
            .integer(Int64(frame.payloadBytes)), .text(batch?.table.description ?? ""),
            batch.map { .integer(Int64($0.schemaId)) } ?? .null, .text(batch.map { "\($0.format)" } ?? ""),
            batch.map { .integer(Int64($0.acceptedCount)) } ?? .null,
            .text(batch.map { CivilTime.formatTimestamp(micros: $0.arrivalMicros, utc: true) } ?? ""),
            .text(stamp ?? ""),
        ]
    }
}

extension AvroValue {
    /// Bytes and fixed values as hexadecimal text; maps given as arrays of key and value stay arrays.
    fileprivate var json: JSONValue {
        switch self {
        case .null: .null
        case .boolean(let value): .bool(value)
        case .int(let value): .integer(Int64(value))
        case .long(let value): .integer(value)
        case .float(let value): .double(Double(value))
        case .double(let value): .double(value)
        case .bytes(let value), .fixed(let value): .string(Hex.encode(value))
        case .string(let value), .enumeration(let value): .string(value)
        case .array(let values): .array(values.map(\.json))
        case .map(let members), .record(let members): .object(members.map { .init($0.key, $0.value.json) })
        }
    }
}
