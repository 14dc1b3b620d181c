import Base

/// What came of a job, summed over its runs: the `figures` of a job's detail.
public struct JobFigures: Hashable, Sendable {
    /// Runs that found something to do, or ended in an error.
    public var runs: Int64 = 0
    public var filesBefore: Int64 = 0
    public var filesAfter: Int64 = 0
    public var bytesBefore: Int64 = 0
    public var bytesAfter: Int64 = 0
    public var rows: Int64 = 0
    public var groups: Int64 = 0
    public var commits: Int64 = 0
    public var conflicts: Int64 = 0
    /// Bytes of input read; a budget counts these.
    public var bytesRead: Int64 = 0
    /// Time from the start to the end of each run.
    public var runMs: Int64 = 0
    /// Processor time of the threads that ran it.
    public var cpuMs: Int64 = 0
    /// Time that the runs waited for their budget, or for ingest.
    public var waitedMs: Int64 = 0

    public init() {}

    /// The names of the figures in JSON and as columns, in order.
    public static let all: [(name: String, path: any WritableKeyPath<JobFigures, Int64> & Sendable)] = [
        ("runs", \.runs), ("files-before", \.filesBefore), ("files-after", \.filesAfter),
        ("bytes-before", \.bytesBefore), ("bytes-after", \.bytesAfter), ("rows", \.rows), ("groups", \.groups),
        ("commits", \.commits), ("conflicts", \.conflicts), ("bytes-read", \.bytesRead), ("run-ms", \.runMs),
        ("cpu-ms", \.cpuMs), ("waited-ms", \.waitedMs),
    ]

    /// Of a run's report, whatever it counts under these names.
    public init(json: JSONValue) {
        for figure in Self.all { self[keyPath: figure.path] = json[figure.name]?.intValue ?? 0 }
    }

    public var json: JSONValue { .object(Self.all.map { .init($0.name, .integer(self[keyPath: $0.path])) }) }

    public mutating func add(_ other: JobFigures) {
        for figure in Self.all { self[keyPath: figure.path] &+= other[keyPath: figure.path] }
    }
}

extension JobRow {
    private var document: JSONValue { (try? JSONValue(parsing: detail, source: "job")) ?? .null }

    /// Why it was begun: `policy`, `schedule nightly`, `firn compact` …
    public var reason: String? { document["reason"]?.stringValue }
    public var figures: JobFigures { JobFigures(json: document["figures"] ?? .null) }
    /// The last run's own report.
    public var report: JSONValue? { document["report"] }

    /// What programs and people see of a job.
    public var json: JSONValue {
        func time(_ ms: Int64?) -> JSONValue {
            ms.map { .string(CivilTime.formatTimestamp(micros: $0 &* 1000, utc: true)) } ?? .null
        }
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        let document = document
        return .object(
            [
                .init("id", .string(id)), .init("table", .string(table)), .init("kind", .string(kind)),
                .init("state", .string(state.rawValue)), .init("reason", document["reason"] ?? .null),
                .init("attempts", .integer(Int64(attempts))), .init("created", time(createdMs)),
                .init("started", time(startedMs)), .init("finished", time(finishedMs)),
                .init("cancel-requested", time(cancelMs)), .init("error", text(error)),
            ] + (JobFigures(json: document["figures"] ?? .null).json.objectValue ?? [])
                + [.init("owner", text(owner)), .init("report", document["report"] ?? .null)])
    }
}

extension JobRow.State {
    /// Throws `.invalidInput` (`bad_state`).
    public init(checking text: String) throws(FirnError) {
        guard let state = Self(rawValue: text) else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw FirnError(
                .invalidInput, "bad_state", "a job's state is one of \(names), not '\(String(text.prefix(40)))'")
        }
        self = state
    }
}
