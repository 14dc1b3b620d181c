import Base
import Catalog
import Columnar
import Iceberg
import Parquet
import Storage

/// One attempt to compact a table.
///
/// 1. Read the live files of the current snapshot from metadata alone and let the policy plan.
/// 2. Rewrite the plans, `width` at a time, each proven (`GroupRewrite`).
/// 3. Commit finished groups together as one `replace` (`GroupCommits`) as soon as they read `commitBytesMax`, or the
///    oldest has waited `commitWaitMsMax`, and at the end. So a kill costs no more than that much work, and a run over
///    many small partitions makes one snapshot.
/// 4. Appends of others never concern a group. Rows that others delete meanwhile are deleted in the outputs too
///    (`Meanwhile`). What cannot be carried over loses that one group: its outputs are deleted, and at the end the run
///    plans its partition anew, `triesMax` times at most.
///
/// The inputs stay on disk for the snapshots that name them, until those expire. Every snapshot reads as before, and
/// ingest commits go on meanwhile: the committer rebases one on the other (G6).
public struct CompactionRun {
    /// Called with the bytes of input read since the last call, and whether the bound on files demands the work.
    public typealias Checkpoint = (_ inputBytes: Int64, _ isDue: Bool) throws -> Void

    /// Bytes read between commits.
    static let commitBytesMax: Int64 = 256 << 20
    /// What is finished is not kept from readers for longer, and not risked.
    static let commitWaitMsMax: Int64 = 30_000
    /// Times a run plans before it gives up.
    static let triesMax = 4

    public let warehouse: Warehouse
    public let table: TableIdentifier
    /// What is asked for beyond the table's properties.
    public var request = CompactionRequest()
    /// Groups rewritten at once, each in the memory that `GroupRewrite` takes.
    public var width = 1
    /// Calls do not overlap, whatever the width.
    public var onProgress: (CompactionProgress) -> Void = { _ in }
    /// Called about once a batch; one call at a time. It may wait, to pace the run, and throws to end it. What is
    /// committed stays.
    public var checkpoint: Checkpoint = { _, _ in }
    /// Asked before each group, on any thread; false ends the run after those that are under way.
    public var mayBeginGroup: @Sendable () -> Bool = { true }
    /// After this long no further group is begun. The next run plans what is left in the light of what has arrived
    /// meanwhile, so that small merges do not wait behind large ones that are less pressing by then. Nil: no end.
    public var sliceMs: Int64?
    /// Properties that count instead of the table's own.
    public var properties: [String: String] = [:]
    /// Changes batches on their way to the writer; only in tests of the proof.
    var transform: (@Sendable (RecordBatch) -> RecordBatch)?
    /// Damages pages on their way to the output; only in tests of the proof.
    var fault: MergeFault?
    /// Called before each commit; for tests of conflicts.
    var beforeCommit: () throws -> Void = {}

    public init(warehouse: Warehouse, table: TableIdentifier, isForced: Bool = false) {
        self.warehouse = warehouse
        self.table = table
        request.isForced = isForced
    }

    /// What `run` would do now, without doing it, and one line about each plan.
    ///
    /// Throws as `forecast`.
    public func plan() throws -> [(plan: CompactionPlan, text: String)] {
        let current = try warehouse.loadTable(table).overriding(properties)
        let live = try LiveFiles.read(current, store: warehouse.store, keepsAll: request.needsAllFiles)
        return try plans(current, live).map { ($0, $0.explain(spec: current.metadata.spec(id: $0.specId))) }
    }

    /// What `run` would do now, what it would cost and bring.
    ///
    /// Throws `.notFound` (`table_not_found`), `.unsupported` (`format_version`), `.invalidInput` (`no_sort_order`,
    /// `bad_zorder_column`).
    public func forecast() throws -> CompactionForecast {
        let current = try warehouse.loadTable(table).overriding(properties)
        let live = try LiveFiles.read(current, store: warehouse.store, keepsAll: request.needsAllFiles)
        let options = CompactionOptions(current.metadata.tableProperties)
        return CompactionForecast(try plans(current, live), of: live.state, options: options)
    }

    /// Compacts. A report with no groups means that there was nothing to do.
    ///
    /// Throws what `forecast` throws; `.internal` (`compaction_proof_failed`) when the rewritten rows differ,
    /// `.corrupted` (`record_count_mismatch`) when an input does not hold the rows its manifest promises, `.conflict`
    /// when other writers kept winning and nothing could be committed, what `checkpoint` throws, `.outcomeUnknown`, and
    /// the store's errors. No rows are changed in any case.
    public func run() throws -> CompactionReport {
        let clock = warehouse.environment.clock
        let started = clock.monotonicNanos()
        var report = CompactionReport(table: table)
        var scan = LiveFileScan(keepsAll: request.needsAllFiles)
        let progress = RunProgress(table: table.description, checkpoint: checkpoint, onProgress: onProgress)
        var places: Set<Place>?
        for attempt in 1...Self.triesMax {
            let current = try warehouse.loadTable(table).overriding(properties)
            let live = try scan.read(current, store: warehouse.store)
            if attempt == 1 {
                report.tableFilesBefore = live.fileCount
                report.tableBytesBefore = live.bytes
            }
            let plans = try plans(current, live).filter { places?.contains(Place($0)) ?? true }
            try warehouse.environment.faults.reach(.compactionPlanned)
            guard !plans.isEmpty, let base = RunBase(current, deletes: live.deletes, store: warehouse.store) else {
                break
            }
            let lost = try compact(plans, base, progress, &report)
            report.conflicts += lost.count
            guard let first = lost.first else { break }
            guard attempt < Self.triesMax || report.commits > 0 else {
                throw FirnError(
                    .conflict, first.reason.code,
                    "other writers won \(attempt) times in a row: \(first.reason.message); run it again once they rest",
                    context: first.reason.context, cause: first.reason)
            }
            places = Set(lost.map { Place($0.plan) })
        }
        let after = try scan.read(try warehouse.loadTable(table), store: warehouse.store)
        report.tableFilesAfter = after.fileCount
        report.tableBytesAfter = after.bytes
        report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
        try warehouse.environment.faults.reach(.compactionReported)
        return report
    }

