import ArgumentParser
import Base
import Catalog
import Columnar
import Iceberg
import Ingest
import Mutation
import Query

struct DeleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete rows of a table, by a condition or by the keys in a file.",
        discussion: """
            In one commit, also beside a running server and other writers:

              firn delete web.clicks --where "user_id = 4711"
              firn delete web.clicks --where "ts < '2026-01-01' AND country IN (SELECT code FROM ref.closed)"
              firn delete web.users gone.ndjson        (rows whose identifier columns are as in the file)

            Data files that have lost every row go as a whole. For the others position delete files are written, deletion \
            vectors in tables of format version 3; with the table property write.delete.mode=copy-on-write the rows \
            that stay are rewritten instead. Older snapshots keep the rows until they expire.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "namespace.table") var table: String
    @Argument(help: "A file of records with the keys of the rows; - reads NDJSON from standard input.")
    var file: String?
    @Option(name: .customLong("where"), help: "A SQL condition.") var condition: String?
    @Option(help: "Format of the file, where its name does not tell.") var format: RecordFormat?

    func validate() throws {
        guard (condition == nil) != (file == nil) else { throw ValidationError("give either --where or a file") }
    }

    func run() throws {
        let target = try RowTarget(location, table)
        if let condition {
            return try target.print(target.change.delete(where: condition), output.format)
        }
        let keys = try target.keySchema()
        var total = RowChangeReport()
        // A record may hold more than its key.
        let settings = DecodeSettings(unknownColumns: .ignore)
        try RowFile(file ?? "-", format).forEachPart(schema: keys, settings) {
            total.add(try target.change.delete(keys: $0))
        }
        try target.print(total, output.format)
    }
}

struct UpsertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upsert", abstract: "Insert records, each in place of the row with the same key.",
        discussion: """
            The key is the table's identifier columns (firn table create --identifier, firn schema identifier). Of \
            records with the same key the last one counts. Up to a million records are one commit; running the same \
            file again changes nothing but the snapshots.

              firn upsert web.users users.ndjson

            The rows that are replaced are found by the key at once; what is written are position deletes, deletion \
            vectors in tables of format version 3, never equality deletes. With write.merge.mode=copy-on-write the \
            other rows of their files are rewritten instead.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "namespace.table") var table: String
    @Argument(help: "A file of records; - reads NDJSON from standard input.") var file = "-"
    @Option(help: "Format of the file, where its name does not tell.") var format: RecordFormat?

    func run() throws {
        let target = try RowTarget(location, table)
        let metadata = target.table.metadata
        let settings = DecodeSettings(properties: metadata.properties, schema: metadata.currentSchema)
        var total = RowChangeReport()
        try RowFile(file, format).forEachPart(schema: metadata.currentSchema, settings) {
            total.add(try target.change.upsert($0))
        }
        try target.print(total, output.format)
    }
}

/// The table whose rows change.
private struct RowTarget {
    private let warehouse: Warehouse
    /// As records are read for it.
    let table: Table
    private let bar = ProgressBar()

    init(_ location: WarehouseOptions, _ name: String) throws {
        warehouse = try location.open()
        let identifier = try TableIdentifier(parsing: name)
        _ = try warehouse.lastKnownTable(identifier)
        // What a server has acknowledged is in the table as far as its clients know (G5).
        if let server = LiveServer.find(warehouse: warehouse.directory) {
            try server.flush(identifier)
        } else {
            LiveServer.tellOfWhatWaits(in: warehouse)
        }
        table = try warehouse.loadTable(identifier)
    }

    var change: RowChange {
        RowChange(warehouse: warehouse, table: table) { [bar] files in
            bar.show("\(Human.count(files)) data files searched")
        }
    }

    /// The identifier columns, at the places that they have in a record.
    func keySchema() throws -> Schema {
        let schema = table.metadata.currentSchema
        guard !schema.identifierFieldIds.isEmpty else {
            throw FirnError(
                .invalidInput, "no_identifier",
                "the table has no identifier columns that could tell which row is meant; set them with "
                    + "\"firn schema identifier\", or use --where", context: ["table": table.identifier.description])
        }
        return Schema(
            schemaId: schema.schemaId, fields: schema.fields.compactMap { Self.pruned($0, schema.identifierFieldIds) },
            identifierFieldIds: schema.identifierFieldIds)
    }

    private static func pruned(_ field: Field, _ ids: [Int]) -> Field? {
        if ids.contains(field.id) { return field }
        guard case .structure(let type) = field.type else { return nil }
        let members = type.fields.compactMap { pruned($0, ids) }
        guard !members.isEmpty else { return nil }
        var field = field
        field.type = .structure(StructType(fields: members))
        return field
    }

    func print(_ report: RowChangeReport, _ format: OutputFormat) throws {
        guard format == .table else { return Console.out(report.json.serialize() + [UInt8(ascii: "\n")]) }
        guard let snapshot = report.snapshotId else { return Console.out("nothing to change\n") }
        let parts = [
            "deleted \(Human.count(Int(report.rowsDeleted)))", "added \(Human.count(Int(report.rowsAdded))) rows",
            "marked \(report.filesMarked) files", "removed \(report.filesRemoved)", "added \(report.filesAdded)",
        ]
        Console.out("\(parts.joined(separator: ", ")); snapshot \(snapshot)\n")
    }
}

/// A file of records, read in parts of at most a million rows.
private struct RowFile {
    private static let rowsMax = 1_000_000

    private let path: String
    private let format: RecordFormat
    private let coding: String?

    init(_ path: String, _ format: RecordFormat?) throws {
        let (found, coding) = IngestInput.format(ofFile: path)
        guard let format = format ?? found else {
            throw ValidationError("cannot tell the format of \(path) from its name; say it with --format")
        }
        self.path = path
        self.format = format
        self.coding = coding
    }

    /// Throws `.invalidInput` (`bad_records`) at the first record that does not fit; parts before it are done.
    func forEachPart(
        schema: Schema, _ settings: DecodeSettings, _ body: ([RecordBatch]) throws -> Void
    ) throws {
        var input = try IngestInput(
            path: path == "-" ? nil : AbsolutePath.make(path), format: format, coding: coding, batchBytes: 8 << 20)
        var batches: [RecordBatch] = []
        var rows = 0
        while let batch = try input.next() {
            let decoded = try decode(batch.bytes, format: format, schema: schema, settings: settings)
            if let first = decoded.rejections.first {
                throw FirnError(
                    .invalidInput, "bad_records",
                    "\(decoded.rejectedCount) records do not fit the table; the first, \(batch.place) "
                        + "\(first.line + batch.linesBefore): \(first.message)",
                    context: ["code": first.code, "column": first.column ?? ""])
            }
            batches.append(decoded.batch)
            rows += decoded.batch.rowCount
            guard rows >= Self.rowsMax else { continue }
            try body(batches)
            batches = []
            rows = 0
        }
        if rows > 0 { try body(batches) }
    }
}

extension RowChangeReport {
    /// Adds what a later change of the same command did.
    fileprivate mutating func add(_ other: RowChangeReport) {
        snapshotId = other.snapshotId ?? snapshotId
        rowsDeleted += other.rowsDeleted
        rowsAdded += other.rowsAdded
        filesMarked += other.filesMarked
        filesRemoved += other.filesRemoved
        filesSearched += other.filesSearched
        filesAdded += other.filesAdded
        attempts += other.attempts
    }
}
