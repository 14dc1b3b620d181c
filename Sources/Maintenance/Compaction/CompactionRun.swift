import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// One attempt to compact a table.
///
/// 1. Read the live files of the current snapshot from metadata alone and let the policy plan.
/// 2. Rewrite one plan after the other, each proven (`GroupRewrite`).
/// 3. Commit finished plans together as one `replace` as soon as they read `commitBytesMax`, and at the end. So a kill
///    or a conflict costs no more than that much work, and a run over many small partitions makes one snapshot.
/// 4. The committer refuses when an input is gone or rows of it were deleted since. Then the outputs are deleted and
///    the run plans anew, `triesMax` times at most.
///
/// The inputs stay on disk for the snapshots that name them, until those expire. Every snapshot reads as before, and
/// ingest commits go on meanwhile: the committer rebases one on the other (G6).
public struct CompactionRun {
    /// Bytes read between commits.
    static let commitBytesMax: Int64 = 256 << 20
    /// Times a run plans before it gives up.
    static let triesMax = 4

    public let warehouse: Warehouse
    public let table: TableIdentifier
    /// Merges whatever is small, also pairs; see `CompactionPolicy`.
    public var isForced = false
    public var onProgress: (CompactionProgress) -> Void = { _ in }
    /// Asked once a batch; true ends the run with `.cancelled` (`compaction_cancelled`). What is committed stays.
    public var isCancelled: () throws -> Bool = { false }
    /// Changes batches on their way to the writer; identity but in tests of the proof.
    var transform: (RecordBatch) -> RecordBatch = GroupRewrite.identity
    /// Called before each commit; for tests of conflicts.
    var beforeCommit: () throws -> Void = {}

    public init(warehouse: Warehouse, table: TableIdentifier, isForced: Bool = false) {
        self.warehouse = warehouse
        self.table = table
        self.isForced = isForced
    }

    /// What `run` would do now, without doing it, and one line about each plan.
    ///
    /// Throws `.notFound` (`table_not_found`), `.unsupported` (`format_version`).
    public func plan() throws -> [(plan: CompactionPlan, text: String)] {
        let current = try warehouse.loadTable(table)
        let live = try LiveFiles.read(current, store: warehouse.store)
        return try plans(current, live).map { ($0, $0.explain(spec: current.metadata.spec(id: $0.specId))) }
    }

    /// Compacts. A report with no groups means that there was nothing to do.
    ///
    /// Throws what `plan` throws; `.internal` (`compaction_proof_failed`) when the rewritten rows differ, `.corrupted`
    /// (`record_count_mismatch`) when an input does not hold the rows its manifest promises, `.conflict` when other
    /// writers kept winning, `.cancelled`, `.outcomeUnknown`, and the store's errors. No rows are changed in any case.
    public func run() throws -> CompactionReport {
        let clock = warehouse.environment.clock
        let started = clock.monotonicNanos()
        var report = CompactionReport(table: table)
        var scan = LiveFileScan()
        var attempt = 1
        while true {
            let current = try warehouse.loadTable(table)
            let live = try scan.read(current, store: warehouse.store)
            if attempt == 1 {
                report.tableFilesBefore = live.fileCount
                report.tableBytesBefore = live.bytes
            }
            do {
                try compact(try plans(current, live), of: current, live.deletes, &report)
                break
            } catch let error as FirnError where error.kind == .conflict && attempt < Self.triesMax {
                attempt += 1
            }
        }
        let after = try scan.read(try warehouse.loadTable(table), store: warehouse.store)
        report.tableFilesAfter = after.fileCount
        report.tableBytesAfter = after.bytes
        report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
        return report
    }

    private func plans(_ current: Table, _ live: LiveFiles) throws -> [CompactionPlan] {
        try live.requireRewritable(current)
        return CompactionPolicy.plans(
            live.candidates, options: CompactionOptions(current.metadata.tableProperties), isForced: isForced)
    }

    private func compact(
        _ plans: [CompactionPlan], of current: Table, _ deletes: DeleteIndex, _ report: inout CompactionReport
    ) throws {
        guard !plans.isEmpty, let snapshotId = current.metadata.currentSnapshotId else { return }
        let bytesTotal = plans.reduce(0) { $0 + $1.bytes }
        var bytesDone: Int64 = 0
        var pending: [GroupRewrite.Output] = []
        let loader = DeleteLoader(store: warehouse.store, nameMapping: current.metadata.nameMapping)
        do {
            for (index, plan) in plans.enumerated() {
                let rewrite = GroupRewrite(
                    warehouse: warehouse, table: current, plan: plan, deletes: deletes, loader: loader,
                    checkpoint: { bytes in
                        bytesDone += bytes
                        onProgress(
                            CompactionProgress(
                                bytesDone: bytesDone, bytesTotal: bytesTotal, groupsDone: index,
                                groupsTotal: plans.count))
                        try checkCancelled()
                    }, transform: transform)
                pending.append(try rewrite.run())
                let isLast = index == plans.count - 1
                guard isLast || pending.reduce(0, { $0 + $1.plan.bytes }) >= Self.commitBytesMax else { continue }
                try commit(pending, basedOn: snapshotId, &report)
                pending = []
            }
        } catch {
            report.conflicts += (error as? FirnError)?.kind == .conflict ? pending.count : 0
            // Only paths that are still pending are touched, so an output that did get committed is safe.
            if (error as? FirnError)?.kind != .outcomeUnknown {
                try? warehouse.ledger.abandon(pending.flatMap { $0.files.map(\.path) })
            }
            throw error
        }
    }

    private func commit(
        _ outputs: [GroupRewrite.Output], basedOn snapshotId: Int64, _ report: inout CompactionReport
    ) throws {
        try checkCancelled()
        try beforeCommit()
        let removed = outputs.flatMap { $0.plan.files.map(\.path) }
        let added = outputs.flatMap(\.files)
        let committer = try warehouse.committer(for: table)
        do {
            report.snapshotId = try committer.replace(removed: removed, added: added, basedOn: snapshotId).snapshotId
        } catch let error as FirnError where error.kind == .outcomeUnknown {
            guard try committer.settle() != .notCommitted else {
                throw FirnError(
                    .conflict, "commit_failed", "the commit did not happen", context: error.context, cause: error)
            }
            report.snapshotId = try committer.table().metadata.currentSnapshotId
        }
        report.commits += 1
        report.groups += outputs.count
        report.filesBefore += removed.count
        report.filesAfter += added.count
        report.bytesBefore += outputs.reduce(0) { $0 + $1.plan.bytes }
        report.bytesAfter += added.reduce(0) { $0 + $1.fileBytes }
        report.rows += outputs.reduce(0) { $0 + Int64($1.hash.rowCount) }
    }

    private func checkCancelled() throws {
        guard try isCancelled() else { return }
        throw FirnError(
            .cancelled, "compaction_cancelled", "the compaction was cancelled", context: ["table": table.description])
    }
}
