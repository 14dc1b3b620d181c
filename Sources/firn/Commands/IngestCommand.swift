import ArgumentParser
import Base
import Catalog
import Glibc
import Ingest
import Logging
import Synchronization

struct IngestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest", abstract: "Insert the NDJSON records of a file or of standard input.",
        discussion: """
            Through a running server with --url (or FIRN_URL), else straight into the warehouse.

            With --producer, a file's batches carry their byte offset as sequence: run the same command again after \
            any interruption and it goes on where it stopped, each record landing once.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var server: ServerOptions
    @Argument(help: "namespace.table") var table: String
    @Argument(help: "An NDJSON file; - reads standard input.") var file = "-"
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
        var linesBefore = 0
        var progress = ProgressLine()
    }

    private func send(to sink: any BatchSink, tally: inout Tally) async throws {
        var reader = try LineBatches(path: file == "-" ? nil : AbsolutePath.make(file), batchBytes: batchBytes)
        let resumeAt = try await producer.asyncFlatMap { try await sink.resumeOffset(producer: $0) } ?? 0
        while let batch = try reader.next() {
            defer { tally.linesBefore += batch.lines }
            guard batch.endOffset > resumeAt else { continue }
            let stamp: ProducerStamp =
                producer.map { .sequence(producer: $0, epoch: epoch, sequence: Int64(batch.endOffset)) } ?? .none
            let answer = try await sink.send(batch.bytes, stamp: stamp)
            tally.accepted += answer.accepted
            tally.rejected += answer.rejectedCount
            for rejection in answer.rejections {
                let column = rejection.column.map { " column \($0):" } ?? ""
                Console.error("line \(rejection.line + tally.linesBefore):\(column) \(rejection.message)")
            }
            if let total = reader.totalBytes {
                tally.progress.show(done: batch.endOffset, total: total, "\(Human.count(tally.accepted)) records")
            }
        }
    }
}

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
    func send(_ body: [UInt8], stamp: ProducerStamp) async throws -> BatchAnswer
    /// The last durable sequence of a producer.
    func resumeOffset(producer: String) async throws -> Int?
    func finish() async
}

/// Cuts a stream into batches of whole lines.
struct LineBatches {
    struct Batch {
        let bytes: [UInt8]
        let lines: Int
        /// Offset in the stream just past this batch.
        let endOffset: Int
    }

    let totalBytes: Int?
    /// Nil reads standard input.
    private let file: (any File)?
    private let batchBytes: Int
    private var rest: [UInt8] = []
    private var readBytes = 0
    private var offset = 0
    private var ended = false

    init(path: String?, batchBytes: Int) throws {
        self.batchBytes = batchBytes
        file = try path.map { try Environment.live.files.open($0, .read) }
        totalBytes = try file?.size()
    }

    private mutating func readPiece() throws -> [UInt8] {
        let room = 1 << 18
        let piece =
            try file?.read(at: readBytes, count: room)
            ?? [UInt8](unsafeUninitializedCapacity: room) { space, used in
                used = max(0, read(STDIN_FILENO, space.baseAddress, room))
            }
        readBytes += piece.count
        return piece
    }

    mutating func next() throws -> Batch? {
        var scanned = 0
        while !ended {
            if rest.count >= batchBytes, let end = rest[scanned...].lastIndex(of: UInt8(ascii: "\n")) {
                return cut(end + 1)
            }
            scanned = rest.count >= batchBytes ? rest.count : 0
            guard rest.count <= Limits.bodyBytesDefault else {
                throw FirnError(
                    .limitExceeded, "record_too_large", "a line is longer than \(Limits.bodyBytesDefault) bytes")
            }
            let piece = try readPiece()
            if piece.isEmpty { ended = true } else { rest += piece }
        }
        return rest.isEmpty ? nil : cut(rest.count)
    }

    private mutating func cut(_ count: Int) -> Batch {
        let bytes = Array(rest[..<count])
        rest.removeFirst(count)
        offset += count
        let lines =
            bytes.reduce(0) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) } + (bytes.last == UInt8(ascii: "\n") ? 0 : 1)
        return Batch(bytes: bytes, lines: lines, endOffset: offset)
    }
}

/// Sends through a server's HTTP API, waiting when it is overloaded.
final class ServerSink: BatchSink {
    private let client: FirnClient
    private let path: String

    init(address: String, table: TableIdentifier) throws {
        client = try FirnClient(address)
        path = "/v1/tables/\(table.namespaceText)/\(table.name)"
    }

    func send(_ body: [UInt8], stamp: ProducerStamp) async throws -> BatchAnswer {
        var headers = ["Content-Type": "application/x-ndjson"]
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

    func send(_ body: [UInt8], stamp: ProducerStamp) async throws -> BatchAnswer {
        while true {
            do {
                let answer = try await service.ingest(
                    IngestRequest(table: table, body: body, format: .ndjson, stamp: stamp))
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
