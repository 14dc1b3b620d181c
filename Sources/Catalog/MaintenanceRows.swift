/// What maintenance should do to a table and when.
public struct ScheduleRow: Sendable, Hashable {
    /// A table's identifier, or a pattern that the scheduler understands.
    public var table: String
    public var name: String
    /// JSON that only the scheduler reads.
    public var spec: String
    public var paused: Bool
    public var createdMs: Int64
    public var lastRunMs: Int64?
    public var nextRunMs: Int64?

    public init(
        table: String, name: String, spec: String, paused: Bool = false, createdMs: Int64, lastRunMs: Int64? = nil,
        nextRunMs: Int64? = nil
    ) {
        self.table = table
        self.name = name
        self.spec = spec
        self.paused = paused
        self.createdMs = createdMs
        self.lastRunMs = lastRunMs
        self.nextRunMs = nextRunMs
    }
}

/// A durable decision to do something to a table, and how it went.
public struct JobRow: Sendable, Hashable {
    public enum State: String, Sendable, CaseIterable {
        /// Decided; may become running or cancelled.
        case planned
        /// A run is at it, or was when its process was killed; may become planned again when its process stops, or
        /// any of the rest.
        case running
        /// Final.
        case done
        /// Final; `error` says why.
        case failed
        /// Final.
        case cancelled
    }

    public var id: String
    public var table: String
    /// `compact`, `expire` …
    public var kind: String
    public var state: State
    /// Who runs it.
    public var owner: String?
    /// The lease epoch of the run; an update with an older one is refused.
    public var epoch: Int64
    public var createdMs: Int64
    public var startedMs: Int64?
    public var finishedMs: Int64?
    /// JSON that only the job's kind reads: the plan, then the result.
    public var detail: String
    public var error: String?
    /// Processes that began the job, the one that runs it included.
    public var attempts: Int
    /// Since when somebody wants it to stop. Only `Warehouse.cancelJob` writes it.
    public let cancelMs: Int64?

    public init(
        id: String, table: String, kind: String, state: State = .planned, owner: String? = nil, epoch: Int64 = 0,
        createdMs: Int64, startedMs: Int64? = nil, finishedMs: Int64? = nil, detail: String = "{}",
        error: String? = nil, attempts: Int = 1, cancelMs: Int64? = nil
    ) {
        self.id = id
        self.table = table
        self.kind = kind
        self.state = state
        self.owner = owner
        self.epoch = epoch
        self.createdMs = createdMs
        self.startedMs = startedMs
        self.finishedMs = finishedMs
        self.detail = detail
        self.error = error
        self.attempts = attempts
        self.cancelMs = cancelMs
    }
}

/// An exclusive right that ends by itself.
public struct Lease: Sendable, Hashable {
    public let name: String
    public let owner: String
    /// Grows with each new holder; work done under an older epoch is refused.
    public let epoch: Int64
    public let expiresMs: Int64
}
