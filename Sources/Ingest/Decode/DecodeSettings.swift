import Base
import Columnar

/// What beside the schema decides how a body becomes rows. It comes from the table's properties, and is logged with
/// every batch, so that a replay after a change of the properties still gives the same rows.
public struct DecodeSettings: Sendable, Equatable {
    public var unknownColumns: DecoderOptions.UnknownColumns

    public static let standard = DecodeSettings()

    public init(unknownColumns: DecoderOptions.UnknownColumns = .reject) {
        self.unknownColumns = unknownColumns
    }

    /// The settings of a table. Properties that mean nothing for the schema are not looked at.
    public init(properties: [String: String], schema: Schema) {
        self.init(unknownColumns: properties[Self.unknownColumnsProperty] == "ignore" ? .ignore : .reject)
    }

    /// `reject` (default) or `ignore`: what happens to a record with a key that names no column.
    public static let unknownColumnsProperty = "firn.ingest.unknown-columns"

    /// Only what differs from `standard`; an empty object for the standard itself.
    public var json: JSONValue {
        .object(unknownColumns == .ignore ? [.init("unknown-columns", "ignore")] : [])
    }

    /// Throws `.corrupted` (`bad_settings`) for what `json` never writes.
    public init(json: JSONValue) throws(FirnError) {
        let text = json["unknown-columns"]?.stringValue ?? "reject"
        guard text == "reject" || text == "ignore" else {
            throw FirnError(.corrupted, "bad_settings", "unknown settings of a logged batch: \(json.text)")
        }
        self.init(unknownColumns: text == "ignore" ? .ignore : .reject)
    }
}
