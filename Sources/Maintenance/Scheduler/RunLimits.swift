/// What a run has to keep to.
public struct RunLimits: Sendable {
    /// Nil for none.
    public var budget: JobBudget?
    /// Milliseconds since 1970: past this the run begins no further group.
    public var untilMs: Int64?
    /// Groups rewritten at once.
    public var width = 1
    /// Table properties that count instead of the table's own.
    public var options: [String: String] = [:]

    /// The width of a run that somebody waits for.
    public static var widthOfRequests: Int { min(8, ProcessorTime.count) }

    public init(budget: JobBudget? = nil, untilMs: Int64? = nil, options: [String: String] = [:]) {
        self.budget = budget
        self.untilMs = untilMs
        self.options = options
    }
}
