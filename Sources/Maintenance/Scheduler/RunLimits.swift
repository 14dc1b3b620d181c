import Base

/// What a run has to keep to.
public struct RunLimits: Sendable {
    /// Nil for none.
    public var budget: JobBudget?
    /// Milliseconds since 1970: past this the run begins no further group.
    public var untilMs: Int64?
    /// Groups rewritten at once.
    public var width = 1
    /// After this long no further group is begun. Nil: the run does all that was planned.
    var sliceMs: Int64?
    /// Table properties that count instead of the table's own.
    public var options: [String: String] = [:]

    /// The width of a run that somebody waits for.
    public static var widthOfRequests: Int { min(8, ProcessorTime.count) }

    public init(budget: JobBudget? = nil, untilMs: Int64? = nil, options: [String: String] = [:]) {
        self.budget = budget
        self.untilMs = untilMs
        self.options = options
    }

    /// For runs that follow commits: their own commits bring the next.
    var sliced: RunLimits {
        var limits = self
        limits.sliceMs = 2000
        return limits
    }
}
