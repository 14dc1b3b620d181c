import Base
import Columnar
import Iceberg

/// How a table takes records, as its properties say. Read once for every version of its metadata.
struct IngestPolicy: Sendable, Equatable {
    let decode: DecodeSettings
    /// Whether refused records are kept in the table's dead letters.
    let keepsDeadLetters: Bool

    /// `true`: records that the table cannot take go to `<table>$dead_letters` and are acknowledged.
    static let deadLettersProperty = "firn.dead-letters.enabled"

    init(_ metadata: TableMetadata) {
        decode = DecodeSettings(properties: metadata.properties, schema: metadata.currentSchema)
        keepsDeadLetters = metadata.properties[Self.deadLettersProperty] == "true"
    }
}

/// Everything beside body, format and schema that decides where the records of a body go. Logged with the body, so
/// that a replay decides the same, whatever the table's properties are by then.
struct LandingSettings: Sendable, Equatable {
    var decode = DecodeSettings.standard
    /// The table that takes refused records; nil reports them to the sender alone.
    var deadLetters: UUID?

    /// Empty for the standard.
    func encode() -> [UInt8] {
        guard self != LandingSettings() else { return [] }
        var members: [JSONValue.Member] = []
        if decode != .standard { members.append(.init("decode", decode.json)) }
        if let deadLetters { members.append(.init("dead-letters", .string(deadLetters.description))) }
        return JSONValue.object(members).serialize()
    }

    init(decode: DecodeSettings = .standard, deadLetters: UUID? = nil) {
        self.decode = decode
        self.deadLetters = deadLetters
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
    }
}
