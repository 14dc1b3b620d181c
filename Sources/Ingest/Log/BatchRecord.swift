import Base

/// One ingest batch as it lies in the log: who sent what to which table, before decoding.
///
/// Byte layout: Docs/formats/log.md, "Batch record".
public struct BatchRecord: Sendable, Equatable {
    /// The stamp of an idempotent producer.
    public struct Producer: Sendable, Hashable {
        /// 1 to 255 bytes.
        public var id: String
        public var epoch: Int64
        public var sequence: Int64

        public init(id: String, epoch: Int64, sequence: Int64) {
            self.id = id
            self.epoch = epoch
            self.sequence = sequence
        }
    }

    public var table: UUID
    /// The schema the body was accepted under; replay decodes with the same.
    public var schemaId: Int32
    public var format: RecordFormat
    public var producer: Producer?
    /// 1 to 255 bytes.
    public var idempotencyKey: String?
    /// Records of the body that were accepted.
    public var acceptedCount: Int
    /// Arrival, in microseconds since 1970-01-01T00:00:00Z.
    public var arrivalMicros: Int64
    /// What beside the schema decides its rows: JSON text, empty for the standard.
    public var settings: [UInt8]
    public var body: [UInt8]

    public init(
        table: UUID, schemaId: Int32, format: RecordFormat, producer: Producer? = nil, idempotencyKey: String? = nil,
        acceptedCount: Int, arrivalMicros: Int64, settings: [UInt8] = [], body: [UInt8]
    ) {
        self.table = table
        self.schemaId = schemaId
        self.format = format
        self.producer = producer
        self.idempotencyKey = idempotencyKey
        self.acceptedCount = acceptedCount
        self.arrivalMicros = arrivalMicros
        self.settings = settings
        self.body = body
    }

    static let kind: UInt8 = 1

    struct Flags: OptionSet {
        let rawValue: UInt8
        static let producer = Flags(rawValue: 1)
        static let idempotencyKey = Flags(rawValue: 2)
        static let zstd = Flags(rawValue: 4)
        static let settings = Flags(rawValue: 8)
        static let known: Flags = [.producer, .idempotencyKey, .zstd, .settings]
    }

    /// The payload for the log. Bodies of at least `compressFrom` bytes are compressed (zstd level 1) when that saves
    /// something; nil never compresses.
    ///
    /// Throws `.limitExceeded` (`producer_id_too_long`, `body_too_large`).
    public func encode(compressFrom: Int? = nil) throws(FirnError) -> [UInt8] {
        guard let compressFrom, body.count >= compressFrom, body.count <= Limits.wholeFileBytesMax else {
            return try encodeHead(storedBytes: body.count, packed: false) + body
        }
        let packed = try Zstd.compress(body, level: 1)
        guard packed.count < body.count else { return try encodeHead(storedBytes: body.count, packed: false) + body }
        return try encodeHead(storedBytes: packed.count, packed: true) + packed
    }

    /// The entry for the log, without a copy of the body. Throws as `encode`.
    func entry() throws(FirnError) -> LogEntry {
        LogEntry(head: try encodeHead(storedBytes: body.count, packed: false), body: body)
    }

    /// Everything before the stored body.
    private func encodeHead(storedBytes: Int, packed: Bool) throws(FirnError) -> [UInt8] {
        guard body.count <= Limits.wholeFileBytesMax else {
            throw FirnError(.limitExceeded, "body_too_large", "a batch of \(body.count) bytes does not fit the log")
        }
        precondition(acceptedCount >= 0 && acceptedCount <= UInt32.max, "an impossible number of records")
        var flags: Flags = packed ? .zstd : []
        if !settings.isEmpty { flags.insert(.settings) }
        if producer != nil { flags.insert(.producer) }
        if idempotencyKey != nil { flags.insert(.idempotencyKey) }
        var writer = ByteWriter(capacity: 44 + 18 + 512 + settings.count)
        writer.byte(Self.kind)
        writer.byte(flags.rawValue)
        writer.byte(format.logCode)
        writer.byte(0)
        writer.littleEndian(schemaId)
        writer.raw(table.bytes)
        writer.littleEndian(arrivalMicros)
        writer.littleEndian(UInt32(acceptedCount))
        writer.littleEndian(UInt32(body.count))
        writer.littleEndian(UInt32(storedBytes))
        if let producer {
            try Self.encode(producer.id, to: &writer)
            writer.littleEndian(producer.epoch)
            writer.littleEndian(producer.sequence)
        }
        if let idempotencyKey { try Self.encode(idempotencyKey, to: &writer) }
        if !settings.isEmpty {
            writer.littleEndian(UInt32(settings.count))
            writer.raw(settings)
        }
        return writer.bytes
    }

