import Base

/// When a table is maintained, and how: the content of a schedule row.
///
/// As JSON: `{"every": "5m", "action": "compact"}` or `{"cron": "0 3 * * *", "action": "expire"}`. Whether it is paused
/// is a column of the row.
public struct ScheduleSpec: Hashable, Sendable {
    public enum Timing: Hashable, Sendable {
        /// Milliseconds from the start of one run to the start of the next.
        case interval(milliseconds: Int64)
        case cron(CronExpression)
    }

    public enum Action: String, Hashable, Sendable, CaseIterable {
        /// Merge small data files.
        case compact
        /// Expire snapshots by the table's properties.
        case expire
    }

    /// The shortest interval: shorter ones would spend more on looking than on compacting.
    public static let intervalMsMin: Int64 = 1000

    public let timing: Timing
    public let action: Action

    public init(timing: Timing, action: Action = .compact) {
        self.timing = timing
        self.action = action
    }

    /// Reads an interval (`30s`, `5m`, `1h30m`, `every 5m`) or a cron expression (`*/5 * * * *`, `@hourly`).
    ///
    /// Throws `.invalidInput` (`bad_cron`, `bad_duration`, `schedule_too_frequent`).
    public init(parsing text: String, action: Action = .compact) throws(FirnError) {
        if text.hasPrefix("@") || text.split(separator: " ").count >= 5 {
            self.init(timing: .cron(try CronExpression(text)), action: action)
        } else {
            let interval = text.hasPrefix("every ") ? String(text.dropFirst(6)) : text
            self.init(timing: try Self.interval(interval), action: action)
        }
    }

    /// Reads the text of a schedule row. Throws as `init(json:)`.
    public init(row text: String) throws(FirnError) {
        try self.init(json: JSONValue(parsing: text, source: "schedule"))
    }

    /// Throws `.invalidInput` (`bad_schedule` and those of `init(parsing:)`).
    public init(json: JSONValue) throws(FirnError) {
        guard let members = json.objectValue else { throw Self.bad("a schedule is a JSON object") }
        for member in members where !["every", "cron", "action"].contains(member.key) {
            throw Self.bad("a schedule has no member '\(member.key)', only every or cron, and action")
        }
        let timing: Timing
        switch (json["every"], json["cron"]) {
        case (.string(let text)?, nil): timing = try Self.interval(text)
        case (nil, .string(let text)?): timing = .cron(try CronExpression(text))
        default: throw Self.bad("a schedule has either 'every' (as in \"5m\") or 'cron' (as in \"0 3 * * *\")")
        }
        var action = Action.compact
        if let given = json["action"] {
            guard let known = given.stringValue.flatMap(Action.init(rawValue:)) else {
                let names = Action.allCases.map(\.rawValue).joined(separator: ", ")
                throw Self.bad("a schedule's action is one of \(names)")
            }
            action = known
        }
        self.init(timing: timing, action: action)
    }

    public var json: JSONValue {
        var members: [JSONValue.Member] = []
        switch timing {
        case .interval(let ms):
            members.append(.init("every", .string(DurationText.format(milliseconds: ms))))
        case .cron(let cron): members.append(.init("cron", .string(cron.description)))
        }
        members.append(.init("action", .string(action.rawValue)))
        return .object(members)
    }

    /// The next start after the one at `ms` (milliseconds since 1970): an interval counts from there.
    public func next(after ms: Int64) -> Int64 {
        switch timing {
        case .interval(let milliseconds): ms + milliseconds
        case .cron(let cron): cron.next(after: ms)
        }
    }

    /// The next `count` starts after `ms`, oldest first.
    public func nextRuns(count: Int, after ms: Int64) -> [Int64] {
        var runs: [Int64] = []
        while runs.count < count { runs.append(next(after: runs.last ?? ms)) }
        return runs
    }

    private static func interval(_ text: String) throws(FirnError) -> Timing {
        let milliseconds = try DurationText.milliseconds(text)
        guard milliseconds >= intervalMsMin else {
            throw FirnError(
                .invalidInput, "schedule_too_frequent",
                "a schedule runs at most once every \(DurationText.format(milliseconds: intervalMsMin))")
        }
        return .interval(milliseconds: milliseconds)
    }

    private static func bad(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_schedule", message) }
}
