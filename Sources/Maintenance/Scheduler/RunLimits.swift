/// What a run has to keep to.
public struct RunLimits: Sendable {
    /// Nil for none.
    public var budget: JobBudget?
    /// Milliseconds since 1970: past this the run begins no further group.
    public var untilMs: Int64?
    /// Table properties that count instead of the table's own.
    public var options: [String: String] = [:]

    public init(budget: JobBudget? = nil, untilMs: Int64? = nil, options: [String: String] = [:]) {
        self.budget = budget
        self.untilMs = untilMs
        self.options = options
    }
}
