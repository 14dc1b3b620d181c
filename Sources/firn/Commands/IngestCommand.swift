import ArgumentParser
import Base
import Catalog
import Glibc
import Ingest
import Logging
import Synchronization

struct IngestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest", abstract: "Insert the records of a file or of standard input.",
        discussion: """
            Through a running server with --url (or FIRN_URL), else straight into the warehouse.

            The format is told by the file's extension (.ndjson, .jsonl, .json, .csv, .avro, .arrow, .arrows, \
            .parquet; .gz or .zst behind it is undone) or by --format. NDJSON and CSV are sent in batches, the other \
            formats as one body.

            With --producer, a file's batches carry their byte offset as sequence: run the same command again after \
            any interruption and it goes on where it stopped, each record landing once.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var server: ServerOptions
    @Argument(help: "namespace.table") var table: String
    @Argument(help: "A file of records; - reads standard input, NDJSON unless --format says otherwise.") var file = "-"
    @Option(help: "Format of the records: ndjson, json, csv, avro, arrow or parquet.") var format: RecordFormat?
    @Option(help: "Name of this source, for exactly-once ingestion.") var producer: String?
    @Option(help: "Epoch of this source; a higher one fences the holders of lower ones.") var epoch: Int64 = 0
    @Option(help: "Bytes of a batch.") var batchBytes = 1 << 20

    func validate() throws {
        guard (1...(32 << 20)).contains(batchBytes) else { throw ValidationError("--batch-bytes must be 1 to 32 MiB") }
        guard producer == nil || file != "-" else {
            throw ValidationError("--producer needs a file, not standard input")
        }
    }

    func run() async throws {
        let identifier = try TableIdentifier(parsing: table)
        let sink: any BatchSink =
            if let address = server.address {
                try ServerSink(address: address, table: identifier)
            } else {
                try DirectSink(warehouse: location.open(), table: identifier)
            }
        var tally = Tally()
        do {
            try await send(to: sink, tally: &tally)
        } catch {
            await sink.finish()
            throw error
        }
        await sink.finish()
        Console.out("accepted \(Human.count(tally.accepted)), rejected \(Human.count(tally.rejected))\n")
        if tally.rejected > 0 { throw ExitCode(1) }
    }

    private struct Tally {
        var accepted = 0
        var rejected = 0
        var progress = ProgressLine()
    }

    private func send(to sink: any BatchSink, tally: inout Tally) async throws {
        let (found, coding) = IngestInput.format(ofFile: file)
        guard let format = format ?? found else {
            throw ValidationError("cannot tell the format of \(file) from its name; say it with --format")
        }
        var input = try IngestInput(
            path: file == "-" ? nil : AbsolutePath.make(file), format: format, coding: coding, batchBytes: batchBytes)
        let resumeAt = try await producer.asyncFlatMap { try await sink.resumeOffset(producer: $0) } ?? 0
        input.resumeAt = resumeAt
        while let batch = try input.next() {
            guard batch.endOffset > resumeAt else { continue }
            let stamp: ProducerStamp =
                producer.map { .sequence(producer: $0, epoch: epoch, sequence: Int64(batch.endOffset)) } ?? .none
            let answer = try await sink.send(batch.bytes, format: format, stamp: stamp)
            tally.accepted += answer.accepted
            tally.rejected += answer.rejectedCount
            for rejection in answer.rejections {
                let column = rejection.column.map { " column \($0):" } ?? ""
                Console.error("\(batch.place) \(rejection.line + batch.linesBefore):\(column) \(rejection.message)")
            }
            if let total = input.totalBytes {
                tally.progress.show(done: batch.endOffset, total: total, "\(Human.count(tally.accepted)) records")
            }
        }
    }
}

extension RecordFormat: ExpressibleByArgument {}

extension Optional {
    fileprivate func asyncFlatMap<Result>(_ body: (Wrapped) async throws -> Result?) async rethrows -> Result? {
        guard let self else { return nil }
        return try await body(self)
    }
}

/// What became of one batch.
struct BatchAnswer {
    var accepted: Int
    var rejections: [Rejection]
    var rejectedCount: Int
}

/// Where batches go: a running server, or the warehouse itself.
protocol BatchSink {
    func send(_ body: [UInt8], format: RecordFormat, stamp: ProducerStamp) async throws -> BatchAnswer
    /// The last durable sequence of a producer.
    func resumeOffset(producer: String) async throws -> Int?
    func finish() async
}

/// Sends through a server's HTTP API, waiting when it is overloaded.
final class ServerSink: BatchSink {
    private let client: FirnClient
    private let path: String

    init(address: String, table: TableIdentifier) throws {
        client = try FirnClient(address)
        path = "/v1/tables/\(table.namespaceText)/\(table.name)"
    }

    func send(_ body: [UInt8], format: RecordFormat, stamp: ProducerStamp) async throws -> BatchAnswer {
        var headers = ["Content-Type": format.contentType]
        if case .sequence(let producer, let epoch, let sequence) = stamp {
            headers["Firn-Producer"] = producer
            headers["Firn-Epoch"] = String(epoch)
            headers["Firn-Sequence"] = String(sequence)
        }
        while true {
            let answer = try client.send("POST", path + "/records", headers: headers, body: body)
            if answer.status == 429 || answer.status == 503 {
                try await Task.sleep(for: .seconds(answer.headers["retry-after"].flatMap { Int($0) } ?? 1))
                continue
            }
            let json = try JSONValue(parsing: answer.body, source: "server answer")
            guard answer.status < 400 || answer.status == 422 else { throw FirnClient.problem(answer) }
            let rejections = (json["rejected"]?.arrayValue ?? []).map { item in
                Rejection(
                    line: Int(item["line"]?.intValue ?? 0), column: item["column"]?.stringValue,
                    code: item["code"]?.stringValue ?? "", message: item["message"]?.stringValue ?? "")
            }
            return BatchAnswer(
                accepted: Int(json["accepted"]?.intValue ?? 0), rejections: rejections,
                rejectedCount: Int(json["rejected-count"]?.intValue ?? Int64(rejections.count)))
        }
    }

    func resumeOffset(producer: String) async throws -> Int? {
        let answer = try client.send("GET", path + "/producers/\(producer)", retry: true)
        guard answer.status != 404 else { return nil }
        guard answer.status < 400 else { throw FirnClient.problem(answer) }
        return try JSONValue(parsing: answer.body, source: "server answer")["durable-sequence"]?.intValue.map {
            Int($0)
        }
    }

    func finish() async {}
}

/// Runs the ingest path in this process, when no server holds the warehouse.
final class DirectSink: BatchSink {
    private let service: IngestService
    private let table: TableIdentifier

    init(warehouse: Warehouse, table: TableIdentifier) throws {
        self.table = table
        var logger = Logger(label: "firn") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .error
        service = try IngestService.open(warehouse: warehouse, options: IngestOptions(), logger: logger)
    }

    func send(_ body: [UInt8], format: RecordFormat, stamp: ProducerStamp) async throws -> BatchAnswer {
        while true {
            do {
                let answer = try await service.ingest(
                    IngestRequest(table: table, body: body, format: format, stamp: stamp))
                return BatchAnswer(
                    accepted: answer.accepted, rejections: answer.rejections, rejectedCount: answer.rejectedCount)
            } catch let error as FirnError {
                if error.kind == .overloaded {
                    try await Task.sleep(for: .milliseconds(50))
                    continue
                }
                guard let rejected = error.cause as? AllRecordsRejected, rejected.rejectedCount > 0 else { throw error }
                return BatchAnswer(
                    accepted: 0, rejections: rejected.rejections, rejectedCount: rejected.rejectedCount)
            }
        }
    }

    func resumeOffset(producer: String) async throws -> Int? {
        try service.producerPosition(producer, in: table)?.durable.map { Int($0) }
    }

    func finish() async { service.close() }
}
