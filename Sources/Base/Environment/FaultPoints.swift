import Glibc
import Synchronization

/// The steps of maintenance at which a test can end the process, in the order in which they are reached.
///
/// A step has been done when its point is reached.
public enum FaultPoint: String, CaseIterable, Sendable {
    case compactionPlanned = "compaction.planned"
    /// Of an output, in the ledger.
    case compactionPathRecorded = "compaction.path-recorded"
    /// Rows are with the writer of an output.
    case compactionBatchWritten = "compaction.batch-written"
    case compactionOutputWritten = "compaction.output-written"
    case compactionProven = "compaction.proven"
    case compactionBeforeCommit = "compaction.before-commit"
    /// Deletes that came meanwhile are written anew for an output.
    case compactionDeletesCarried = "compaction.deletes-carried"
    case compactionAfterCommit = "compaction.after-commit"
    /// All is committed, but for the job's outcome.
    case compactionReported = "compaction.reported"

    /// In memory, on the table as it is.
    case commitBuilt = "commit.built"
    /// Of the files of a commit, in the ledger.
    case commitPathsRecorded = "commit.paths-recorded"
    case commitManifestWritten = "commit.manifest-written"
    case commitListWritten = "commit.list-written"
    case commitMetadataWritten = "commit.metadata-written"
    case commitBeforeTransaction = "commit.before-transaction"
    /// Every row is changed, `COMMIT` has not run.
    case commitInTransaction = "commit.in-transaction"
    case commitAfterTransaction = "commit.after-transaction"

    /// Of a commit to an attached table: it is known here what the other catalog will be asked for.
    case remoteRecorded = "remote.recorded"
    /// The other catalog has committed, which is not noted here.
    case remoteAnswered = "remote.answered"

    /// Files to delete are read from the ledger.
    case collectionListed = "collection.listed"
    /// They are gone, their rows are not.
    case collectionFilesDeleted = "collection.files-deleted"
    case collectionForgotten = "collection.forgotten"
}

/// Stops work at a named step, so that tests can prove that it leaves nothing wrong behind, wherever it ends.
///
/// Off unless a test arms it; reaching a point then costs one comparison.
///
/// ```swift
/// environment.faults = FaultPoints { point in if point == .compactionProven { throw dead } }
/// ```
public struct FaultPoints: Sendable {
    private let onReach: (@Sendable (FaultPoint) throws -> Void)?

    public static let none = FaultPoints(onReach: nil)

    private init(onReach: (@Sendable (FaultPoint) throws -> Void)?) { self.onReach = onReach }

    public init(_ onReach: @escaping @Sendable (FaultPoint) throws -> Void) { self.init(onReach: onReach) }

    public var areArmed: Bool { onReach != nil }

    public func reach(_ point: FaultPoint) throws {
        if let onReach { try onReach(point) }
    }

    /// The environment variable that arms a process: `compaction.proven`, or `commit.built:3` for the third time, or
    /// several with commas between.
    public static let variable = "FIRN_FAULT_POINT"

    /// Kills the process at the points that `FIRN_FAULT_POINT` names, as `kill -9` does: no clean-up runs, nothing is
    /// flushed. At those that end in `=stop` it stops until it is continued (SIGCONT), so that a test can do something
    /// at just that moment.
    public static func ofProcess() -> FaultPoints {
        guard let text = getenv(variable) else { return .none }
        var armed: [(point: FaultPoint, countdown: FaultCountdown, signal: Int32)] = []
        for word in String(cString: text).split(separator: ",") {
            let isStop = word.hasSuffix("=stop")
            let parts = word.dropLast(isStop ? 5 : 0).split(separator: ":", maxSplits: 1)
            guard let name = parts.first, let point = FaultPoint(rawValue: String(name)) else { continue }
            let count = parts.count > 1 ? Int(parts[1]) ?? 1 : 1
            armed.append((point, FaultCountdown(count), isStop ? SIGSTOP : SIGKILL))
        }
        guard !armed.isEmpty else { return .none }
        return FaultPoints { [armed] reached in
            for (point, countdown, signal) in armed where point == reached && countdown.isOver() {
                kill(getpid(), signal)
            }
        }
    }
}

private final class FaultCountdown: Sendable {
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    func isOver() -> Bool {
        left.withLock { left in
            left -= 1
            return left == 0
        }
    }
}
