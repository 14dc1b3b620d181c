import Base
import Catalog
import Synchronization

/// A job's row, and how far the catalog knows it.
///
/// A job that somebody asked for is in the catalog before it runs. A standing one, which gathers the short runs of a
/// minute, is written when a run lasts (`markRunning`) and otherwise seldom: a transaction costs as much as a merge of
/// small files.
final class JobRecord: Sendable {
    private struct State: Sendable {
        var row: JobRow
        var figures: JobFigures
        var report: JSONValue?
        var isStored: Bool
        /// The row says something that the catalog does not know.
        var isDirty = false
        var writtenNanos: Int64?
    }

    let id: String
    let reason: String
    let createdMs: Int64
    private let warehouse: Warehouse
    private let state: Mutex<State>

    /// A new job, unknown to the catalog.
    init(_ warehouse: Warehouse, table: TableIdentifier, kind: String, reason: String, lease: Lease) {
        self.warehouse = warehouse
        self.reason = reason
        id = warehouse.environment.uuid().description
        createdMs = warehouse.environment.clock.nowMs()
        let row = JobRow(
            id: id, table: table.description, kind: kind, state: .running, owner: lease.owner, epoch: lease.epoch,
            createdMs: createdMs, startedMs: createdMs)
        state = Mutex(State(row: row, figures: JobFigures(), report: nil, isStored: false))
    }

    /// A job that another process, or this one before, did not end.
    init(_ warehouse: Warehouse, resuming old: JobRow, lease: Lease) {
        self.warehouse = warehouse
        reason = old.reason ?? "resumed"
        id = old.id
        createdMs = old.createdMs
        var row = old
        row.state = .running
        row.attempts += 1
        row.owner = lease.owner
        row.epoch = lease.epoch
        row.startedMs = warehouse.environment.clock.nowMs()
        row.finishedMs = nil
        row.error = nil
        state = Mutex(State(row: row, figures: old.figures, report: old.report, isStored: true, isDirty: true))
    }

    var isStored: Bool { state.withLock { $0.isStored } }

    /// The row if the catalog has to learn of it.
    var unstored: JobRow? { state.withLock { $0.isDirty && $0.isStored ? $0.row : nil } }

    /// Lets everybody see that a run is at it.
    func markRunning() throws {
        try state.withLock { state in
            guard state.row.state != .running || !state.isStored || state.isDirty else { return }
            state.row.state = .running
            state.row.finishedMs = nil
            try write(&state)
        }
    }

    /// A run has ended well.
    func ended(_ figures: JobFigures, report: JSONValue) {
        let now = warehouse.environment.clock.nowMs()
        state.withLock { state in
            state.row.state = .done
            state.row.finishedMs = now
            state.figures.add(figures)
            state.report = report
            describe(&state)
        }
    }

    /// A run was ended by an error. Work that a stopping process leaves waits for the next one.
    func ended(_ figures: JobFigures, error: FirnError) {
        let now = warehouse.environment.clock.nowMs()
        state.withLock { state in
            state.figures.add(figures)
            describe(&state)
            if error.code == JobCheckpoint.stoppedCode {
                state.row.state = .planned
                state.row.owner = nil
                return
            }
            state.row.state = error.kind == .cancelled ? .cancelled : .failed
            state.row.finishedMs = now
            state.row.error = "\(error)"
        }
    }

    /// Writes what is new, unless that was done less than `afterMs` ago.
    func store(afterMs: Int64 = 0) throws {
        let now = warehouse.environment.clock.monotonicNanos()
        try state.withLock { state in
            guard state.isDirty, state.writtenNanos.map({ now - $0 >= afterMs * 1_000_000 }) ?? true else { return }
            try write(&state)
        }
    }

    /// Brings the row's detail up to date.
    private func describe(_ state: inout State) {
        var members: [JSONValue.Member] = [.init("reason", .string(reason)), .init("figures", state.figures.json)]
        if let report = state.report { members.append(.init("report", report)) }
        state.row.detail = JSONValue.object(members).text
        state.isDirty = true
    }

    private func write(_ state: inout State) throws {
        describe(&state)
        if state.isStored { try warehouse.updateJob(state.row) } else { try warehouse.insertJob(state.row) }
        state.isStored = true
        state.isDirty = false
        state.writtenNanos = warehouse.environment.clock.monotonicNanos()
    }
}
