import Base
import Columnar

/// The unit of a timestamp written as a number, counted from 1970-01-01T00:00:00 (UTC for timestamptz).
public enum EpochUnit: String, Sendable, CaseIterable {
    case seconds = "s"
    case milliseconds = "ms"
    case microseconds = "us"
    /// Only for columns of nanoseconds.
    case nanoseconds = "ns"

    /// Digits behind the decimal point that a number in this unit may have in a column of a type, whose own unit is
    /// the finest; nil where the unit is finer still.
    public func fractionDigits(_ type: DataType) -> Int? {
        let digits =
            switch self {
            case .seconds: 6
            case .milliseconds: 3
            case .microseconds: 0
            case .nanoseconds: -3
            }
        let own = type.isNanoseconds ? digits + 3 : digits
        return own < 0 ? nil : own
    }
}

/// What beside the schema decides how a body becomes rows. It comes from the table's properties, and is logged with
/// every batch, so that a replay after a change of the properties still gives the same rows.
public struct DecodeSettings: Sendable, Equatable {
    public var unknownColumns: DecoderOptions.UnknownColumns
    /// Timestamp columns that also take numbers, by field id.
    public var epochUnits: [Int: EpochUnit]

    public static let standard = DecodeSettings()

    public init(unknownColumns: DecoderOptions.UnknownColumns = .reject, epochUnits: [Int: EpochUnit] = [:]) {
        self.unknownColumns = unknownColumns
        self.epochUnits = epochUnits
    }

    /// The settings of a table. Properties that mean nothing for the schema are not looked at; `check` names them.
    public init(properties: [String: String], schema: Schema) {
        self.init(unknownColumns: properties[Self.unknownColumnsProperty] == "ignore" ? .ignore : .reject)
        for (key, value) in properties {
            guard let path = Self.epochPath(key), let field = schema.field(path: path), field.type.takesEpoch else {
                continue
            }
            guard let unit = EpochUnit(rawValue: value), unit.fractionDigits(field.type) != nil else { continue }
            epochUnits[field.id] = unit
        }
    }

    /// `reject` (default) or `ignore`: what happens to a record with a key that names no column.
    public static let unknownColumnsProperty = "firn.ingest.unknown-columns"

    /// The property that lets a timestamp column take numbers of a unit: `s`, `ms` or `us`, or `ns` where the column
    /// is of nanoseconds.
    public static func epochUnitProperty(_ path: String) -> String { "firn.column.\(path).epoch-unit" }

    private static func epochPath(_ key: String) -> String? {
        let (prefix, suffix) = ("firn.column.", ".epoch-unit")
        guard key.hasPrefix(prefix), key.hasSuffix(suffix), key.utf8.count > prefix.utf8.count + suffix.utf8.count
        else { return nil }
        return String(key.dropFirst(prefix.count).dropLast(suffix.count))
    }

    /// Throws `.invalidInput` (`bad_property`) for a property of this kind that has no such value, or that names
    /// no timestamp column of the schema.
    public static func check(properties: [String: String], schema: Schema) throws(FirnError) {
        for (key, value) in properties.sorted(by: { $0.key < $1.key }) {
            if key == unknownColumnsProperty, value != "reject", value != "ignore" {
                throw invalid(key, value, "use reject or ignore")
            }
            guard let path = epochPath(key) else { continue }
            guard let unit = EpochUnit(rawValue: value) else { throw invalid(key, value, "use s, ms, us or ns") }
            guard let field = schema.field(path: path) else {
                throw invalid(key, value, "the table has no column '\(path)'")
            }
            guard field.type.takesEpoch else {
                throw invalid(
                    key, value, "'\(path)' is \(field.type); only timestamp and timestamptz columns take numbers")
            }
            guard unit.fractionDigits(field.type) != nil else {
                throw invalid(key, value, "'\(path)' is \(field.type), which a nanosecond is too fine for")
            }
        }
    }

    private static func invalid(_ key: String, _ value: String, _ why: String) -> FirnError {
        FirnError(
            .invalidInput, "bad_property", "The property \(key) cannot be \"\(value)\": \(why).",
            context: ["property": key])
    }

    // MARK: - The log's form

    /// Only what differs from `standard`; an empty object for the standard itself.
    public var json: JSONValue {
        var members: [JSONValue.Member] = []
        if unknownColumns == .ignore { members.append(.init("unknown-columns", "ignore")) }
        if !epochUnits.isEmpty {
            let units = epochUnits.sorted { $0.key < $1.key }
            members.append(
                .init("epoch-units", .object(units.map { .init(String($0.key), .string($0.value.rawValue)) })))
        }
        return .object(members)
    }

    /// Throws `.corrupted` (`bad_settings`) for what `json` never writes.
    public init(json: JSONValue) throws(FirnError) {
        let bad = FirnError(.corrupted, "bad_settings", "unknown settings of a logged batch: \(json.text)")
        let text = json["unknown-columns"]?.stringValue ?? "reject"
        guard text == "reject" || text == "ignore" else { throw bad }
        self.init(unknownColumns: text == "ignore" ? .ignore : .reject)
        for member in json["epoch-units"]?.objectValue ?? [] {
            guard let id = Int(member.key), let unit = member.value.stringValue.flatMap(EpochUnit.init) else {
                throw bad
            }
            epochUnits[id] = unit
        }
    }
}

extension DataType {
    /// True for the columns that an epoch unit can be set for.
    var takesEpoch: Bool { isTimestamp }
}
