import Base

/// How a sender makes its batch recognisable, so that a retry lands once (G2).
public enum ProducerStamp: Sendable, Hashable {
    /// No identity: every accepted request is new.
    case none
    /// An opaque key, remembered for `IngestOptions.idempotencyWindowMs`.
    case key(String)
    /// A producer's strictly increasing sequence; gaps are allowed, so a source offset serves. A higher epoch fences
    /// every holder of a lower one; sequences go on rising across epochs.
    case sequence(producer: String, epoch: Int64, sequence: Int64)

    /// The same producer and epoch at another sequence.
    func at(_ sequence: Int64) -> ProducerStamp {
        guard case .sequence(let producer, let epoch, _) = self else { return self }
        return .sequence(producer: producer, epoch: epoch, sequence: sequence)
    }

    /// Empty for a batch of no producer.
    var producer: String {
        guard case .sequence(let id, _, _) = self else { return "" }
        return id
    }
}

/// The answer to a batch, kept so that a duplicate gets it again.
public struct StoredAnswer: Sendable, Equatable {
    /// Records that became rows.
    public let accepted: Int
    public let rejections: [Rejection]
    public let rejectedCount: Int
    /// Of the rejected records, those that the dead letters took.
    public let deadLettered: Int
    /// Where the batch stands in the log.
    public let position: UInt64

    public init(
        accepted: Int, rejections: [Rejection], rejectedCount: Int, deadLettered: Int = 0, position: UInt64
    ) {
        self.accepted = accepted
        self.rejections = rejections
        self.rejectedCount = rejectedCount
        self.deadLettered = deadLettered
        self.position = position
    }

    /// JSON for the catalog.
    public func encode() -> [UInt8] { json.serialize() }

    var json: JSONValue {
        .object([
            .init("accepted", .integer(Int64(accepted))),
            .init("rejected", .array(rejections.map(\.json))),
            .init("rejected-count", .integer(Int64(rejectedCount))),
            .init("dead-lettered", .integer(Int64(deadLettered))),
            .init("position", .integer(Int64(bitPattern: position))),
        ])
    }

    public init(decoding bytes: [UInt8]) throws(FirnError) {
        self.init(json: try JSONValue(parsing: bytes, source: "stored answer"))
    }

    init(json: JSONValue) {
        let rejected = json["rejected"]?.arrayValue ?? []
        self.init(
            accepted: Int(json["accepted"]?.intValue ?? 0), rejections: rejected.map(Rejection.init(json:)),
            rejectedCount: Int(json["rejected-count"]?.intValue ?? 0),
            deadLettered: Int(json["dead-lettered"]?.intValue ?? 0),
            position: UInt64(bitPattern: json["position"]?.intValue ?? 0))
    }

    /// Stands for the answer to a batch that landed too long ago for its own to be kept.
    static func forgotten(at position: UInt64) -> StoredAnswer {
        StoredAnswer(accepted: 0, rejections: [], rejectedCount: 0, position: position)
    }
}

extension Rejection {
    public var json: JSONValue {
        var members: [JSONValue.Member] = [.init("line", .integer(Int64(line)))]
        if let column { members.append(.init("column", .string(column))) }
        members.append(.init("code", .string(code)))
        members.append(.init("message", .string(message)))
        return .object(members)
    }

    init(json: JSONValue) {
        self.init(
            line: Int(json["line"]?.intValue ?? 0), column: json["column"]?.stringValue,
            code: json["code"]?.stringValue ?? "", message: json["message"]?.stringValue ?? "")
    }
}

extension BatchRecord {
    init(
        table: UUID, schemaId: Int32, format: RecordFormat, stamp: ProducerStamp, acceptedCount: Int,
        arrivalMicros: Int64, settings: [UInt8], body: [UInt8]
    ) {
        var producer: Producer?
        var key: String?
        switch stamp {
        case .none: break
        case .key(let text): key = text
        case .sequence(let id, let epoch, let sequence):
            producer = Producer(id: id, epoch: epoch, sequence: sequence)
        }
        self.init(
            table: table, schemaId: schemaId, format: format, producer: producer, idempotencyKey: key,
            acceptedCount: acceptedCount, arrivalMicros: arrivalMicros, settings: settings, body: body)
    }

    var stamp: ProducerStamp {
        if let producer { return .sequence(producer: producer.id, epoch: producer.epoch, sequence: producer.sequence) }
        return idempotencyKey.map { .key($0) } ?? .none
    }
}
