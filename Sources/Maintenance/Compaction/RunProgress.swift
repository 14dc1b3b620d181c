import Base
import Synchronization

/// Counts what the threads of one run read, and lets one of them at a time ask whether to go on.
///
/// The checkpoint may wait, to slow the run down. It does so under the lock: a budget is for the run, not for a thread.
final class RunProgress: @unchecked Sendable {
    private struct State {
        var bytesDone: Int64 = 0
        var bytesTotal: Int64 = 0
        var groupsDone = 0
        var groupsTotal = 0
        var isStopped = false
    }

    private let state = Mutex(State())
    private let checkpoint: CompactionRun.Checkpoint
    private let onProgress: (CompactionProgress) -> Void
    private let table: String

    init(
        table: String, checkpoint: @escaping CompactionRun.Checkpoint,
        onProgress: @escaping (CompactionProgress) -> Void
    ) {
        self.table = table
        self.checkpoint = checkpoint
        self.onProgress = onProgress
    }

    func add(_ plans: [CompactionPlan]) {
        state.withLock { state in
            state.bytesTotal += plans.reduce(0) { $0 + $1.bytes }
            state.groupsTotal += plans.count
        }
    }

    /// Throws what the checkpoint throws, `.cancelled` after `stop`.
    func read(_ bytes: Int64, isDue: Bool) throws {
        try state.withLock { state in
            guard !state.isStopped else {
                throw FirnError(
                    .cancelled, "compaction_cancelled", "another group of the run has failed",
                    context: ["table": table])
            }
            state.bytesDone += bytes
            if bytes > 0 { report(state) }
            try checkpoint(bytes, isDue)
        }
    }

    func groupDone() {
        state.withLock { state in
            state.groupsDone += 1
            report(state)
        }
    }

    /// Ends the groups that are being rewritten.
    func stop() { state.withLock { $0.isStopped = true } }

    private func report(_ state: State) {
        onProgress(
            CompactionProgress(
                bytesDone: min(state.bytesDone, state.bytesTotal), bytesTotal: state.bytesTotal,
                groupsDone: state.groupsDone, groupsTotal: state.groupsTotal))
    }
}
