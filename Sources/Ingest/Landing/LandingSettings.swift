import Base
import Columnar

/// Everything beside body, format and schema that decides where the records of a body go. Logged with the body, so
/// that a replay decides the same, whatever the table's properties are by then.
struct LandingSettings: Sendable, Equatable {
    var decode = DecodeSettings.standard
    /// The table that takes refused records; nil reports them to the sender alone.
    var deadLetters: UUID?
    var eventTime: EventTimePolicy?
    /// Records with an event time below this are late, in microseconds; nil while there is no watermark.
    var cutoff: Int64?
    /// For a part of a request for several tables: the request's line of each record. Logged if a record was refused.
    var lines: [Int32] = []
    /// Names the table in the rejections of such a part.
    var tableName: String?
    /// The batch has no records: a producer's higher epoch is all that it says.
    var isTakeover = false

    /// JSON; empty for the standard.
    func encode() -> [UInt8] {
        guard self != LandingSettings() else { return [] }
        var members: [JSONValue.Member] = []
        if decode != .standard { members.append(.init("decode", decode.json)) }
        if let deadLetters { members.append(.init("dead-letters", .string(deadLetters.description))) }
        if let eventTime { members.append(.init("event-time", eventTime.json)) }
        if let cutoff { members.append(.init("cutoff", .integer(cutoff))) }
        if !lines.isEmpty { members.append(.init("lines", .array(lines.map { .integer(Int64($0)) }))) }
        if let tableName { members.append(.init("table", .string(tableName))) }
        if isTakeover { members.append(.init("takeover", .bool(true))) }
        return JSONValue.object(members).serialize()
    }

    init(
        decode: DecodeSettings = .standard, deadLetters: UUID? = nil, eventTime: EventTimePolicy? = nil,
        cutoff: Int64? = nil, lines: [Int32] = [], tableName: String? = nil, isTakeover: Bool = false
    ) {
        self.decode = decode
        self.deadLetters = deadLetters
        self.eventTime = eventTime
        self.cutoff = cutoff
        self.lines = lines
        self.tableName = tableName
        self.isTakeover = isTakeover
    }

    /// What of it is worth logging with what came of the batch.
    func logged(with landing: Landing) -> LandingSettings {
        var logged = self
        if landing.rejectedCount == 0 {
            logged.lines = []
            logged.tableName = nil
        }
        return logged
    }

    /// Throws `.corrupted` for what `encode` never writes.
    init(decoding bytes: [UInt8]) throws(FirnError) {
        self.init()
        guard !bytes.isEmpty else { return }
        let json = try JSONValue(parsing: bytes, source: "settings of a logged batch")
        if let tree = json["decode"] { decode = try DecodeSettings(json: tree) }
        if let text = json["dead-letters"]?.stringValue {
            guard let uuid = UUID(text) else {
                throw FirnError(.corrupted, "bad_settings", "a logged batch names the table \(text)")
            }
            deadLetters = uuid
        }
        if let tree = json["event-time"] { eventTime = try EventTimePolicy(json: tree) }
        cutoff = json["cutoff"]?.intValue
        lines = (json["lines"]?.arrayValue ?? []).map { Int32(clamping: $0.intValue ?? 0) }
        tableName = json["table"]?.stringValue
        isTakeover = json["takeover"]?.boolValue ?? false
    }
}