    private static func encode(_ id: String, to writer: inout ByteWriter) throws(FirnError) {
        let length = id.utf8.count
        guard (1...Limits.producerIdBytesMax).contains(length) else {
            throw FirnError(
                .limitExceeded, "producer_id_too_long",
                "a producer id or idempotency key has \(length) bytes; 1 to \(Limits.producerIdBytesMax) are allowed")
        }
        writer.byte(UInt8(length))
        writer.utf8(id)
    }

    /// Throws `.corrupted` (`malformed_file`) for bytes that are not a batch record to the last byte, `.unsupported`
    /// (`log_record_kind`) for a record of a later version.
    public init(decoding payload: [UInt8], source: String = "log record") throws(FirnError) {
        var reader = ByteReader(payload, source: source)
        let kind = try reader.byte()
        let flags = Flags(rawValue: try reader.byte())
        guard kind == Self.kind, Flags.known.isSuperset(of: flags) else {
            throw FirnError(
                .unsupported, "log_record_kind",
                "the log holds a record of kind \(kind) with flags \(flags.rawValue), which this build does not know",
                context: ["file": source])
        }
        guard let format = RecordFormat(logCode: try reader.byte()), try reader.byte() == 0 else {
            throw reader.corrupted("unknown body format")
        }
        schemaId = try reader.littleEndian(Int32.self)
        table = UUID(bytes: try reader.take(16))
        arrivalMicros = try reader.littleEndian(Int64.self)
        acceptedCount = Int(try reader.littleEndian(UInt32.self))
        let bodyBytes = Int(try reader.littleEndian(UInt32.self))
        let storedBytes = Int(try reader.littleEndian(UInt32.self))
        if flags.contains(.producer) {
            producer = Producer(
                id: try Self.decodeId(&reader), epoch: try reader.littleEndian(Int64.self),
                sequence: try reader.littleEndian(Int64.self))
        }
        if flags.contains(.idempotencyKey) { idempotencyKey = try Self.decodeId(&reader) }
        settings = flags.contains(.settings) ? Array(try reader.take(Int(try reader.littleEndian(UInt32.self)))) : []
        guard storedBytes == reader.remaining, bodyBytes <= Limits.wholeFileBytesMax else {
            throw reader.corrupted("the lengths of the batch record contradict each other")
        }
        let stored = try reader.take(storedBytes)
        body = flags.contains(.zstd) ? try Zstd.decompress(Array(stored), limit: bodyBytes) : Array(stored)
        guard body.count == bodyBytes else { throw reader.corrupted("the body has not the length it declares") }
        self.format = format
    }

    private static func decodeId(_ reader: inout ByteReader) throws(FirnError) -> String {
        let length = Int(try reader.byte())
        guard length > 0 else { throw reader.corrupted("an empty producer id or idempotency key") }
        return try reader.utf8(length)
    }
}

extension RecordFormat {
    /// Its number in the log; never reused.
    var logCode: UInt8 {
        switch self {
        case .ndjson: 1
        case .json: 2
        case .csv: 3
        case .avro: 4
        case .arrow: 5
        case .parquet: 6
        }
    }

    init?(logCode: UInt8) {
        guard let format = RecordFormat.allCases.first(where: { $0.logCode == logCode }) else { return nil }
        self = format
    }
}
