import Base
import Columnar

/// How a table treats the time at which its records happened, from its properties:
///
/// | property | value |
/// |---|---|
/// | `firn.event-time.column` | path of a timestamp, timestamptz or date, through structs only; none: no event time |
/// | `firn.event-time.allowed-lateness-ms` | how far behind the watermark a record may be; default 0 |
/// | `firn.event-time.late` | `land` (default), `mark` or `dead-letter` |
/// | `firn.event-time.mark-column` | a boolean column that says under `mark` whether the record was late |
/// | `firn.event-time.idle-ms` | silence after which a producer no longer holds the watermark back; default 60000 |
/// | `firn.event-time.max-ahead-ms` | event times further ahead of the server move no watermark; default one day |
public struct EventTimePolicy: Sendable, Equatable {
    /// What happens to a record whose event time lies before the cutoff.
    public enum Late: String, Sendable, CaseIterable {
        /// It becomes a row like any other, and is counted.
        case land
        /// It becomes a row with `true` in the mark column; the others get `false`.
        case mark
        /// It becomes a dead letter.
        case deadLetter = "dead-letter"
    }

    /// Field id of the event time: a name may change, and what is logged must not change its meaning.
    public let columnId: Int
    public let late: Late
    /// Field id of the mark column; there under `mark`.
    public let markColumnId: Int?
    public let allowedLatenessMs: Int64
    public let idleMs: Int64
    public let maxAheadMs: Int64

    public static let columnProperty = "firn.event-time.column"
    public static let latenessProperty = "firn.event-time.allowed-lateness-ms"
    public static let lateProperty = "firn.event-time.late"
    public static let markColumnProperty = "firn.event-time.mark-column"
    public static let idleProperty = "firn.event-time.idle-ms"
    public static let maxAheadProperty = "firn.event-time.max-ahead-ms"
    /// Ten years: far beyond any sane bound, far below what overflows microseconds.
    private static let durationMsMax: Int64 = 10 * 366 * 86_400_000

    /// The policy of a table; nil without an event-time column, and where the properties contradict the schema: a
    /// property that another engine set must not stop ingestion.
    public init?(properties: [String: String], schema: Schema) {
        guard let policy = try? Self.parse(properties, schema) else { return nil }
        self = policy
    }

    /// Throws `.invalidInput` (`bad_property`) with what is wrong with the properties.
    public static func check(_ properties: [String: String], schema: Schema) throws(FirnError) {
        _ = try parse(properties, schema)
    }

    private static func parse(
        _ properties: [String: String], _ schema: Schema
    ) throws(FirnError) -> EventTimePolicy? {
        guard let path = properties[columnProperty] else { return nil }
        guard let column = schema.field(path: path), schema.chain(to: column.id) != nil else {
            throw bad(columnProperty, "there is no column \"\(path)\" outside lists and maps")
        }
        guard column.type.isTimestamp || column.type == .date else {
            throw bad(columnProperty, "\"\(path)\" is \(column.type), not a timestamp or date")
        }
        guard let late = Late(rawValue: properties[lateProperty] ?? "land") else {
            throw bad(lateProperty, "it must be land, mark or dead-letter")
        }
        var mark: Field?
        if late == .mark {
            guard let name = properties[markColumnProperty] else {
                throw bad(markColumnProperty, "late records are to be marked, but no column is named")
            }
            mark = schema.field(named: name)
            guard mark?.type == .boolean else {
                throw bad(markColumnProperty, "\"\(name)\" is not a boolean column at the top of the schema")
            }
        }
        return EventTimePolicy(
            columnId: column.id, late: late, markColumnId: mark?.id,
            allowedLatenessMs: try duration(latenessProperty, properties, 0),
            idleMs: try duration(idleProperty, properties, 60_000),
            maxAheadMs: try duration(maxAheadProperty, properties, 86_400_000))
    }

    private static func duration(
        _ key: String, _ properties: [String: String], _ fallback: Int64
    ) throws(FirnError) -> Int64 {
        guard let text = properties[key] else { return fallback }
        guard let value = Int64(text), (0...durationMsMax).contains(value) else {
            throw bad(key, "it must be milliseconds, 0 to \(durationMsMax)")
        }
        return value
    }

    private static func bad(_ key: String, _ reason: String) -> FirnError {
        FirnError(
            .invalidInput, "bad_property", "\(key) cannot be so: \(reason)", context: ["property": key])
    }

    init(
        columnId: Int, late: Late, markColumnId: Int?, allowedLatenessMs: Int64, idleMs: Int64, maxAheadMs: Int64
    ) {
        self.columnId = columnId
        self.late = late
        self.markColumnId = markColumnId
        self.allowedLatenessMs = allowedLatenessMs
        self.idleMs = idleMs
        self.maxAheadMs = maxAheadMs
    }
}

/// What a logged batch keeps of the policy, so that a replay treats its records alike.
extension EventTimePolicy {
    public var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("column", .integer(Int64(columnId))), .init("late", .string(late.rawValue)),
            .init("lateness-ms", .integer(allowedLatenessMs)), .init("idle-ms", .integer(idleMs)),
            .init("max-ahead-ms", .integer(maxAheadMs)),
        ]
        if let markColumnId { members.append(.init("mark-column", .integer(Int64(markColumnId)))) }
        return .object(members)
    }

    /// Throws `.corrupted` (`bad_settings`) for what `json` never writes.
    public init(json: JSONValue) throws(FirnError) {
        guard let column = json["column"]?.intValue.flatMap(Int.init(exactly:)),
            let late = json["late"]?.stringValue.flatMap(Late.init(rawValue:)),
            let lateness = json["lateness-ms"]?.intValue, let idle = json["idle-ms"]?.intValue,
            let ahead = json["max-ahead-ms"]?.intValue,
            [lateness, idle, ahead].allSatisfy({ (0...Self.durationMsMax).contains($0) }),
            (late == .mark) == (json["mark-column"]?.intValue != nil)
        else {
            throw FirnError(.corrupted, "bad_settings", "unknown event-time policy of a logged batch: \(json.text)")
        }
        self.init(
            columnId: column, late: late, markColumnId: json["mark-column"]?.intValue.map { Int(clamping: $0) },
            allowedLatenessMs: lateness, idleMs: idle, maxAheadMs: ahead)
    }
}
