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

    /// JSON; empty for the standard.
    func encode() -> [UInt8] {
        guard self != LandingSettings() else { return [] }
        var members: [JSONValue.Member] = []
        if decode != .standard { members.append(.init("decode", decode.json)) }
        if let deadLetters { members.append(.init("dead-letters", .string(deadLetters.description))) }
        if let eventTime { members.append(.init("event-time", eventTime.json)) }
        if let cutoff { members.append(.init("cutoff", .integer(cutoff))) }
        return JSONValue.object(members).serialize()
    }

    init(
        decode: DecodeSettings = .standard, deadLetters: UUID? = nil, eventTime: EventTimePolicy? = nil,
        cutoff: Int64? = nil
    ) {
        self.decode = decode
        self.deadLetters = deadLetters
        self.eventTime = eventTime
        self.cutoff = cutoff
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
    }
}
