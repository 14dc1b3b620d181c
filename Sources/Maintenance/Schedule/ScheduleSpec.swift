import Base

/// When a table is maintained, and how: the content of a schedule row.
///
/// As JSON: `{"every": "5m", "action": "compact"}` or
/// `{"cron": "0 3 * * *", "action": "expire", "zone": "Europe/Berlin", "window": "01:00-05:00"}`. Whether it is paused
/// is a column of the row.
public struct ScheduleSpec: Hashable, Sendable {
    public enum Timing: Hashable, Sendable {
        /// Milliseconds from the start of one run to the start of the next.
        case interval(milliseconds: Int64)
        case cron(CronExpression)
        /// As soon as a commit gives the policy something to do, which is also what tables without a schedule get.
        case commit
    }

    public enum Action: String, Hashable, Sendable, CaseIterable {
        /// Merge small data files.
        case compact
        /// Expire snapshots by the table's properties.
        case expire
        /// Rewrite manifests that make planning slow.
        case manifests
        /// Remove dangling deletes and old metadata files, collect garbage, and look for orphans.
        case clean
    }

    /// The shortest interval: shorter ones would spend more on looking than on compacting.
    public static let intervalMsMin: Int64 = 1000
    /// Tables that one schedule may have under way at once.
    static let concurrencyMax = 64
    static let optionsMax = 16
    static let zoneDefault = TimeZoneRules.utc.name

    public var timing: Timing
    public var action: Action
    /// The zone of `cron` and `window`.
    public var zone = zoneDefault
    public var window: DayWindow?
    /// Tables of the pattern at once; nil for as many as the scheduler runs at all.
    public var concurrency: Int?
    /// Bytes of input read an hour, of all tables of the schedule together.
    public var bytesPerHour: Int64?
    /// The share of the machine's processors that its runs may use, together, in percent.
    public var cpuPercent: Int?
    /// Table properties that count instead of the table's own in its runs: `firn.compaction.…`, `write.…`.
    public var options: [String: String] = [:]

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

    /// Throws `.invalidInput`: `bad_schedule`, `bad_window`, `bad_byte_size` and those of `init(parsing:)`. Whether
    /// there is such a zone is for `Timetable` to say.
    public init(json: JSONValue) throws(FirnError) {
        guard let members = json.objectValue else { throw Self.bad("a schedule is a JSON object") }
        let known = Self.members
        for member in members where !known.contains(member.key) {
            throw Self.bad("a schedule has no member '\(member.key)', only \(known.joined(separator: ", "))")
        }
        self.init(timing: try Self.timing(json))
        if let given = json["action"] {
            guard let known = given.stringValue.flatMap(Action.init(rawValue:)) else {
                let names = Action.allCases.map(\.rawValue).joined(separator: ", ")
                throw Self.bad("a schedule's action is one of \(names)")
            }
            action = known
        }
        guard timing != .commit || action == .compact else {
            throw Self.bad("only the action compact can follow commits; give \"every\" or \"cron\"")
        }
        if let text = try Self.text("zone", of: json) { zone = text }
        if let text = try Self.text("window", of: json) { window = try DayWindow(text) }
        if let value = json["concurrency"] {
            guard let count = value.intValue, (1...Int64(Self.concurrencyMax)).contains(count) else {
                throw Self.bad("\"concurrency\" is a number of tables from 1 to \(Self.concurrencyMax)")
            }
            concurrency = Int(count)
        }
        if let text = try Self.text("bytes-per-hour", of: json) { bytesPerHour = try ByteSizeText.bytes(text) }
        if let text = try Self.text("cpu-share", of: json) { cpuPercent = try Self.percent(text) }
        options = try Self.options(json["options"])
        guard options.isEmpty || action == .compact else { throw Self.bad("only the action compact has options") }
    }

    /// The names of the members in JSON.
    private static let members = [
        "every", "cron", "on", "action", "zone", "window", "concurrency", "bytes-per-hour", "cpu-share", "options",
    ]

    public var json: JSONValue {
        var members: [JSONValue.Member] = []
        switch timing {
        case .interval(let ms):
            members.append(.init("every", .string(DurationText.format(milliseconds: ms))))
        case .cron(let cron): members.append(.init("cron", .string(cron.description)))
        case .commit: members.append(.init("on", "commit"))
        }
        members.append(.init("action", .string(action.rawValue)))
        if zone != Self.zoneDefault { members.append(.init("zone", .string(zone))) }
        if let window { members.append(.init("window", .string(window.description))) }
        if let concurrency { members.append(.init("concurrency", .integer(Int64(concurrency)))) }
        if let bytesPerHour { members.append(.init("bytes-per-hour", .string(ByteSizeText.format(bytesPerHour)))) }
        if let cpuPercent { members.append(.init("cpu-share", .string("\(cpuPercent)%"))) }
        if !options.isEmpty { members.append(.init("options", JSONValue(strings: options))) }
        return .object(members)
    }

    private static func timing(_ json: JSONValue) throws(FirnError) -> Timing {
        switch (json["every"], json["cron"], json["on"]) {
        case (.string(let text)?, nil, nil): return try interval(text)
        case (nil, .string(let text)?, nil): return .cron(try CronExpression(text))
        case (nil, nil, .string("commit")?): return .commit
        default:
            throw bad(
                "a schedule has one of 'every' (as in \"5m\"), 'cron' (as in \"0 3 * * *\") and 'on' (\"commit\")")
        }
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

    private static func text(_ key: String, of json: JSONValue) throws(FirnError) -> String? {
        guard let value = json[key] else { return nil }
        guard let text = value.stringValue else { throw bad("\"\(key)\" is a text, as in \(example(key))") }
        return text
    }

    private static func example(_ key: String) -> String {
        switch key {
        case "zone": "\"Europe/Berlin\""
        case "window": "\"01:00-05:00\""
        case "bytes-per-hour": "\"10GiB\""
        default: "\"50%\""
        }
    }

    /// `50%`, from 1 to 100.
    private static func percent(_ text: String) throws(FirnError) -> Int {
        guard text.hasSuffix("%"), text.utf8.count <= 4, let percent = Int(text.dropLast()),
            (1...100).contains(percent), text.first?.isNumber == true
        else { throw bad("\"cpu-share\" is a share of all processors from 1% to 100%, as in \"50%\"") }
        return percent
    }

    private static func options(_ json: JSONValue?) throws(FirnError) -> [String: String] {
        guard let json else { return [:] }
        guard let members = json.objectValue, members.count <= optionsMax else {
            throw bad("\"options\" is an object of up to \(optionsMax) table properties")
        }
        var options: [String: String] = [:]
        for member in members {
            guard ["firn.compaction.", "write."].contains(where: { member.key.hasPrefix($0) }),
                let value = member.value.stringValue
            else {
                throw bad(
                    "\"options\" has table properties that begin with firn.compaction. or write., each a text, as in "
                        + "{\"write.target-file-size-bytes\": \"134217728\"}; '\(member.key)' is none")
            }
            options[member.key] = value
        }
        return options
    }

    private static func bad(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_schedule", message) }
}