    /// What is planned anew when a group of it was lost.
    private struct Place: Hashable {
        let specId: Int
        let partition: [Value]

        init(_ plan: CompactionPlan) {
            specId = plan.specId
            partition = plan.partition
        }
    }

    private func plans(_ current: Table, _ live: LiveFiles) throws -> [CompactionPlan] {
        try live.requireRewritable(current)
        return try CompactionPolicy.plans(
            live.state, options: CompactionOptions(current.metadata.tableProperties),
            nowMs: warehouse.environment.clock.nowMs(), request: request)
    }

    private enum Rewritten: Sendable {
        case finished(FinishedGroup)
        case lost(LostGroup)
        /// Not begun.
        case left
    }

    /// Answers the groups that others made void.
    private func compact(
        _ plans: [CompactionPlan], _ base: RunBase, _ progress: RunProgress, _ report: inout CompactionReport
    ) throws -> [LostGroup] {
        let clock = warehouse.environment.clock
        let commits = GroupCommits(
            warehouse: warehouse, table: table, progress: progress, beforeCommit: beforeCommit)
        var pending: [FinishedGroup] = []
        var oldestNanos: Int64 = 0
        var lost: [LostGroup] = []
        func commit() throws {
            guard !pending.isEmpty else { return }
            let outcome = try commits.commit(pending)
            pending = []
            lost += outcome.lost
            report.add(outcome)
        }
        progress.add(plans)
        let sliceEnd = sliceMs.map { clock.monotonicNanos() + $0 * 1_000_000 } ?? .max
        do {
            try Fanout.run(plans, width: width) { plan in
                guard mayBeginGroup(), clock.monotonicNanos() < sliceEnd else { return Rewritten.left }
                return try rewrite(plan, base, progress)
            } discard: { rewritten in
                if case .finished(let group) = rewritten { try? warehouse.ledger.abandon(group.paths) }
            } receive: { rewritten in
                switch rewritten {
                case .left: break
                case .lost(let group): lost.append(group)
                case .finished(let group):
                    if pending.isEmpty { oldestNanos = clock.monotonicNanos() }
                    pending.append(group)
                }
                let bytes = pending.reduce(0) { $0 + $1.plan.bytes }
                let waitedMs = (clock.monotonicNanos() - oldestNanos) / 1_000_000
                if bytes >= Self.commitBytesMax || waitedMs >= Self.commitWaitMsMax {
                    try stopping(progress) { try commit() }
                }
            }
            try commit()
        } catch {
            // Only paths that are still pending are touched, so an output that did get committed is safe.
            if (error as? FirnError)?.kind != .outcomeUnknown {
                for group in pending { try? warehouse.ledger.abandon(group.paths) }
            }
            throw error
        }
        return lost
    }

    /// One plan, on whatever thread.
    private func rewrite(_ plan: CompactionPlan, _ base: RunBase, _ progress: RunProgress) throws -> Rewritten {
        let rewrite = GroupRewrite(
            warehouse: warehouse, table: base.table, plan: plan, deletes: base.deletes, loader: base.loader,
            checkpoint: { bytes in
                try progress.read(bytes, isDue: plan.isDue)
                try warehouse.environment.faults.reach(.compactionBatchWritten)
            }, transform: transform, fault: fault)
        return try stopping(progress) {
            do {
                let output = try rewrite.run()
                try warehouse.environment.faults.reach(.compactionProven)
                progress.groupDone()
                return .finished(FinishedGroup(output, base: base))
            } catch let error as FirnError where error.kind == .notFound {
                // What the plan reads may have been replaced by others, and have expired.
                let now = try warehouse.loadTable(table)
                guard now.metadata.currentSnapshotId != base.snapshotId else { throw error }
                return .lost(LostGroup(plan: plan, reason: error))
            }
        }
    }

    /// A throw ends the other groups of the run too.
    private func stopping<Result>(_ progress: RunProgress, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            progress.stop()
            throw error
        }
    }
}

extension CompactionReport {
    fileprivate mutating func add(_ outcome: GroupCommits.Outcome) {
        guard !outcome.committed.isEmpty else { return }
        snapshotId = outcome.snapshotId
        commits += 1
        groups += outcome.committed.count
        for group in outcome.committed {
            filesBefore += group.plan.files.count
            filesAfter += group.output.files.count
            bytesBefore += group.plan.bytes
            bytesAfter += group.output.files.reduce(0) { $0 + $1.fileBytes }
            rows += Int64(group.output.hash.rowCount)
            deletesCarried += group.carriedRows
        }
    }
}
