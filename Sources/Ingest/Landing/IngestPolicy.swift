import Base
import Catalog
import Columnar
import Iceberg

/// How a table takes records, as its properties say. Read once for every version of its metadata.
public struct IngestPolicy: Sendable, Equatable {
    let decode: DecodeSettings
    let schema: SchemaPolicy
    let eventTime: EventTimePolicy?
    /// Whether refused records are kept in the table's dead letters.
    let keepsDeadLetters: Bool

    /// `true`: records that the table cannot take go to `<table>$dead_letters` and are acknowledged. Implied by the
    /// schema policy `propose` and by `firn.event-time.late=dead-letter`.
    static let deadLettersProperty = "firn.dead-letters.enabled"

    /// How long the table remembers idempotency keys, in milliseconds; default `IngestOptions.idempotencyWindowMs`.
    static let keyWindowProperty = "firn.ingest.idempotency-window-ms"

    static func keyWindowMs(_ properties: [String: String]) -> Int64? {
        properties[keyWindowProperty].flatMap { Int64($0) }.flatMap { $0 > 0 ? $0 : nil }
    }

    init(_ metadata: TableMetadata) {
        let properties = metadata.properties
        decode = DecodeSettings(properties: properties, schema: metadata.currentSchema)
        schema = SchemaPolicy(properties: properties)
        eventTime = EventTimePolicy(properties: properties, schema: metadata.currentSchema)
        keepsDeadLetters =
            properties[Self.deadLettersProperty] == "true" || schema == .propose || eventTime?.late == .deadLetter
    }

    /// Checks the properties of a table that this module reads, before they are set: a value that means nothing would
    /// silently count as absent later.
    ///
    /// Throws `.invalidInput` (`bad_property`).
    public static func check(_ properties: [String: String], schema: Schema) throws(FirnError) {
        try DecodeSettings.check(properties: properties, schema: schema)
        try SchemaPolicy.check(properties)
        try EventTimePolicy.check(properties, schema: schema)
        try ReadFreshness.check(properties)
        if let text = properties[deadLettersProperty], text != "true", text != "false" {
            throw bad(deadLettersProperty, "it must be true or false")
        }
        if properties[keyWindowProperty] != nil, keyWindowMs(properties) == nil {
            throw bad(keyWindowProperty, "it must be milliseconds, from 1")
        }
        let known = [
            deadLettersProperty, keyWindowProperty, SchemaPolicy.property, DecodeSettings.unknownColumnsProperty,
            EventTimePolicy.columnProperty, EventTimePolicy.latenessProperty, EventTimePolicy.lateProperty,
            EventTimePolicy.markColumnProperty, EventTimePolicy.idleProperty, EventTimePolicy.maxAheadProperty,
        ]
        let ours = ["firn.dead-letters.", "firn.ingest.", "firn.schema.", "firn.event-time."]
        for key in properties.keys.sorted() where !known.contains(key) && ours.contains(where: key.hasPrefix) {
            throw bad(key, "there is no such property; known are \(known.joined(separator: ", "))")
        }
    }

    private static func bad(_ key: String, _ reason: String) -> FirnError {
        FirnError(.invalidInput, "bad_property", "\(key) cannot be so: \(reason)", context: ["property": key])
    }
}
